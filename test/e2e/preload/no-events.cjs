/** Connections never complete and no timer keeps the process alive, so that the event loop becomes empty. */
const { Socket } = require("node:net");

Socket.prototype.connect = function () {
  this.connecting = true;
  return this;
};

const { setTimeout: realSetTimeout } = globalThis;
globalThis.setTimeout = (...args) => realSetTimeout(...args).unref();
