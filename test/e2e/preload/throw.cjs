/** Throws a value during the first request, or rejects with it if AS_REJECTION is set. THROWN selects the value. */
const { setImmediate } = require("node:timers");
const { onFirstRequest } = require("./first-request.cjs");

const secret = process.env["INPUT_CLIENT-SECRET"];

const VALUES = {
  error: () => new Error("boom"),
  "an error whose message contains the secret": () => new Error(`boom in ${secret}`),
  "an error whose message has several lines": () => new Error("boom\n::error::evil\n##[error]evil"),
  undefined: () => undefined,
  "object without a prototype": () => Object.create(null),
  "an error whose message getter throws": () =>
    Object.defineProperty(new Error("boom"), "message", {
      get() {
        throw new Error("another error");
      },
    }),
};

onFirstRequest(() => {
  const value = VALUES[process.env.THROWN]();
  setImmediate(() => {
    if (process.env.AS_REJECTION) Promise.reject(value);
    else throw value;
  });
});
