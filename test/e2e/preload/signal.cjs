/** Sends the signal named by SIGNAL to this process during the first request. */
const { setTimeout } = require("node:timers");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  setTimeout(() => process.kill(process.pid, process.env.SIGNAL), 50);
});
