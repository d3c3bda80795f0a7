/** Empties the event loop: connections never complete, and no timers keep the process alive. */
const { Socket } = require("node:net");

Socket.prototype.connect = function () {
  this.connecting = true;
  return this;
};

const { setTimeout: realSetTimeout } = globalThis;
globalThis.setTimeout = (...args) => realSetTimeout(...args).unref();
