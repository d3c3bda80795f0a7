/** Names under `.test` are on loopback, `unknown.invalid` does not exist, and no one answers for `busy.invalid`. */
const dns = require("node:dns");

const CODES = { "unknown.invalid": "ENOTFOUND", "busy.invalid": "EAI_AGAIN" };
const { lookup } = dns;

dns.lookup = (host, options, done) => {
  const code = CODES[host];
  if (code) process.nextTick(done, Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code, hostname: host }));
  else lookup(host.endsWith(".test") ? "127.0.0.1" : host, options, done);
};
