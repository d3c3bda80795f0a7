/** Memory runs out during the first request, which is a fatal error of Node. */
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  const items = [];
  for (;;) items.push({ index: items.length, text: `x${items.length}` });
});
