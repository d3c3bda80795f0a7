/** Memory runs out during the first request, which ends node by a fatal error. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  const kept = [];
  for (;;) kept.push({ at: kept.length, text: `x${kept.length}` });
});
