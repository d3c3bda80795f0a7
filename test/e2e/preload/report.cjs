/** Something has node write a report about this process during the first request. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  process.report.writeReport();
});
