"use strict";
// `node scripts/run.cjs NODE-ARGUMENTS...` runs a TypeScript file or the test runner. It first installs the locked
// dependencies if they are missing. `npm start` and `npm test` must work with any Node 20 or newer, so this file uses
// CommonJS. If that Node cannot run TypeScript, the locked dependency `node` provides one that can.
const { spawn, spawnSync } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const { delimiter, join, sep } = require("node:path");
const { constants } = require("node:os");

const root = join(__dirname, "..");
const modules = join(root, "node_modules");
const lockedNode = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");

/** Returns the packages in a lockfile, or undefined if it is missing or invalid. */
function readLockfile(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** npm writes node_modules/.package-lock.json last, so it exists only after a complete installation. */
function isInstalled() {
  const installed = readLockfile(join(modules, ".package-lock.json"));
  const isPresent = ([path, locked]) => {
    const found = installed[path];
    if (found) return found.version === locked.version && found.integrity === locked.integrity;
    return path === "" || ((locked.optional || locked.devOptional) && !isForThisPlatform(locked));
  };
  return installed !== undefined && Object.entries(readLockfile(join(root, "package-lock.json"))).every(isPresent);
}

function isForThisPlatform({ os = [], cpu = [], libc }) {
  return os.includes(process.platform) && cpu.includes(process.arch) && libc === undefined;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

function install() {
  // Windows cannot delete a running program, and this process may be the node in node_modules.
  if (process.platform === "win32" && process.execPath.startsWith(modules + sep))
    fail("The installed dependencies do not match package-lock.json. Run `npm ci` and try again.");
  // stdout is for the program, whose output may be redirected to a file.
  console.error("Installing the locked dependencies. This happens only once...");
  const { npm_execpath: npm = "", npm_node_execpath: node = process.execPath } = process.env;
  // Without --include=dev, NODE_ENV=production would skip the development dependencies.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const options = { cwd: root, stdio: ["inherit", 2, "inherit"] };
  const { status } = /npm-cli\.[cm]?js$/.test(npm)
    ? spawnSync(node, [npm, ...args], options)
    : spawnSync(["npm", ...args].join(" "), { ...options, shell: true });
  if (status !== 0)
    fail("The installation failed (see the output of `npm ci` above). It needs the npm registry and npm 10 or newer.");
}

/** Returns the path of this Node if it can run TypeScript, otherwise of the locked one. */
function findNode() {
  if (process.features.typescript) return process.execPath;
  return existsSync(lockedNode) ? lockedNode : undefined;
}

if (!isInstalled()) install();
const node = findNode();
if (node === undefined)
  fail(
    `This project's scripts need Node 24, but this is Node ${process.version}. The dependencies include Node 24 unless ` +
      "install scripts are disabled. Run `npm ci --ignore-scripts=false`, or install Node 24.",
  );
// Child processes that run `node` get the locked one.
process.env.PATH = [join(modules, ".bin"), process.env.PATH].join(delimiter);
const child = spawn(node, process.argv.slice(2), { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(`Node could not be started: ${error.message}`));
child.on("exit", (code, signal) => process.exit(code === null ? 128 + constants.signals[signal] : code));
