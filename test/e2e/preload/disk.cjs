/**
 * Makes the file system stop responding when the file SILENT_PATH is examined: a thread of libuv's pool waits in a system
 * call, here to open SILENT_FIFO. The system call completes after SILENT_MS milliseconds, or never if it is not set.
 */
const fs = require("node:fs");
const { lstat, open } = fs.promises;
const { SILENT_PATH, SILENT_FIFO, SILENT_MS } = process.env;

fs.promises.lstat = async (path, ...options) => {
  if (path === SILENT_PATH) {
    // Opening the other end completes the system call.
    if (SILENT_MS) setTimeout(() => fs.openSync(SILENT_FIFO, "r+"), Number(SILENT_MS)).unref();
    await open(SILENT_FIFO);
  }
  return lstat(path, ...options);
};
