"use strict";
// The least that a sign-in can cost: TLS, the same POST and GET at once, RS256 by node:crypto. It checks nothing else
// and hides nothing.
const { createPublicKey, verify } = require("node:crypto");
const { request } = require("node:https");
const { createSecureContext, getCACertificates } = require("node:tls");

const ask = (url, method, secureContext, body) =>
  new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method, secureContext, headers, agent: false }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    sent.on("error", reject);
    sent.end(body);
  });

/**
 * Resolves to the token and its claims `exp` and `scope`. Trusts `ca`, if there is one, beside what node trusts; with
 * `found`, a token, it asks for none.
 */
exports.rawSignIn = async ({ clientId, clientSecret, tsgId, tokenUrl, jwksUrl, ca, found }) => {
  const secureContext = ca && createSecureContext({ ca: [...getCACertificates("default"), ca] });
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: `tsg_id:${tsgId}`,
  }).toString();
  const [{ access_token: token }, { keys }] = await Promise.all([
    found ? { access_token: found } : ask(tokenUrl, "POST", secureContext, form),
    ask(jwksUrl, "GET", secureContext),
  ]);
  const [header, payload, signature] = token.split(".");
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
  const key = createPublicKey({ key: keys.find((candidate) => candidate.kid === kid), format: "jwk" });
  if (!verify("RSA-SHA256", `${header}.${payload}`, key, Buffer.from(signature, "base64url")))
    throw new Error("not proved");
  const { exp, scope } = JSON.parse(Buffer.from(payload, "base64url").toString());
  return { token, exp, scope };
};
