/**
 * Replaces DNS lookups. Names under `.test` resolve to DNS_ADDRESSES (default: 127.0.0.1) after DNS_DELAY milliseconds.
 * `unknown.invalid` does not exist, and lookups of `busy.invalid` fail temporarily.
 *
 * If SILENT_FIFO is set, the name server does not respond: a thread of libuv's pool waits in a system call, here to open
 * this FIFO. Lookups fail after SILENT_MS milliseconds, or never if it is not set.
 */
const dns = require("node:dns");
const fs = require("node:fs");
const { isIP } = require("node:net");
const { setTimeout } = require("node:timers");

const CODES = { "unknown.invalid": "ENOTFOUND", "busy.invalid": "EAI_AGAIN" };
const addresses = (process.env.DNS_ADDRESSES ?? "127.0.0.1").split(",");
const delay = process.env.DNS_DELAY ?? "0";
const { lookup } = dns;

dns.lookup = (host, options, callback) => {
  const code = CODES[host];
  if (code === undefined && !host.endsWith(".test")) lookup(host, options, callback);
  else if (process.env.SILENT_FIFO) {
    fs.open(process.env.SILENT_FIFO, () => callback(Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" })));
    // Opening the other end completes the system call.
    if (process.env.SILENT_MS)
      setTimeout(() => fs.openSync(process.env.SILENT_FIFO, "r+"), Number(process.env.SILENT_MS)).unref();
  } else {
    setTimeout(() => {
      const found = addresses.map((address) => ({ address, family: isIP(address) }));
      if (code) callback(Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code, hostname: host }));
      else if (options.all) callback(null, found);
      else callback(null, found[0].address, found[0].family);
    }, Number(delay));
  }
};
