/** Makes Node run out of memory, which is a fatal error, during the first request. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  const items = [];
  for (;;) items.push({ index: items.length, text: `x${items.length}` });
});
