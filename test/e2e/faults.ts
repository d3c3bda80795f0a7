import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { listen } from "../shared/http/attempts.ts";
import { preload, TEST_HOST } from "./fixtures.ts";

const isWindows = process.platform === "win32";

/** The default time limit of operations, in seconds. */
export const TIMEOUT = 3;

/** What an operation uses. By default, the server that issues tokens, and no file. */
export interface Setup {
  readonly origin?: string;
  readonly path?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** In seconds. Default: {@link TIMEOUT}. */
  readonly timeout?: number;
}

/** Creates what is needed for a fault in an empty directory. */
export interface Fault {
  readonly set: (directory: string) => Setup | Promise<Setup>;
  /** The message of the error. */
  readonly message: RegExp;
}

/** How long the pieces of an endless response are apart, in milliseconds. */
const PIECE_MS = 50;

/** Sends `start` after the first bytes of a request, and then `piece` until the client closes the connection. */
const respond =
  (start: string, piece = "") =>
  (socket: Socket): void => {
    socket.once("data", () => {
      socket.write(start);
      const timer = setInterval(() => socket.write(piece), PIECE_MS);
      socket.once("close", () => {
        clearInterval(timer);
      });
    });
  };

const toResponse = (body: string, length = body.length): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;

/** A response like that of a token server. Its token cannot be verified. */
const FOREIGN_TOKEN = JSON.stringify({ access_token: "x", token_type: "Bearer", job_id: "y", job: "y" });

const start = (onSocket: (socket: Socket) => void): Promise<number> =>
  listen({ after: after as TestContext["after"] }, createServer(onSocket));
/** The ports of servers, by their responses. */
export const PORTS = {
  "status 101": await start(respond("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")),
  "endless informational responses": await start(respond("", "HTTP/1.1 102 Processing\r\n\r\n")),
  "an endless body": await start(respond(toResponse("{", 99_999), " ")),
  "no response": await start(() => undefined),
  "a foreign token": await start(respond(toResponse(FOREIGN_TOKEN))),
};
const toOrigin = (name: keyof typeof PORTS): string => `http://127.0.0.1:${PORTS[name]}`;
/** An address in a message, as part of a regular expression. */
const ADDRESS = String.raw`127\.0\.0\.1:\d+`;

export const NETWORK: Readonly<Record<string, Fault>> = {
  "status 101": {
    set: () => ({ origin: toOrigin("status 101") }),
    message: RegExp(`${ADDRESS} responded with status 101`),
  },
  "endless informational responses": {
    set: () => ({ origin: toOrigin("endless informational responses") }),
    message: RegExp(`${ADDRESS} accepted the connection but did not respond within`),
  },
  "an endless body": {
    set: () => ({ origin: toOrigin("an endless body") }),
    message: RegExp(`the response from ${ADDRESS} was incomplete after`),
  },
  "a silent TLS handshake": {
    set: () => ({ origin: toOrigin("no response").replace("http:", "https:") }),
    message: RegExp(`${ADDRESS} works, but the TLS handshake did not complete within`),
  },
  ...(!isWindows && {
    "a silent name server": {
      set: (directory) => ({
        origin: `https://${TEST_HOST}`,
        env: { NODE_OPTIONS: preload("dns"), SILENT_FIFO: createFifo(directory) },
      }),
      message: /DNS lookup for auth\.scm\.test did not complete within/,
    },
  }),
};

function createFifo(directory: string): string {
  const path = join(directory, "a.json");
  execFileSync("mkfifo", [path]);
  return path;
}

export const FILES: Readonly<Record<string, Fault>> = {
  "a parent that is a file": {
    set: async (directory) => {
      await writeFile(join(directory, "file"), "");
      return { path: join(directory, "file", "a.json") };
    },
    message: /file.a\.json.* (not a directory|no such file|was removed)/,
  },
  ...(process.platform === "linux" && {
    // mkdir says that the parent does not exist, although it does. Node's recursive mkdir then never returns.
    "a directory that cannot be created": {
      set: () => ({ path: "/proc/nope/a.json" }),
      message: /\/proc\/nope\/a\.json.* (no such file|was removed)/,
    },
  }),
  // On Windows, FIFOs are not files.
  ...(!isWindows && {
    "a FIFO at the path": {
      set: (directory) => ({ path: createFifo(directory) }),
      message: /a\.json is not a regular file/,
    },
    "a silent file system": {
      set: (directory) => {
        const path = join(directory, "auth.json");
        return {
          path,
          env: { NODE_OPTIONS: preload("disk"), SILENT_PATH: path, SILENT_FIFO: createFifo(directory) },
        };
      },
      message:
        /auth\.json cannot be read: the file system does not respond|auth\.json.*cleanup did not finish within 10 s/,
    },
  }),
};
