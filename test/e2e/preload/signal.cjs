/** This process gets the signal `SENT_SIGNAL` while the first request is under way. */
const { setTimeout } = require("node:timers");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  setTimeout(() => process.kill(process.pid, process.env.SENT_SIGNAL), 50);
});
