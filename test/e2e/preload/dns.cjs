/**
 * Replaces DNS lookups. Names under `.test` resolve to DNS_ADDRESSES (default: 127.0.0.1) after DNS_DELAY milliseconds,
 * or never if DNS_DELAY is `never`. `unknown.invalid` does not exist, and lookups of `busy.invalid` fail temporarily.
 */
const dns = require("node:dns");
const { isIP } = require("node:net");
const { setTimeout } = require("node:timers");

const CODES = { "unknown.invalid": "ENOTFOUND", "busy.invalid": "EAI_AGAIN" };
const addresses = (process.env.DNS_ADDRESSES ?? "127.0.0.1").split(",");
const delay = process.env.DNS_DELAY ?? "0";
const { lookup } = dns;

dns.lookup = (host, options, callback) => {
  const code = CODES[host];
  if (code === undefined && !host.endsWith(".test")) lookup(host, options, callback);
  else if (delay !== "never") {
    setTimeout(() => {
      const found = addresses.map((address) => ({ address, family: isIP(address) }));
      if (code) callback(Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code, hostname: host }));
      else if (options.all) callback(null, found);
      else callback(null, found[0].address, found[0].family);
    }, Number(delay));
  } else setTimeout(() => undefined, 60_000);
};
