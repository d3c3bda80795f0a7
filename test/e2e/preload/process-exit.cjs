/** Calls process.exit(EXIT_CODE) during the first request, or process.exit() if EXIT_CODE is not set. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  if (process.env.EXIT_CODE === undefined) process.exit();
  process.exit(Number(process.env.EXIT_CODE));
});
