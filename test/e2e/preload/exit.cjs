/** Something ends this process during the first request: by a code, or as what it has done so far deserves. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  if (process.env.EXIT_CODE === undefined) process.exit();
  process.exit(Number(process.env.EXIT_CODE));
});
