/** Something fails while the first request is under way: what, is said by `THROWS`. */
const { setImmediate } = require("node:timers");
const { onFirstRequest } = require("./first-request.cjs");

const secret = process.env["INPUT_CLIENT-SECRET"];

const THROWN = {
  error: () => new Error("boom"),
  "error with the secret": () => new Error(`boom in ${secret}`),
  "error with a stack of the secret's": () =>
    Object.assign(new Error("boom"), { stack: `Error: boom\n    at ${secret}` }),
  "error of several lines": () => new Error("boom\n::error::evil\n##[error]evil"),
  text: () => "boom",
  nothing: () => undefined,
  null: () => null,
  "object without a prototype": () => Object.create(null),
  "object that throws when it is read": () => ({
    toString() {
      throw new Error("worse");
    },
  }),
  "error that throws when it is read": () =>
    Object.defineProperty(new Error("boom"), "message", {
      get() {
        throw new Error("worse");
      },
    }),
};

onFirstRequest(() => {
  const thrown = THROWN[process.env.THROWS]();
  setImmediate(() => {
    if (process.env.AS_REJECTION) Promise.reject(thrown);
    else throw thrown;
  });
});
