/** Writes a diagnostic report during the first request. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  process.report.writeReport();
});
