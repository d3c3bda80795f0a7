"use strict";
// Runs before `npm start`, `npm test` and whatever else may be the first thing that somebody calls, on the node that the
// machine has (hence old CommonJS): makes node_modules fit package-lock.json, and makes sure that the script that follows
// gets a node that runs TypeScript. That is the locked dependency `node`, which npm puts first on PATH inside scripts.
// When all is well it says nothing.
// (It is a script before the script, not the first half of it: a shell remembers where it found `node`.)
const { spawnSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { delimiter, join, sep } = require("node:path");

const root = join(__dirname, "..");
const modules = join(root, "node_modules");

/** The packages that a lockfile names; undefined when it is missing or damaged. */
function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(lockfile, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * npm lists what it installed in node_modules/.package-lock.json, last of all, and removes that file first. So this
 * holds after anybody's complete install, and not after half a one, another lockfile's, or another platform's. (Times
 * of files would say nothing: git sets them anew at every checkout.)
 */
function isInstalled() {
  const installed = packagesIn(join(modules, ".package-lock.json"));
  const fits = ([path, locked]) => {
    const found = installed[path];
    if (found) return found.version === locked.version && found.integrity === locked.integrity;
    return path === "" || ((locked.optional || locked.devOptional) && !isForThisPlatform(locked));
  };
  return installed !== undefined && Object.entries(packagesIn(join(root, "package-lock.json"))).every(fits);
}

/** Whether an optional package must be here. One bound to a libc need not: node can't tell cheaply which one it has. */
function isForThisPlatform({ os = [], cpu = [], libc }) {
  return os.includes(process.platform) && cpu.includes(process.arch) && libc === undefined;
}

/** The node that the next script gets, as npm looks it up: its version, and whether it runs TypeScript. */
function nextNode() {
  const question = "process.version+(process.features.typescript?':ts':'')";
  const { stdout } = spawnSync(`node -p "${question}"`, { shell: true, encoding: "utf8" });
  const [version, typescript] = (stdout ?? "").trim().split(":");
  return { version: version || "none", runsTypeScript: typescript === "ts" };
}

function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}

function install() {
  // Windows deletes no running program, and this very process may be the node in node_modules.
  if (process.platform === "win32" && process.execPath.startsWith(modules + sep))
    stop("The installed dependencies are not those of package-lock.json: run `npm ci`, then try again.");

  console.log("Installing the locked dependencies (once) ...");
  const { npm_execpath: npm = "", npm_node_execpath: node = process.execPath } = process.env;
  // --include=dev: NODE_ENV=production would leave out everything.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const options = { cwd: root, stdio: "inherit" };
  const { status } = /npm-cli\.[cm]?js$/.test(npm)
    ? spawnSync(node, [npm, ...args], options)
    : spawnSync(["npm", ...args].join(" "), { ...options, shell: true });
  if (status !== 0)
    stop("The installation failed (`npm ci`, see above): it needs the npm registry and npm 10 or newer.");
}

process.env.PATH = [join(modules, ".bin"), process.env.PATH].join(delimiter);
if (!isInstalled() || !(process.features.typescript || nextNode().runsTypeScript)) {
  install();
  const { version, runsTypeScript } = nextNode();
  if (!runsTypeScript)
    stop(
      `Node 24 is needed to run this project's scripts, and node ${version} was found. Installing the dependencies ` +
        "brings one, unless install scripts are switched off: run `npm ci --ignore-scripts=false`, or install node 24.",
    );
}
