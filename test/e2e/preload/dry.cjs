/** Connections come to nothing, and no timer keeps the process alive: the event loop runs dry. */
const { Socket } = require("node:net");

Socket.prototype.connect = function () {
  this.connecting = true;
  return this;
};

const { setTimeout: realSetTimeout } = globalThis;
globalThis.setTimeout = (...args) => realSetTimeout(...args).unref();
