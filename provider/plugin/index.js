"use strict";
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __name = (target, value) => __defProp(target, "name", { value, configurable: true });
var __esm = (fn, res, err) => function __init() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
  mod
));

// node_modules/jose/dist/webapi/util/errors.js
var JOSEError, JOSEAlgNotAllowed, JOSENotSupported, JWSInvalid, JWSSignatureVerificationFailed;
var init_errors = __esm({
  "node_modules/jose/dist/webapi/util/errors.js"() {
    JOSEError = class extends Error {
      static {
        __name(this, "JOSEError");
      }
      static code = "ERR_JOSE_GENERIC";
      code = "ERR_JOSE_GENERIC";
      constructor(message2, options) {
        super(message2, options), this.name = this.constructor.name, Error.captureStackTrace?.(this, this.constructor);
      }
    };
    JOSEAlgNotAllowed = class extends JOSEError {
      static {
        __name(this, "JOSEAlgNotAllowed");
      }
      static code = "ERR_JOSE_ALG_NOT_ALLOWED";
      code = "ERR_JOSE_ALG_NOT_ALLOWED";
    };
    JOSENotSupported = class extends JOSEError {
      static {
        __name(this, "JOSENotSupported");
      }
      static code = "ERR_JOSE_NOT_SUPPORTED";
      code = "ERR_JOSE_NOT_SUPPORTED";
    };
    JWSInvalid = class extends JOSEError {
      static {
        __name(this, "JWSInvalid");
      }
      static code = "ERR_JWS_INVALID";
      code = "ERR_JWS_INVALID";
    };
    JWSSignatureVerificationFailed = class extends JOSEError {
      static {
        __name(this, "JWSSignatureVerificationFailed");
      }
      static code = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
      code = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
      constructor(message2 = "signature verification failed", options) {
        super(message2, options);
      }
    };
  }
});

// node_modules/jose/dist/webapi/lib/key_descriptor.js
function table(entries) {
  const out = { __proto__: null };
  for (const alg in entries)
    out[alg] = { ...entries[alg], alg };
  return out;
}
var init_key_descriptor = __esm({
  "node_modules/jose/dist/webapi/lib/key_descriptor.js"() {
    __name(table, "table");
  }
});

// node_modules/jose/dist/webapi/lib/jws_algorithms.js
function hmac(bits) {
  const subtle = { name: "HMAC", hash: `SHA-${bits}` };
  return { kty: ["oct"], secret: true, subtle, signing: subtle, usages: sig };
}
function rsa(bits, saltLength) {
  const subtle = { name: saltLength ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: `SHA-${bits}` };
  return {
    kty: ["RSA"],
    subtle,
    signing: saltLength ? { ...subtle, saltLength } : subtle,
    usages: sig,
    minRsaBits: 2048
  };
}
function ecdsa(crv, bits) {
  return {
    kty: ["EC"],
    crv,
    subtle: { name: "ECDSA", namedCurve: crv },
    signing: { name: "ECDSA", hash: `SHA-${bits}` },
    usages: sig
  };
}
function eddsa() {
  const subtle = { name: "Ed25519" };
  return {
    kty: ["OKP"],
    crv: "Ed25519",
    subtle,
    signing: subtle,
    usages: sig
  };
}
function mldsa(parameterSet) {
  const subtle = { name: `ML-DSA-${parameterSet}` };
  return {
    kty: ["AKP"],
    subtle,
    signing: subtle,
    usages: sig
  };
}
function jwsAlgorithm(alg) {
  const entry = typeof alg == "string" ? JWS[alg] : void 0;
  if (!entry)
    throw new JOSENotSupported(`alg ${alg} is not supported either by JOSE or your javascript runtime`);
  return entry;
}
var sig, JWS;
var init_jws_algorithms = __esm({
  "node_modules/jose/dist/webapi/lib/jws_algorithms.js"() {
    init_errors();
    init_key_descriptor();
    sig = [["verify"], ["sign"]];
    __name(hmac, "hmac");
    __name(rsa, "rsa");
    __name(ecdsa, "ecdsa");
    __name(eddsa, "eddsa");
    __name(mldsa, "mldsa");
    JWS = table({
      HS256: hmac(256),
      HS384: hmac(384),
      HS512: hmac(512),
      RS256: rsa(256),
      RS384: rsa(384),
      RS512: rsa(512),
      PS256: rsa(256, 32),
      PS384: rsa(384, 48),
      PS512: rsa(512, 64),
      ES256: ecdsa("P-256", 256),
      ES384: ecdsa("P-384", 384),
      ES512: ecdsa("P-521", 512),
      EdDSA: eddsa(),
      Ed25519: eddsa(),
      "ML-DSA-44": mldsa(44),
      "ML-DSA-65": mldsa(65),
      "ML-DSA-87": mldsa(87)
    });
    __name(jwsAlgorithm, "jwsAlgorithm");
  }
});

// node_modules/jose/dist/webapi/lib/buffer_utils.js
function concat(...buffers) {
  const size = buffers.reduce((acc, { length }) => acc + length, 0), buf = new Uint8Array(size);
  let i = 0;
  for (const buffer of buffers)
    buf.set(buffer, i), i += buffer.length;
  return buf;
}
function encode2(string3) {
  if (typeof string3 == "string" && string3.length >= 128) {
    if (NON_ASCII.test(string3))
      throw new TypeError("non-ASCII string encountered in encode()");
    return encoder.encode(string3);
  }
  const bytes = new Uint8Array(string3.length);
  for (let i = 0; i < string3.length; i++) {
    const code = string3.charCodeAt(i);
    if (code > 127)
      throw new TypeError("non-ASCII string encountered in encode()");
    bytes[i] = code;
  }
  return bytes;
}
function decodeBase64(encoded, url = false) {
  if (Uint8Array.fromBase64)
    return Uint8Array.fromBase64(encoded, { alphabet: url ? "base64url" : "base64" });
  if (url) {
    if (encoded.includes("+") || encoded.includes("/"))
      throw new TypeError("Invalid base64url");
    encoded = encoded.replace(/-/g, "+").replace(/_/g, "/");
  }
  const binary = atob(encoded), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++)
    bytes[i] = binary.charCodeAt(i);
  return bytes;
}
var encoder, decoder, strictDecoder, UINT32_RANGE, NON_ASCII;
var init_buffer_utils = __esm({
  "node_modules/jose/dist/webapi/lib/buffer_utils.js"() {
    encoder = new TextEncoder();
    decoder = new TextDecoder();
    strictDecoder = new TextDecoder("utf-8", { fatal: true });
    UINT32_RANGE = 2 ** 32;
    __name(concat, "concat");
    NON_ASCII = /[^\x00-\x7f]/;
    __name(encode2, "encode");
    __name(decodeBase64, "decodeBase64");
  }
});

// node_modules/jose/dist/webapi/util/base64url.js
function decode2(input) {
  try {
    return decodeBase64(typeof input == "string" ? input : decoder.decode(input), true);
  } catch (cause) {
    throw new TypeError(invalid, { cause });
  }
}
var invalid;
var init_base64url = __esm({
  "node_modules/jose/dist/webapi/util/base64url.js"() {
    init_buffer_utils();
    invalid = "The input to be decoded is not correctly encoded.";
    __name(decode2, "decode");
  }
});

// node_modules/jose/dist/webapi/lib/validate.js
function isObject2(input) {
  if (typeof input != "object" || input === null || Object.prototype.toString.call(input) !== "[object Object]")
    return false;
  const prototype = Object.getPrototypeOf(input);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
function isDisjoint(...headers) {
  const parameters = /* @__PURE__ */ new Set();
  for (const header of headers)
    if (header)
      for (const parameter of Object.keys(header)) {
        if (parameters.has(parameter))
          return false;
        parameters.add(parameter);
      }
  return true;
}
function decodeBase64url(value, label, ErrorClass) {
  try {
    return decode2(value);
  } catch (cause) {
    throw new ErrorClass(`Failed to base64url decode the ${label}`, { cause });
  }
}
function encodeAsciiMember(value, label, ErrorClass) {
  try {
    return encode2(value);
  } catch (cause) {
    throw new ErrorClass(`The ${label} is not a valid base64url string`, { cause });
  }
}
function parseJoseHeader(encodedProtectedHeader, ErrorClass, message2) {
  let parsed;
  try {
    parsed = JSON.parse(strictDecoder.decode(decode2(encodedProtectedHeader)));
  } catch (cause) {
    throw new ErrorClass(message2, { cause });
  }
  if (!isObject2(parsed))
    throw new ErrorClass(message2);
  return parsed;
}
function validateAlgorithms(option, algorithms) {
  if (algorithms !== void 0 && (!Array.isArray(algorithms) || algorithms.some((s) => typeof s != "string")))
    throw new TypeError(`"${option}" option must be an array of strings`);
  return algorithms === void 0 ? void 0 : new Set(algorithms);
}
function validateCrit(Err, recognizedDefault, recognizedOption, protectedHeader, joseHeader) {
  if (joseHeader.crit !== void 0 && protectedHeader?.crit === void 0)
    throw new Err('"crit" (Critical) Header Parameter MUST be integrity protected');
  if (!protectedHeader || protectedHeader.crit === void 0)
    return [];
  if (!Array.isArray(protectedHeader.crit) || protectedHeader.crit.length === 0 || protectedHeader.crit.some((input) => typeof input != "string" || input.length === 0))
    throw new Err('"crit" (Critical) Header Parameter MUST be an array of non-empty strings when present');
  const recognized = recognizedOption === void 0 ? recognizedDefault : { __proto__: null, ...recognizedOption, ...recognizedDefault };
  for (const parameter of protectedHeader.crit) {
    if (!(parameter in recognized))
      throw new JOSENotSupported(`Extension Header Parameter "${parameter}" is not recognized`);
    if (!Object.hasOwn(joseHeader, parameter) || joseHeader[parameter] === void 0)
      throw new Err(`Extension Header Parameter "${parameter}" is missing`);
    if (recognized[parameter] && (!Object.hasOwn(protectedHeader, parameter) || protectedHeader[parameter] === void 0))
      throw new Err(`Extension Header Parameter "${parameter}" MUST be integrity protected`);
  }
  return protectedHeader.crit;
}
function validateB64(protectedHeader, extensions) {
  if (extensions.includes("b64")) {
    const b64 = protectedHeader.b64;
    if (typeof b64 != "boolean")
      throw new JWSInvalid('The "b64" (base64url-encode payload) Header Parameter must be a boolean');
    return b64;
  }
  return true;
}
var JWS_RECOGNIZED;
var init_validate = __esm({
  "node_modules/jose/dist/webapi/lib/validate.js"() {
    init_errors();
    init_base64url();
    init_buffer_utils();
    __name(isObject2, "isObject");
    __name(isDisjoint, "isDisjoint");
    __name(decodeBase64url, "decodeBase64url");
    __name(encodeAsciiMember, "encodeAsciiMember");
    __name(parseJoseHeader, "parseJoseHeader");
    JWS_RECOGNIZED = { __proto__: null, b64: true };
    __name(validateAlgorithms, "validateAlgorithms");
    __name(validateCrit, "validateCrit");
    __name(validateB64, "validateB64");
  }
});

// node_modules/jose/dist/webapi/lib/key.js
async function prepareKey(entry, key, usage) {
  const { alg, secret } = entry, requiresPrivateKey = usage === "decrypt" || usage === "sign";
  if (secret && key instanceof Uint8Array)
    return key;
  let normalized, keyObject;
  if (isObject2(key)) {
    if (normalized = normalizeJwk(key), typeof normalized.kty != "string")
      throw invalidKeyType(alg, key, secret);
    if (!(secret ? normalized.kty === "oct" && typeof normalized.k == "string" : normalized.kty !== "oct" && (requiresPrivateKey ? normalized.kty === "AKP" && typeof normalized.priv == "string" || typeof normalized.d == "string" : normalized.d === void 0 && normalized.priv === void 0)))
      throw new TypeError(secret ? 'JSON Web Key for symmetric algorithms must have JWK "kty" (Key Type) equal to "oct" and the JWK "k" (Key Value) present' : `JSON Web Key for this operation must be a ${requiresPrivateKey ? "private" : "public"} JWK`);
    if (jwkMatchesOp(entry, normalized, usage), normalized.kty === "oct")
      return decode2(normalized.k);
    if (!Object.isFrozen(key)) {
      const { key_ops } = key;
      Array.isArray(key_ops) && Object.freeze(key_ops), Object.freeze(key);
    }
  } else {
    if (!isKeyLike(key))
      throw invalidKeyType(alg, key, secret);
    const expectedType = secret ? "secret" : requiresPrivateKey ? "private" : "public";
    if (key.type !== expectedType && (secret || ["secret", "public", "private"].includes(key.type)))
      throw new TypeError(`${tag(key)} instances must be of type "${expectedType}" for the ${alg} algorithm`);
    if (isCryptoKey(key))
      return key;
    if (keyObject = key, keyObject.type === "secret")
      return keyObject.export();
  }
  cache ||= /* @__PURE__ */ new WeakMap();
  const cacheKey = key;
  let cached2 = cache.get(cacheKey);
  if (cached2?.[alg])
    return cached2[alg];
  if (cached2 || cache.set(cacheKey, cached2 = {}), keyObject && typeof keyObject.toCryptoKey == "function") {
    const isPublic = keyObject.type === "public", crv = nist[keyObject.asymmetricKeyDetails?.namedCurve], params = entry.resolve?.({ crv, asymmetricKeyType: keyObject.asymmetricKeyType }) ?? entry.subtle;
    return cached2[alg] = keyObject.toCryptoKey(params, isPublic, entry.usages[isPublic ? 0 : 1]);
  }
  return normalized ??= keyObject.export({ format: "jwk" }), normalized.alg = alg, cached2[alg] = await jwkToKey(entry, normalized);
}
function message(msg, actual, ...types) {
  if (types.length > 2) {
    const last = types.pop();
    msg += `one of type ${types.join(", ")}, or ${last}.`;
  } else types.length === 2 ? msg += `one of type ${types[0]} or ${types[1]}.` : msg += `of type ${types[0]}.`;
  return actual == null ? msg += ` Received ${actual}` : typeof actual == "function" && actual.name ? msg += ` Received function ${actual.name}` : typeof actual == "object" && actual != null && actual.constructor?.name && (msg += ` Received an instance of ${actual.constructor.name}`), msg;
}
function invalidKeyType(alg, actual, secret) {
  const types = ["CryptoKey", "KeyObject", "JSON Web Key"];
  return secret && types.push("Uint8Array"), new TypeError(message(`Key for the ${alg} algorithm must be `, actual, ...types));
}
function checkUsage(key, usage) {
  if (usage && !key.usages.includes(usage))
    throw new TypeError(`CryptoKey does not support this operation, its usages must include ${usage}.`);
}
function checkModulusLength(alg, key) {
  const { modulusLength } = key.algorithm;
  if (typeof modulusLength != "number" || modulusLength < 2048)
    throw new TypeError(`${alg} requires key modulusLength to be 2048 bits or larger`);
}
function checkCryptoKey(key, expected, usage) {
  const algorithm = key.algorithm;
  if (algorithm.name !== expected.name)
    throw unusable(expected.name);
  if (expected.hash && algorithm.hash?.name !== expected.hash)
    throw unusable(expected.hash, "algorithm.hash");
  if (expected.namedCurve && algorithm.namedCurve !== expected.namedCurve)
    throw unusable(expected.namedCurve, "algorithm.namedCurve");
  if (expected.length !== void 0 && algorithm.length !== expected.length)
    throw unusable(expected.length, "algorithm.length");
  checkUsage(key, usage);
}
function snapshotJwk(jwk) {
  return { __proto__: null, ...jwk };
}
function normalizeJwk(jwk) {
  const normalized = snapshotJwk(jwk);
  if (normalized.ext !== void 0 && typeof normalized.ext != "boolean")
    throw new TypeError('"ext" (Extractable) Parameter must be a boolean');
  if (normalized.key_ops !== void 0) {
    const value = normalized.key_ops, keyOps = Array.isArray(value) ? [...value] : void 0;
    if (!keyOps || keyOps.some((operation) => typeof operation != "string") || new Set(keyOps).size !== keyOps.length)
      throw new TypeError('"key_ops" (Key Operations) Parameter must be an array of unique strings');
    normalized.key_ops = keyOps;
  }
  return normalized;
}
async function jwkToKey(entry, jwk, extractable) {
  if (!entry.kty.includes(jwk.kty))
    throw new JOSENotSupported('Invalid or unsupported JWK "alg" (Algorithm) Parameter value');
  const algorithm = entry.resolve?.({ kty: jwk.kty, crv: jwk.crv }) ?? entry.subtle, isPrivate2 = !!(jwk.d || jwk.priv), keyData = { ...jwk, ext: extractable ?? jwk.ext };
  return keyData.kty !== "AKP" && delete keyData.alg, delete keyData.use, crypto.subtle.importKey("jwk", keyData, algorithm, keyData.ext ?? !isPrivate2, jwk.key_ops ?? entry.usages[isPrivate2 ? 1 : 0]);
}
async function rawKey(key, expected, usage, extractable = false) {
  return key instanceof Uint8Array && (key = await crypto.subtle.importKey("raw", key, expected, extractable, [usage])), checkCryptoKey(key, expected, usage), key;
}
var tag, jwkMatchesOp, cache, nist, isCryptoKey, isKeyObject, isKeyLike, unusable;
var init_key = __esm({
  "node_modules/jose/dist/webapi/lib/key.js"() {
    init_validate();
    init_base64url();
    init_errors();
    tag = /* @__PURE__ */ __name((key) => key[Symbol.toStringTag], "tag");
    jwkMatchesOp = /* @__PURE__ */ __name((entry, key, usage) => {
      const { alg } = entry;
      if (key.use !== void 0) {
        const expected = usage === "sign" || usage === "verify" ? "sig" : "enc";
        if (key.use !== expected)
          throw new TypeError(`Invalid key for this operation, its "use" must be "${expected}" when present`);
      }
      if (key.kty === "AKP" && key.alg === void 0)
        throw new TypeError('missing "alg" (Algorithm) Parameter value');
      if (key.alg !== void 0 && key.alg !== alg)
        throw new TypeError(`Invalid key for this operation, its "alg" must be "${alg}" when present`);
      if (Array.isArray(key.key_ops)) {
        const expectedKeyOp = usage === "encrypt" || usage === "decrypt" ? entry.ops?.[usage === "encrypt" ? 0 : 1] : usage;
        if (expectedKeyOp && !key.key_ops.includes(expectedKeyOp))
          throw new TypeError(`Invalid key for this operation, its "key_ops" must include "${expectedKeyOp}" when present`);
      }
    }, "jwkMatchesOp");
    __name(prepareKey, "prepareKey");
    nist = {
      __proto__: null,
      prime256v1: "P-256",
      secp384r1: "P-384",
      secp521r1: "P-521"
    };
    isCryptoKey = /* @__PURE__ */ __name((key) => {
      if (key?.[Symbol.toStringTag] === "CryptoKey")
        return true;
      try {
        return key instanceof CryptoKey;
      } catch {
        return false;
      }
    }, "isCryptoKey");
    isKeyObject = /* @__PURE__ */ __name((key) => key?.[Symbol.toStringTag] === "KeyObject", "isKeyObject");
    isKeyLike = /* @__PURE__ */ __name((key) => isCryptoKey(key) || isKeyObject(key), "isKeyLike");
    __name(message, "message");
    __name(invalidKeyType, "invalidKeyType");
    unusable = /* @__PURE__ */ __name((name, prop = "algorithm.name") => new TypeError(`CryptoKey does not support this operation, its ${prop} must be ${name}`), "unusable");
    __name(checkUsage, "checkUsage");
    __name(checkModulusLength, "checkModulusLength");
    __name(checkCryptoKey, "checkCryptoKey");
    __name(snapshotJwk, "snapshotJwk");
    __name(normalizeJwk, "normalizeJwk");
    __name(jwkToKey, "jwkToKey");
    __name(rawKey, "rawKey");
  }
});

// node_modules/jose/dist/webapi/lib/jws_verify.js
function prepareVerify(options) {
  return [options && validateAlgorithms("algorithms", options.algorithms), options?.crit];
}
function parseProtectedHeader(encodedProtectedHeader) {
  return encodedProtectedHeader === void 0 ? {} : parseJoseHeader(encodedProtectedHeader, JWSInvalid, "JWS Protected Header is invalid");
}
function encodeCompactUnencodedPayload(payload) {
  try {
    return encode2(payload);
  } catch (cause) {
    throw new JWSInvalid("JWS Compact Serialization payload must use only ASCII characters", {
      cause
    });
  }
}
async function verifySignature(jws, shared, key, encodeUnencodedPayload, parsedProtected) {
  const { protected: encodedProtectedHeader, header, payload: inputPayload } = jws, protectedHeader = parsedProtected ?? parseProtectedHeader(encodedProtectedHeader);
  if (!isDisjoint(protectedHeader, header))
    throw new JWSInvalid("JWS Protected and JWS Unprotected Header Parameter names must be disjoint");
  const joseHeader = { ...protectedHeader, ...header }, b64 = validateB64(protectedHeader, validateCrit(JWSInvalid, JWS_RECOGNIZED, shared[1], protectedHeader, joseHeader)), { alg } = joseHeader;
  if (typeof alg != "string" || !alg)
    throw new JWSInvalid('JWS "alg" (Algorithm) Header Parameter missing or invalid');
  if (shared[0] && !shared[0].has(alg))
    throw new JOSEAlgNotAllowed('"alg" (Algorithm) Header Parameter value not allowed');
  if (b64) {
    if (typeof inputPayload != "string")
      throw new JWSInvalid("JWS Payload must be a string");
  } else if (typeof inputPayload != "string" && !(inputPayload instanceof Uint8Array))
    throw new JWSInvalid("JWS Payload must be a string or an Uint8Array instance");
  const signingPayload = b64 || typeof inputPayload != "string" ? inputPayload : encodeUnencodedPayload(inputPayload);
  let resolvedKey = false;
  typeof key == "function" && (key = await key(protectedHeader, jws), resolvedKey = true);
  const entry = jwsAlgorithm(alg), signingInput = concat(encodedProtectedHeader !== void 0 ? encode2(encodedProtectedHeader) : new Uint8Array(), encode2("."), typeof signingPayload == "string" ? shared[2] ??= encodeAsciiMember(signingPayload, "payload", JWSInvalid) : signingPayload), signature = decodeBase64url(jws.signature, "signature", JWSInvalid), verificationKey = await prepareKey(entry, key, "verify"), cryptoKey = await rawKey(verificationKey, entry.subtle, "verify");
  entry.minRsaBits && checkModulusLength(entry.alg, cryptoKey);
  let verified = false;
  try {
    verified = await crypto.subtle.verify(entry.signing, cryptoKey, signature, signingInput);
  } catch (cause) {
    throw new JWSSignatureVerificationFailed(void 0, { cause });
  }
  if (!verified)
    throw new JWSSignatureVerificationFailed();
  const result = { payload: typeof signingPayload == "string" ? decodeBase64url(signingPayload, "payload", JWSInvalid) : signingPayload };
  return encodedProtectedHeader !== void 0 && (result.protectedHeader = protectedHeader), header !== void 0 && (result.unprotectedHeader = header), resolvedKey ? [{ ...result, key: verificationKey }, b64] : [result, b64];
}
async function verifyCompact(jws, shared, key) {
  if (jws instanceof Uint8Array && (jws = decoder.decode(jws)), typeof jws != "string")
    throw new JWSInvalid("Compact JWS must be a string or Uint8Array");
  const { 0: protectedHeader, 1: payload, 2: signature, length } = jws.split(".");
  if (length !== 3)
    throw new JWSInvalid("Invalid Compact JWS");
  return verifySignature({ payload, protected: protectedHeader, signature }, shared, key, encodeCompactUnencodedPayload);
}
var init_jws_verify = __esm({
  "node_modules/jose/dist/webapi/lib/jws_verify.js"() {
    init_jws_algorithms();
    init_errors();
    init_buffer_utils();
    init_validate();
    init_key();
    __name(prepareVerify, "prepareVerify");
    __name(parseProtectedHeader, "parseProtectedHeader");
    __name(encodeCompactUnencodedPayload, "encodeCompactUnencodedPayload");
    __name(verifySignature, "verifySignature");
    __name(verifyCompact, "verifyCompact");
  }
});

// node_modules/jose/dist/webapi/jws/compact/verify.js
async function compactVerify(jws, key, options) {
  const [result] = await verifyCompact(jws, prepareVerify(options), key);
  return result;
}
var init_verify = __esm({
  "node_modules/jose/dist/webapi/jws/compact/verify.js"() {
    init_jws_verify();
    __name(compactVerify, "compactVerify");
  }
});

// shared/jws.ts
var jws_exports = {};
__export(jws_exports, {
  isSignedBy: () => isSignedBy
});
async function isSignedBy(token, { kty, n, e }) {
  try {
    await compactVerify(token, { kty, n, e, alg: ALGORITHM }, { algorithms: [ALGORITHM] });
    return true;
  } catch {
    return false;
  }
}
var ALGORITHM;
var init_jws = __esm({
  "shared/jws.ts"() {
    "use strict";
    init_verify();
    ALGORITHM = "RS256";
    __name(isSignedBy, "isSignedBy");
  }
});

// provider/plugin-host/main.ts
var import_node_fs3 = require("node:fs");
var import_node_path8 = require("node:path");
var import_provider = require("@pulumi/pulumi/provider/index.js");

// shared/inspect.ts
var import_node_util = require("node:util");
function defineInspect(prototype, format) {
  Object.defineProperty(prototype, import_node_util.inspect.custom, {
    value() {
      return format(this);
    }
  });
}
__name(defineInspect, "defineInspect");

// shared/scope.ts
var SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
var TSG_SCOPE = /^tsg_id:(\d+)$/;
var parseScope = /* @__PURE__ */ __name((scope) => [
  ...new Set(scope.split(" ").filter((token) => token !== ""))
], "parseScope");
var normalizeScope = /* @__PURE__ */ __name((scope) => [...parseScope(scope)].sort().join(" "), "normalizeScope");
var filterScopeTokens = /* @__PURE__ */ __name((tokens) => tokens.filter((token) => SCOPE_TOKEN.test(token)), "filterScopeTokens");
var invalidScopeTokens = /* @__PURE__ */ __name((tokens) => tokens.filter((token) => !SCOPE_TOKEN.test(token) || /^tsg_id(:|$)/.test(token) && !TSG_SCOPE.test(token)), "invalidScopeTokens");
var getTsgIds = /* @__PURE__ */ __name((tokens) => [
  ...new Set(tokens.flatMap((token) => TSG_SCOPE.exec(token)?.[1] ?? []))
], "getTsgIds");
var tsgScope = /* @__PURE__ */ __name((tsgId) => `tsg_id:${tsgId}`, "tsgScope");

// shared/access-token.ts
var AccessToken = class {
  static {
    __name(this, "AccessToken");
  }
  /** The expiration time; undefined if neither the token nor the server specifies it. */
  expiresAt;
  /** The total lifetime, from the token or the server, whichever is shorter; undefined if neither specifies it. */
  lifetime;
  /** The granted scope-tokens, separated by spaces. */
  scope;
  /**
   * The TSG ID in the requested scope or, if it has none, in the granted scope; undefined unless there is exactly one.
   */
  tsgId;
  /** The key that verified the signature; undefined if the signature was not verified. */
  signingKey;
  #value;
  #deadline;
  constructor(value, props) {
    this.#value = value;
    this.#deadline = props.deadline;
    this.expiresAt = props.expiresAt;
    this.lifetime = props.lifetime;
    this.scope = props.scope.join(" ");
    this.tsgId = single(props.tsgIds) ?? single(getTsgIds(props.scope));
    this.signingKey = props.signingKey;
  }
  /** The string to send as `Authorization: Bearer <value>` (RFC 6750 section 2.1). */
  get value() {
    return this.#value;
  }
  /** The time until the token expires, negative once it has expired; undefined if the lifetime is unknown. */
  remaining(clock) {
    return this.#deadline === void 0 ? void 0 : this.#deadline - clock.elapsed();
  }
};
defineInspect(
  AccessToken.prototype,
  (token) => `AccessToken { ${token.scope}, expires ${token.expiresAt?.toISOString() ?? "unknown"} }`
);
var single = /* @__PURE__ */ __name((ids) => ids.length === 1 ? ids[0] : void 0, "single");
var DEFAULT_MIN_TTL = 3e5;
var DEFAULT_MIN_TTL_RATIO = 1 / 3;
var getMinRemaining = /* @__PURE__ */ __name((minTtl2, lifetime) => minTtl2 === void 0 ? Math.min(DEFAULT_MIN_TTL, lifetime * DEFAULT_MIN_TTL_RATIO) : minTtl2 * 1e3, "getMinRemaining");
function hasMinRemaining(token, minTtl2, clock) {
  const remaining = token.remaining(clock);
  if (remaining === void 0 || token.lifetime === void 0) return false;
  return remaining > 0 && remaining >= getMinRemaining(minTtl2, token.lifetime);
}
__name(hasMinRemaining, "hasMinRemaining");

// shared/auth-file/ensure-auth-file.ts
var import_promises5 = require("node:fs/promises");
var import_node_path4 = require("node:path");

// shared/ca-certificates.ts
var import_node_crypto = require("node:crypto");
var import_node_fs = require("node:fs");
var BEGIN = "-----BEGIN CERTIFICATE-----";
var END = "-----END CERTIFICATE-----";
var MAX_BYTES = 16e6;
var BASE64 = /^[A-Za-z0-9+/=\s]+$/;
var PEM_HINT = `Use one or more certificates in PEM format, each from ${BEGIN} to ${END}.`;
function parseCertificates(text2) {
  const unescaped = decodeBase64Pem(text2).replace(/(?<!\\)(\\+r)?\\+n/g, "\n");
  const blocks = unescaped.split(BEGIN).slice(1);
  const fail = /* @__PURE__ */ __name((message2) => ({ reason: { message: message2, hint: PEM_HINT } }), "fail");
  if (blocks.length === 0) {
    const bare = readCertificate(unescaped);
    return bare === void 0 ? fail(describeOther(unescaped)) : { pem: bare };
  }
  if (unescaped.split(END).length - 1 > blocks.length) return fail(`contains ${END} without ${BEGIN}`);
  const certificates = [];
  for (const [index, block] of blocks.entries()) {
    const name = `certificate ${index + 1} of ${blocks.length}`;
    const end = block.indexOf(END);
    if (end === -1) return fail(`is truncated: ${name} has no ${END}`);
    const pem = readCertificate(block.slice(0, end));
    if (pem === void 0) return fail(`contains an invalid certificate: ${name} cannot be read`);
    certificates.push(pem);
  }
  return { pem: certificates.join("\n") };
}
__name(parseCertificates, "parseCertificates");
function readCaCertificates(value, baseDescription) {
  if (typeof value !== "string" || value.trim() === "") return { pem: value };
  const text2 = value.trim();
  const isData = decodeBase64Pem(text2).includes("-----BEGIN") || readCertificate(text2) !== void 0;
  const { pem, reason } = isData ? parseCertificates(text2) : readCertificateFile(text2, baseDescription);
  return reason === void 0 ? { pem } : { issue: { field: "ca", ...reason } };
}
__name(readCaCertificates, "readCaCertificates");
function readCertificateFile(path2, baseDescription) {
  const { bytes, size } = readRegularFile(path2);
  if (size > MAX_BYTES)
    return { reason: { message: `is the path of a file with more than ${MAX_BYTES} bytes`, hint: PEM_HINT } };
  if (bytes === void 0) {
    const hint = `Use certificates in PEM format (${BEGIN} ...) or a path relative to ${baseDescription}, without quotes.`;
    return { reason: { message: "is neither PEM data nor a readable file", hint } };
  }
  const isDer = bytes[0] === 48 && bytes[1] === 130;
  const isUtf16 = bytes[0] === 255 && bytes[1] === 254;
  const text2 = bytes.toString(isDer ? "base64" : isUtf16 ? "utf16le" : "utf8");
  if (text2.trim() === "") return { reason: { message: "is the path of an empty file", hint: PEM_HINT } };
  return parseCertificates(text2);
}
__name(readCertificateFile, "readCertificateFile");
function describeOther(text2) {
  const [, label] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text2) ?? [];
  return label === void 0 ? "contains no certificate" : `contains no certificate, but ${label} data`;
}
__name(describeOther, "describeOther");
function readRegularFile(path2) {
  try {
    const stats = (0, import_node_fs.statSync)(path2);
    const size = stats.isFile() ? stats.size : 0;
    return stats.isFile() && size <= MAX_BYTES ? { bytes: (0, import_node_fs.readFileSync)(path2), size } : { size };
  } catch {
    return { size: 0 };
  }
}
__name(readRegularFile, "readRegularFile");
function decodeBase64Pem(text2) {
  if (!BASE64.test(text2)) return text2;
  const decoded = Buffer.from(text2, "base64").toString();
  return decoded.includes("-----BEGIN") ? decoded : text2;
}
__name(decodeBase64Pem, "decodeBase64Pem");
function readCertificate(base64) {
  if (!BASE64.test(base64)) return void 0;
  try {
    return new import_node_crypto.X509Certificate(Buffer.from(base64, "base64")).toString().trim();
  } catch {
    return void 0;
  }
}
__name(readCertificate, "readCertificate");

// shared/http/tls.ts
var import_node_fs2 = require("node:fs");
var import_node_tls = __toESM(require("node:tls"), 1);
var LOOPBACK_HOST = /^(localhost|127(\.\d+){3}|\[::1\])$/;
var isLoopback = /* @__PURE__ */ __name(({ hostname }) => LOOPBACK_HOST.test(hostname), "isLoopback");
var isHttpsOrLoopback = /* @__PURE__ */ __name((url) => url.protocol === "https:" || url.protocol === "http:" && isLoopback(url), "isHttpsOrLoopback");
var contexts = /* @__PURE__ */ new Map();
function createSecureContext(ca, roots = defaultCACertificates()) {
  if (ca === void 0) return void 0;
  const key = [...roots, ca].join("\n");
  const context = contexts.get(key) ?? import_node_tls.default.createSecureContext({ ca: [...roots, ca] });
  contexts.set(key, context);
  return context;
}
__name(createSecureContext, "createSecureContext");
function defaultCACertificates() {
  if ("getCACertificates" in import_node_tls.default) return import_node_tls.default.getCACertificates("default");
  const { rootCertificates } = import_node_tls.default;
  const path2 = process.env["NODE_EXTRA_CA_CERTS"];
  if (!path2) return rootCertificates;
  try {
    return [...rootCertificates, (0, import_node_fs2.readFileSync)(path2, "utf8")];
  } catch {
    return rootCertificates;
  }
}
__name(defaultCACertificates, "defaultCACertificates");

// node_modules/zod/v4/core/util.js
function jsonStringifyReplacer(_, value) {
  if (typeof value === "bigint")
    return value.toString();
  return value;
}
__name(jsonStringifyReplacer, "jsonStringifyReplacer");
var Cached = class {
  static {
    __name(this, "Cached");
  }
  constructor(getter) {
    this._getter = getter;
    this._value = void 0;
  }
  get value() {
    const getter = this._getter;
    if (getter !== void 0) {
      this._value = getter();
      this._getter = void 0;
    }
    return this._value;
  }
};
function cached(getter) {
  return new Cached(getter);
}
__name(cached, "cached");
function nullish(input) {
  return input === null || input === void 0;
}
__name(nullish, "nullish");
function cleanRegex(source) {
  const start = source.startsWith("^") ? 1 : 0;
  const end = source.endsWith("$") ? source.length - 1 : source.length;
  return source.slice(start, end);
}
__name(cleanRegex, "cleanRegex");
function assignProp(target, prop, value) {
  Object.defineProperty(target, prop, {
    value,
    writable: true,
    enumerable: true,
    configurable: true
  });
}
__name(assignProp, "assignProp");
var captureStackTrace = "captureStackTrace" in Error ? Error.captureStackTrace : (..._args) => {
};
function isObject(data) {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
__name(isObject, "isObject");
function escapeRegex(str) {
  return str.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
__name(escapeRegex, "escapeRegex");
function clone(inst, def, params) {
  const cl = new inst._zod.constr(def ?? inst._zod.def);
  if (!def || params?.parent)
    cl._zod.parent = inst;
  return cl;
}
__name(clone, "clone");
function normalizeParams(_params) {
  const params = _params;
  if (!params)
    return {};
  if (typeof params === "string")
    return { error: /* @__PURE__ */ __name(() => params, "error") };
  if (params?.message !== void 0) {
    if (params?.error !== void 0)
      throw new Error("Cannot specify both `message` and `error` params");
    params.error = params.message;
  }
  delete params.message;
  if (typeof params.error === "string")
    return { ...params, error: /* @__PURE__ */ __name(() => params.error, "error") };
  return params;
}
__name(normalizeParams, "normalizeParams");
function optionalKeys(shape) {
  return Object.keys(shape).filter((k) => {
    return shape[k]._zod.optin !== void 0 && shape[k]._zod.optout === "optional";
  });
}
__name(optionalKeys, "optionalKeys");
var NUMBER_FORMAT_RANGES = /* @__PURE__ */ (() => ({
  safeint: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
  float32: [-34028234663852886e22, 34028234663852886e22],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE]
}))();
function aborted(x, startIndex = 0) {
  if (x.aborted === true)
    return true;
  for (let i = startIndex; i < x.issues.length; i++) {
    if (x.issues[i]?.continue !== true) {
      return true;
    }
  }
  return false;
}
__name(aborted, "aborted");
function explicitlyAborted(x, startIndex = 0) {
  if (x.aborted === true)
    return true;
  for (let i = startIndex; i < x.issues.length; i++) {
    if (x.issues[i]?.continue === false) {
      return true;
    }
  }
  return false;
}
__name(explicitlyAborted, "explicitlyAborted");
function prefixIssues(path2, issues) {
  return issues.map((iss) => {
    var _a2;
    (_a2 = iss).path ?? (_a2.path = []);
    iss.path.unshift(path2);
    return iss;
  });
}
__name(prefixIssues, "prefixIssues");
function unwrapMessage(message2) {
  return typeof message2 === "string" ? message2 : message2?.message;
}
__name(unwrapMessage, "unwrapMessage");
function sizeCaps(defChecks) {
  const caps = [];
  for (const ch of defChecks ?? []) {
    const d = ch._zod.def;
    if (!/_(length|size)$|_equals$/.test(d.check))
      break;
    const max = d.maximum ?? d.length ?? d.size;
    if (max >= 0)
      caps.push([max, ch]);
  }
  return caps;
}
__name(sizeCaps, "sizeCaps");
function attachSchema(issues, start, inst) {
  var _a2;
  for (let i = start; i < issues.length; i++) {
    (_a2 = issues[i]).schema ?? (_a2.schema = inst);
  }
}
__name(attachSchema, "attachSchema");
function finalizeIssue(iss, ctx, config2) {
  var _a2;
  const traits = iss.inst?._zod?.traits;
  if (traits?.has("$ZodType")) {
    if (traits.has("$ZodCheck"))
      (_a2 = iss).schema ?? (_a2.schema = iss.inst);
    else
      iss.schema = iss.inst;
  }
  const schemaError = iss.schema !== iss.inst ? iss.schema?._zod.def?.error : void 0;
  const message2 = iss.message ? iss.message : unwrapMessage(iss.inst?._zod.def?.error?.(iss)) ?? unwrapMessage(schemaError?.(iss)) ?? unwrapMessage(ctx?.error?.(iss)) ?? unwrapMessage(config2.customError?.(iss)) ?? unwrapMessage(config2.localeError?.(iss)) ?? "Invalid input";
  const full = {};
  for (const k of Object.keys(iss)) {
    if (k === "inst" || k === "schema" || k === "continue" || k === "input" || k === "__proto__")
      continue;
    full[k] = iss[k];
  }
  full.path ?? (full.path = []);
  full.message = message2;
  if (ctx?.reportInput) {
    full.input = iss.input;
  }
  return full;
}
__name(finalizeIssue, "finalizeIssue");
var highSurrogate = /[\uD800-\uDBFF]/;
function codePointLength(str) {
  const units = str.length;
  if (!highSurrogate.test(str))
    return units;
  let count = units;
  for (let i = 0; i < units - 1; i++) {
    if ((str.charCodeAt(i) & 64512) === 55296 && (str.charCodeAt(i + 1) & 64512) === 56320) {
      count--;
      i++;
    }
  }
  return count;
}
__name(codePointLength, "codePointLength");
function getLengthableOrigin(input) {
  if (Array.isArray(input))
    return "array";
  if (typeof input === "string")
    return "string";
  return "unknown";
}
__name(getLengthableOrigin, "getLengthableOrigin");
function issue(...args) {
  const [iss, input, inst] = args;
  if (typeof iss === "string") {
    return {
      message: iss,
      code: "custom",
      input,
      inst
    };
  }
  return { ...iss };
}
__name(issue, "issue");
function members(proto, table2) {
  for (const key in table2) {
    const desc = Object.getOwnPropertyDescriptor(table2, key);
    if (desc.get)
      Object.defineProperty(proto, key, { ...desc, enumerable: false });
    else
      defineBound(proto, key, desc.value);
  }
}
__name(members, "members");
function own(inst, key, value, enumerable = true) {
  Object.defineProperty(inst, key, { configurable: true, writable: true, enumerable, value });
  return value;
}
__name(own, "own");
function hide(inst, key, value) {
  return own(inst, key, value, false);
}
__name(hide, "hide");
function defineBound(proto, key, fn) {
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      return this == null ? fn : own(this, key, fn.bind(this));
    },
    set(value) {
      own(this, key, value);
    }
  });
}
__name(defineBound, "defineBound");
function claim(inst, sentinel) {
  const proto = Object.getPrototypeOf(inst);
  return sentinel in proto ? void 0 : proto;
}
__name(claim, "claim");
var installing;
var broke = false;
var breaker = {
  configurable: true,
  get() {
    broke = true;
    return void 0;
  }
};
function defineLazyInternal(inst, key, compute) {
  const proto = Object.getPrototypeOf(inst._zod);
  if (key in proto && installing !== inst._zod) {
    installing = void 0;
    return;
  }
  installing = inst._zod;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      Object.defineProperty(this, key, breaker);
      const outer = broke;
      broke = false;
      try {
        const value = compute(this);
        if (broke)
          delete this[key];
        else
          Object.defineProperty(this, key, { configurable: true, writable: true, value });
        broke = broke || outer;
        return value;
      } catch (err) {
        delete this[key];
        broke = broke || outer;
        throw err;
      }
    },
    set(value) {
      Object.defineProperty(this, key, { configurable: true, writable: true, value });
    }
  });
}
__name(defineLazyInternal, "defineLazyInternal");
function installLazyProp(inst, key, make, enumerable) {
  const proto = claim(inst, key);
  if (!proto)
    return;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      const desc = { configurable: true, writable: true, enumerable, value: void 0 };
      Object.defineProperty(this, key, desc);
      desc.value = make(this);
      Object.defineProperty(this, key, desc);
      return desc.value;
    },
    set(value) {
      Object.defineProperty(this, key, { configurable: true, writable: true, enumerable, value });
    }
  });
}
__name(installLazyProp, "installLazyProp");

// node_modules/zod/v4/core/core.js
var _a;
var _zodDesc = { value: void 0, enumerable: false };
var _E = "captureStackTrace" in Error ? Error : null;
function newError(Definition) {
  const E = _E;
  if (E) {
    const saved = E.stackTraceLimit;
    if (typeof saved === "number") {
      try {
        E.stackTraceLimit = 0;
      } catch {
        _E = null;
        return new Definition();
      }
      try {
        return new Definition();
      } finally {
        E.stackTraceLimit = saved;
      }
    }
  }
  return new Definition();
}
__name(newError, "newError");
// @__NO_SIDE_EFFECTS__
function $constructor(name, initializer2, proto, params) {
  const zodProto = {};
  function Internals(def) {
    this.def = def;
    this.constr = _;
    this.traits = /* @__PURE__ */ new Set();
  }
  __name(Internals, "Internals");
  Internals.prototype = zodProto;
  const protoMembers = proto;
  const initialized = protoMembers && /* @__PURE__ */ new WeakSet();
  function init(inst, def) {
    if (!inst._zod) {
      _zodDesc.value = new Internals(def);
      try {
        Object.defineProperty(inst, "_zod", _zodDesc);
      } finally {
        _zodDesc.value = void 0;
      }
    } else if (inst._zod.traits.has(name)) {
      return;
    }
    inst._zod.traits.add(name);
    initializer2(inst, def);
    if (initialized) {
      const own2 = Object.getPrototypeOf(inst);
      const ctorProto = inst._zod.constr.prototype;
      let up = own2;
      while (up && up !== ctorProto)
        up = Object.getPrototypeOf(up);
      const target = up ?? own2;
      if (!initialized.has(target)) {
        initialized.add(target);
        members(target, protoMembers);
      }
    }
    const proto2 = _.prototype;
    for (const k in proto2) {
      if (!Object.prototype.hasOwnProperty.call(proto2, k))
        continue;
      if (!(k in inst)) {
        inst[k] = proto2[k].bind(inst);
      }
    }
  }
  __name(init, "init");
  const Parent = params?.Parent ?? Object;
  class Definition extends Parent {
    static {
      __name(this, "Definition");
    }
  }
  Object.defineProperty(Definition, "name", { value: name });
  function _(def) {
    const inst = params?.Parent ? newError(Definition) : this;
    init(inst, def);
    const deferred = inst._zod.deferred;
    if (deferred) {
      for (const fn of deferred) {
        fn();
      }
      inst._zod.deferred = void 0;
    }
    const pp = globalThis.__zod_globalConfig?.postProcessor;
    if (pp)
      pp(inst);
    return inst;
  }
  __name(_, "_");
  Object.defineProperty(_, "init", { value: init });
  Object.defineProperty(_, Symbol.hasInstance, {
    value: /* @__PURE__ */ __name((inst) => {
      if (params?.Parent && inst instanceof params.Parent)
        return true;
      return inst?._zod?.traits?.has(name);
    }, "value")
  });
  Object.defineProperty(_, "name", { value: name });
  return _;
}
__name($constructor, "$constructor");
var $ZodAsyncError = class extends Error {
  static {
    __name(this, "$ZodAsyncError");
  }
  constructor() {
    super(`Encountered Promise during synchronous parse. Use .parseAsync() instead.`);
  }
};
var $ZodEncodeError = class extends Error {
  static {
    __name(this, "$ZodEncodeError");
  }
  constructor(name) {
    super(`Encountered unidirectional transform during encode: ${name}`);
    this.name = "ZodEncodeError";
  }
};
(_a = globalThis).__zod_globalConfig ?? (_a.__zod_globalConfig = {});
var globalConfig = globalThis.__zod_globalConfig;
function config(newConfig) {
  if (newConfig)
    Object.assign(globalConfig, newConfig);
  return globalConfig;
}
__name(config, "config");

// node_modules/zod/v4/core/errors.js
function _getMessage() {
  const internals = this._zod;
  internals.message ?? (internals.message = JSON.stringify(internals.def, jsonStringifyReplacer, 2));
  return internals.message;
}
__name(_getMessage, "_getMessage");
function _setMessage(value) {
  this._zod.message = value;
}
__name(_setMessage, "_setMessage");
var _messageDesc = {
  get: _getMessage,
  set: _setMessage,
  enumerable: true,
  configurable: true
};
var _issuesDesc = { value: void 0, enumerable: false };
var _installedToString = /* @__PURE__ */ new WeakSet([Object.prototype, Error.prototype]);
var initializer = /* @__PURE__ */ __name((inst, def) => {
  inst.name = "$ZodError";
  _issuesDesc.value = def;
  Object.defineProperty(inst, "issues", _issuesDesc);
  _issuesDesc.value = void 0;
  Object.defineProperty(inst, "message", _messageDesc);
  const proto = Object.getPrototypeOf(inst);
  if (!_installedToString.has(proto)) {
    _installedToString.add(proto);
    Object.defineProperty(proto, "toString", {
      configurable: true,
      enumerable: false,
      get() {
        const value = /* @__PURE__ */ __name(() => this.message, "value");
        Object.defineProperty(this, "toString", { value, configurable: true, writable: true });
        return value;
      },
      set(value) {
        Object.defineProperty(this, "toString", { value, configurable: true, writable: true });
      }
    });
  }
}, "initializer");
var $ZodError = $constructor("$ZodError", initializer);
var $ZodRealError = $constructor("$ZodError", initializer, void 0, {
  Parent: Error
});

// node_modules/zod/v4/core/parse.js
var _parse = /* @__PURE__ */ __name((_Err) => {
  const fn = /* @__PURE__ */ __name((schema2, value, _ctx, _params) => {
    const ctx = _ctx ? { ..._ctx, async: false } : { async: false };
    const result = schema2._zod.run({ value, issues: [] }, ctx);
    if (result instanceof Promise) {
      throw new $ZodAsyncError();
    }
    if (result.issues.length) {
      const e = new (_params?.Err ?? _Err)(result.issues.map((iss) => finalizeIssue(iss, ctx, config())));
      captureStackTrace(e, _params?.callee ?? fn);
      throw e;
    }
    return result.value;
  }, "fn");
  return fn;
}, "_parse");
var parse = /* @__PURE__ */ _parse($ZodRealError);
var _parseAsync = /* @__PURE__ */ __name((_Err) => {
  const fn = /* @__PURE__ */ __name(async (schema2, value, _ctx, params) => {
    const ctx = _ctx ? { ..._ctx, async: true } : { async: true };
    let result = schema2._zod.run({ value, issues: [] }, ctx);
    if (result instanceof Promise)
      result = await result;
    if (result.issues.length) {
      const e = new (params?.Err ?? _Err)(result.issues.map((iss) => finalizeIssue(iss, ctx, config())));
      captureStackTrace(e, params?.callee ?? fn);
      throw e;
    }
    return result.value;
  }, "fn");
  return fn;
}, "_parseAsync");
var parseAsync = /* @__PURE__ */ _parseAsync($ZodRealError);
var _safeParse = /* @__PURE__ */ __name((_Err) => (schema2, value, _ctx) => {
  const ctx = _ctx ? { ..._ctx, async: false } : { async: false };
  const result = schema2._zod.run({ value, issues: [] }, ctx);
  if (result instanceof Promise) {
    throw new $ZodAsyncError();
  }
  return result.issues.length ? failure(_Err, result.issues, ctx) : { success: true, data: result.value };
}, "_safeParse");
var safeParse = /* @__PURE__ */ _safeParse($ZodRealError);
function failure(Err, issues, ctx) {
  let error;
  return {
    success: false,
    get error() {
      if (!error) {
        error = new Err(issues.map((iss) => finalizeIssue(iss, ctx, config())));
        issues = void 0;
        ctx = void 0;
      }
      return error;
    },
    set error(e) {
      error = e;
      issues = void 0;
      ctx = void 0;
    }
  };
}
__name(failure, "failure");
var _safeParseAsync = /* @__PURE__ */ __name((_Err) => async (schema2, value, _ctx) => {
  const ctx = _ctx ? { ..._ctx, async: true } : { async: true };
  let result = schema2._zod.run({ value, issues: [] }, ctx);
  if (result instanceof Promise)
    result = await result;
  return result.issues.length ? failure(_Err, result.issues, ctx) : { success: true, data: result.value };
}, "_safeParseAsync");
var safeParseAsync = /* @__PURE__ */ _safeParseAsync($ZodRealError);

// node_modules/zod/v4/core/regexes.js
var duration = /^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?)$/;
var dateSource = `(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))`;
function anchor(source) {
  return new RegExp(`^${source}$`);
}
__name(anchor, "anchor");
var date = /* @__PURE__ */ anchor(dateSource);
function timeSource(args) {
  const hhmm = `(?:[01]\\d|2[0-3]):[0-5]\\d`;
  const regex = typeof args.precision === "number" ? args.precision === -1 ? `${hhmm}` : args.precision === 0 ? `${hhmm}:[0-5]\\d` : `${hhmm}:[0-5]\\d\\.\\d{${args.precision}}` : args.seconds ? `${hhmm}:[0-5]\\d(?:\\.\\d+)?` : `${hhmm}(?::[0-5]\\d(?:\\.\\d+)?)?`;
  return regex;
}
__name(timeSource, "timeSource");
function time(args) {
  return new RegExp(`^${timeSource(args)}$`);
}
__name(time, "time");
function datetime(args) {
  const opts = ["Z"];
  if (args.offset)
    opts.push(`([+-](?:[01]\\d|2[0-3]):[0-5]\\d)`);
  const qualified = `${timeSource({ precision: args.precision, seconds: true })}(?:${opts.join("|")})`;
  const timeRegex = args.local ? `${qualified}|${timeSource({ precision: args.precision })}` : qualified;
  return new RegExp(`^${dateSource}T(?:${timeRegex})$`);
}
__name(datetime, "datetime");
var anyString = /^[\s\S]{0,}$/;
var number = /^-?\d+(?:\.\d+)?$/;
var boolean = /^(?:true|false)$/i;

// node_modules/zod/v4/core/checks.js
var $ZodCheck = /* @__PURE__ */ $constructor("$ZodCheck", (inst, def) => {
  var _a2;
  inst._zod ?? (inst._zod = {});
  inst._zod.def = def;
  (_a2 = inst._zod).onattach ?? (_a2.onattach = []);
});
var _whenHasLength = /* @__PURE__ */ __name((payload) => {
  const val = payload.value;
  return !nullish(val) && val.length !== void 0;
}, "_whenHasLength");
var numericOriginMap = {
  number: "number",
  bigint: "bigint",
  object: "date"
};
var $ZodCheckLessThan = /* @__PURE__ */ $constructor("$ZodCheckLessThan", (inst, def) => {
  $ZodCheck.init(inst, def);
  const origin = numericOriginMap[typeof def.value];
  inst._zod.check = (payload) => {
    if (def.inclusive ? payload.value <= def.value : payload.value < def.value) {
      return;
    }
    payload.issues.push({
      origin: numericOriginMap[typeof payload.value] ?? origin,
      code: "too_big",
      maximum: typeof def.value === "object" ? def.value.getTime() : def.value,
      input: payload.value,
      inclusive: def.inclusive,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckGreaterThan = /* @__PURE__ */ $constructor("$ZodCheckGreaterThan", (inst, def) => {
  $ZodCheck.init(inst, def);
  const origin = numericOriginMap[typeof def.value];
  inst._zod.check = (payload) => {
    if (def.inclusive ? payload.value >= def.value : payload.value > def.value) {
      return;
    }
    payload.issues.push({
      origin: numericOriginMap[typeof payload.value] ?? origin,
      code: "too_small",
      minimum: typeof def.value === "object" ? def.value.getTime() : def.value,
      input: payload.value,
      inclusive: def.inclusive,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckNumberFormat = /* @__PURE__ */ $constructor("$ZodCheckNumberFormat", (inst, def) => {
  $ZodCheck.init(inst, def);
  def.format = def.format || "float64";
  const isInt = def.format?.includes("int");
  const origin = isInt ? "int" : "number";
  const [minimum, maximum] = NUMBER_FORMAT_RANGES[def.format];
  inst._zod.check = (payload) => {
    const input = payload.value;
    if (isInt) {
      if (!Number.isInteger(input)) {
        payload.issues.push({
          expected: origin,
          format: def.format,
          code: "invalid_type",
          continue: false,
          input,
          inst
        });
        return;
      }
      if (!Number.isSafeInteger(input)) {
        if (input > 0) {
          payload.issues.push({
            input,
            code: "too_big",
            maximum: Number.MAX_SAFE_INTEGER,
            note: "Integers must be within the safe integer range.",
            inst,
            origin,
            inclusive: true,
            continue: !def.abort
          });
        } else {
          payload.issues.push({
            input,
            code: "too_small",
            minimum: Number.MIN_SAFE_INTEGER,
            note: "Integers must be within the safe integer range.",
            inst,
            origin,
            inclusive: true,
            continue: !def.abort
          });
        }
        return;
      }
    }
    if (input < minimum) {
      payload.issues.push({
        origin: "number",
        input,
        code: "too_small",
        minimum,
        inclusive: true,
        inst,
        continue: !def.abort
      });
    }
    if (input > maximum) {
      payload.issues.push({
        origin: "number",
        input,
        code: "too_big",
        maximum,
        inclusive: true,
        inst,
        continue: !def.abort
      });
    }
  };
});
var $ZodCheckMaxLength = /* @__PURE__ */ $constructor("$ZodCheckMaxLength", (inst, def) => {
  var _a2;
  $ZodCheck.init(inst, def);
  (_a2 = inst._zod.def).when ?? (_a2.when = _whenHasLength);
  inst._zod.check = (payload) => {
    const input = payload.value;
    const units = input.length;
    const length = typeof input === "string" && units > def.maximum ? codePointLength(input) : units;
    if (length <= def.maximum)
      return;
    const origin = getLengthableOrigin(input);
    payload.issues.push({
      origin,
      code: "too_big",
      maximum: def.maximum,
      inclusive: true,
      input,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckMinLength = /* @__PURE__ */ $constructor("$ZodCheckMinLength", (inst, def) => {
  var _a2;
  $ZodCheck.init(inst, def);
  (_a2 = inst._zod.def).when ?? (_a2.when = _whenHasLength);
  inst._zod.check = (payload) => {
    const input = payload.value;
    const units = input.length;
    const length = typeof input === "string" && units >= def.minimum && units < def.minimum * 2 ? codePointLength(input) : units;
    if (length >= def.minimum)
      return;
    const origin = getLengthableOrigin(input);
    payload.issues.push({
      origin,
      code: "too_small",
      minimum: def.minimum,
      inclusive: true,
      input,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckStringFormat = /* @__PURE__ */ $constructor("$ZodCheckStringFormat", (inst, def) => {
  var _a2, _b;
  $ZodCheck.init(inst, def);
  if (def.pattern)
    (_a2 = inst._zod).check ?? (_a2.check = (payload) => {
      def.pattern.lastIndex = 0;
      if (def.pattern.test(payload.value))
        return;
      payload.issues.push({
        origin: "string",
        code: "invalid_format",
        format: def.format,
        input: payload.value,
        ...def.pattern ? { pattern: def.pattern.toString() } : {},
        inst,
        continue: !def.abort
      });
    });
  else
    (_b = inst._zod).check ?? (_b.check = () => {
    });
});
var $ZodCheckRegex = /* @__PURE__ */ $constructor("$ZodCheckRegex", (inst, def) => {
  $ZodCheckStringFormat.init(inst, def);
  inst._zod.check = (payload) => {
    def.pattern.lastIndex = 0;
    if (def.pattern.test(payload.value))
      return;
    payload.issues.push({
      origin: "string",
      code: "invalid_format",
      format: "regex",
      input: payload.value,
      pattern: def.pattern.toString(),
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckOverwrite = /* @__PURE__ */ $constructor("$ZodCheckOverwrite", (inst, def) => {
  $ZodCheck.init(inst, def);
  inst._zod.check = (payload) => {
    payload.value = def.tx(payload.value);
  };
});

// node_modules/zod/v4/core/versions.js
var version = {
  major: 4,
  minor: 6,
  patch: 7
};

// node_modules/zod/v4/core/schemas.js
var $ZodType = /* @__PURE__ */ $constructor("$ZodType", (inst, def) => {
  var _a2;
  inst ?? (inst = {});
  inst._zod.def = def;
  inst._zod.bag = inst._zod.bag || {};
  inst._zod.version = version;
  const defChecks = inst._zod.def.checks;
  const checks = inst._zod.traits.has("$ZodCheck") ? [inst, ...defChecks ?? []] : defChecks?.length ? [...defChecks] : [];
  for (const ch of checks) {
    for (const fn of ch._zod.onattach) {
      fn(inst);
    }
  }
  if (checks.length === 0) {
    (_a2 = inst._zod).deferred ?? (_a2.deferred = []);
    inst._zod.deferred?.push(() => {
      inst._zod.run = inst._zod.parse;
    });
  } else {
    const runChecks = /* @__PURE__ */ __name((payload, checks2, ctx) => {
      if (payload.memo)
        return payload;
      let isAborted = aborted(payload);
      let asyncResult;
      for (const ch of checks2) {
        if (ch._zod.def.when) {
          if (explicitlyAborted(payload))
            continue;
          const shouldRun = ch._zod.def.when(payload);
          if (!shouldRun)
            continue;
        } else if (isAborted) {
          continue;
        }
        const currLen = payload.issues.length;
        const _ = ch._zod.check(payload);
        if (_ instanceof Promise && ctx?.async === false) {
          throw new $ZodAsyncError();
        }
        if (asyncResult || _ instanceof Promise) {
          asyncResult = (asyncResult ?? Promise.resolve()).then(async () => {
            await _;
            const nextLen = payload.issues.length;
            if (nextLen === currLen)
              return;
            attachSchema(payload.issues, currLen, inst);
            if (!isAborted)
              isAborted = aborted(payload, currLen);
          });
        } else {
          const nextLen = payload.issues.length;
          if (nextLen === currLen)
            continue;
          attachSchema(payload.issues, currLen, inst);
          if (!isAborted)
            isAborted = aborted(payload, currLen);
        }
      }
      if (asyncResult) {
        return asyncResult.then(() => {
          return payload;
        });
      }
      return payload;
    }, "runChecks");
    const handleCanaryResult = /* @__PURE__ */ __name((canary, payload, ctx) => {
      if (aborted(canary)) {
        canary.aborted = true;
        return canary;
      }
      const checkResult = runChecks(payload, checks, ctx);
      if (checkResult instanceof Promise) {
        if (ctx.async === false)
          throw new $ZodAsyncError();
        return checkResult.then((checkResult2) => inst._zod.parse(checkResult2, ctx));
      }
      return inst._zod.parse(checkResult, ctx);
    }, "handleCanaryResult");
    inst._zod.run = (payload, ctx) => {
      if (ctx.skipChecks) {
        return inst._zod.parse(payload, ctx);
      }
      if (ctx.direction === "backward") {
        const canary = inst._zod.parse({ value: payload.value, issues: [] }, { ...ctx, skipChecks: true });
        if (canary instanceof Promise) {
          return canary.then((canary2) => {
            return handleCanaryResult(canary2, payload, ctx);
          });
        }
        return handleCanaryResult(canary, payload, ctx);
      }
      const result = inst._zod.parse(payload, ctx);
      if (result instanceof Promise) {
        if (ctx.async === false)
          throw new $ZodAsyncError();
        return result.then((result2) => runChecks(result2, checks, ctx));
      }
      return runChecks(result, checks, ctx);
    };
  }
}, {
  // Wrappers extend this by installing a richer factory over it; reading it eagerly would defeat the laziness.
  get "~standard"() {
    return hide(this, "~standard", standardProps(this));
  },
  set "~standard"(value) {
    own(this, "~standard", value);
  }
});
var toStandardResult = /* @__PURE__ */ __name((r, ctx) => r.issues.length ? { issues: r.issues.map((iss) => finalizeIssue(iss, ctx, config())) } : { value: r.value }, "toStandardResult");
async function validateAsync(inst, value) {
  const ctx = { async: true };
  return toStandardResult(await inst._zod.run({ value, issues: [] }, ctx), ctx);
}
__name(validateAsync, "validateAsync");
function standardProps(inst) {
  return {
    validate: /* @__PURE__ */ __name((value) => {
      const ctx = { async: false };
      try {
        const r = inst._zod.run({ value, issues: [] }, ctx);
        if (!(r instanceof Promise))
          return toStandardResult(r, ctx);
      } catch (_) {
      }
      return validateAsync(inst, value);
    }, "validate"),
    vendor: "zod",
    version: 1
  };
}
__name(standardProps, "standardProps");
var $ZodString = /* @__PURE__ */ $constructor("$ZodString", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = def.pattern ?? anyString;
  inst._zod.parse = (payload, _) => {
    if (def.coerce)
      try {
        payload.value = String(payload.value);
      } catch (_2) {
      }
    if (typeof payload.value === "string")
      return payload;
    payload.issues.push({
      expected: "string",
      code: "invalid_type",
      input: payload.value,
      inst
    });
    return payload;
  };
});
var $ZodStringFormat = /* @__PURE__ */ $constructor("$ZodStringFormat", (inst, def) => {
  $ZodCheckStringFormat.init(inst, def);
  $ZodString.init(inst, def);
});
var $ZodISODateTime = /* @__PURE__ */ $constructor("$ZodISODateTime", (inst, def) => {
  def.pattern ?? (def.pattern = datetime(def));
  $ZodStringFormat.init(inst, def);
});
var $ZodISODate = /* @__PURE__ */ $constructor("$ZodISODate", (inst, def) => {
  def.pattern ?? (def.pattern = date);
  $ZodStringFormat.init(inst, def);
});
var $ZodISOTime = /* @__PURE__ */ $constructor("$ZodISOTime", (inst, def) => {
  def.pattern ?? (def.pattern = time(def));
  $ZodStringFormat.init(inst, def);
});
var $ZodISODuration = /* @__PURE__ */ $constructor("$ZodISODuration", (inst, def) => {
  def.pattern ?? (def.pattern = duration);
  $ZodStringFormat.init(inst, def);
});
var $ZodNumber = /* @__PURE__ */ $constructor("$ZodNumber", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = number;
  inst._zod.parse = (payload, _ctx) => {
    if (def.coerce)
      try {
        payload.value = Number(payload.value);
      } catch (_) {
      }
    const input = payload.value;
    if (typeof input === "number" && !Number.isNaN(input) && Number.isFinite(input)) {
      return payload;
    }
    const received = typeof input === "number" ? Number.isNaN(input) ? "NaN" : !Number.isFinite(input) ? String(input) : void 0 : void 0;
    payload.issues.push({
      expected: "number",
      code: "invalid_type",
      input,
      inst,
      ...received ? { received } : {}
    });
    return payload;
  };
});
var $ZodNumberFormat = /* @__PURE__ */ $constructor("$ZodNumberFormat", (inst, def) => {
  $ZodCheckNumberFormat.init(inst, def);
  $ZodNumber.init(inst, def);
});
var $ZodBoolean = /* @__PURE__ */ $constructor("$ZodBoolean", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = boolean;
  inst._zod.parse = (payload, _ctx) => {
    if (def.coerce)
      try {
        payload.value = Boolean(payload.value);
      } catch (_) {
      }
    const input = payload.value;
    if (typeof input === "boolean")
      return payload;
    payload.issues.push({
      expected: "boolean",
      code: "invalid_type",
      input,
      inst
    });
    return payload;
  };
});
var $ZodUnknown = /* @__PURE__ */ $constructor("$ZodUnknown", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.parse = (payload) => payload;
});
function capSize(inst, size) {
  const caps = sizeCaps(inst._zod.def.checks);
  if (!caps.length)
    return;
  const cap = Math.min(...caps.map((c) => c[0]));
  const parse2 = inst._zod.parse;
  inst._zod.parse = (payload, ctx) => {
    const n = size(payload.value);
    if (n > cap && !ctx?.skipChecks && ctx?.direction !== "backward") {
      for (const [max, ch] of sizeCaps(inst._zod.def.checks)) {
        if (n > max && ch._zod.def.when(payload)) {
          const start = payload.issues.length;
          ch._zod.check(payload);
          payload.issues[start].continue = false;
          attachSchema(payload.issues, start, inst);
          return payload;
        }
      }
    }
    return parse2(payload, ctx);
  };
}
__name(capSize, "capSize");
var arraySize = /* @__PURE__ */ __name((input) => Array.isArray(input) ? input.length : -1, "arraySize");
function handleArrayResult(result, final, index) {
  if (result.issues.length) {
    final.issues.push(...prefixIssues(index, result.issues));
  }
  final.value[index] = result.value;
}
__name(handleArrayResult, "handleArrayResult");
var $ZodArray = /* @__PURE__ */ $constructor("$ZodArray", (inst, def) => {
  $ZodType.init(inst, def);
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    const input = payload.value;
    if (!Array.isArray(input)) {
      payload.issues.push({
        expected: "array",
        code: "invalid_type",
        input,
        inst
      });
      return payload;
    }
    payload.value = memo ? memo.alloc(inst, payload, Array(input.length), ctx) : Array(input.length);
    const proms = [];
    const abortEarly = ctx?.abortEarly;
    for (let i = 0; i < input.length; i++) {
      const item = input[i];
      const result = def.element._zod.run({
        value: item,
        issues: []
      }, ctx);
      if (result instanceof Promise) {
        proms.push(result.then((result2) => handleArrayResult(result2, payload, i)));
      } else {
        handleArrayResult(result, payload, i);
        if (abortEarly && result.issues.length !== 0 && aborted(result))
          break;
      }
    }
    if (proms.length) {
      return Promise.all(proms).then(() => payload);
    }
    return payload;
  };
  capSize(inst, arraySize);
});
function handlePropertyResult(result, final, key, input, optin, optout) {
  const isPresent = key in input;
  const isOptionalOut = optout === "optional";
  if (!isPresent && isOptionalOut && optin === "optional") {
    return;
  }
  if (result.issues.length) {
    if (optin !== void 0 && isOptionalOut && !isPresent) {
      return;
    }
    final.issues.push(...prefixIssues(key, result.issues));
  }
  if (!isPresent && optin === void 0) {
    if (!result.issues.length) {
      final.issues.push({
        code: "invalid_type",
        expected: "nonoptional",
        input: void 0,
        path: [key]
      });
    }
    return;
  }
  if (result.value === void 0) {
    if (isPresent || optin === "defaulted" && !isOptionalOut) {
      final.value[key] = void 0;
    }
  } else {
    final.value[key] = result.value;
  }
}
__name(handlePropertyResult, "handlePropertyResult");
var NO_SYMBOL_KEYS = [];
function normalizeDef(def) {
  const keys = Object.keys(def.shape);
  const ownSymbols = Object.getOwnPropertySymbols(def.shape);
  const symbolKeys = ownSymbols.length ? ownSymbols : NO_SYMBOL_KEYS;
  const allKeys = symbolKeys.length ? [...keys, ...symbolKeys] : keys;
  for (const k of allKeys) {
    if (!def.shape?.[k]?._zod?.traits?.has("$ZodType")) {
      throw new Error(`Invalid element at key "${String(k)}": expected a Zod schema`);
    }
  }
  const okeys = optionalKeys(def.shape);
  return {
    ...def,
    allKeys,
    symbolKeys,
    // string-only: handleCatchall matches it against `for...in`, which never yields a symbol
    keySet: new Set(keys),
    numKeys: keys.length,
    optionalKeys: new Set(okeys)
  };
}
__name(normalizeDef, "normalizeDef");
function handleCatchall(proms, input, payload, ctx, def, inst, abortEarly) {
  const unrecognized = [];
  const keySet = def.keySet;
  const _catchall = def.catchall._zod;
  const t = _catchall.def.type;
  const optin = _catchall.optin;
  const optout = _catchall.optout;
  let seen = 0;
  for (const key in input) {
    if (abortEarly && payload.issues.length !== seen) {
      if (aborted(payload, seen))
        break;
      seen = payload.issues.length;
    }
    if (keySet.has(key))
      continue;
    if (key === "__proto__") {
      if (t === "never")
        unrecognized.push(key);
      continue;
    }
    if (t === "never") {
      unrecognized.push(key);
      continue;
    }
    const r = _catchall.run({ value: input[key], issues: [] }, ctx);
    if (r instanceof Promise) {
      proms.push(r.then((r2) => handlePropertyResult(r2, payload, key, input, optin, optout)));
    } else {
      handlePropertyResult(r, payload, key, input, optin, optout);
    }
  }
  if (unrecognized.length) {
    payload.issues.push({
      code: "unrecognized_keys",
      keys: unrecognized,
      input,
      inst,
      // Describes the shape of the input, not the validity of the parsed value, so it never aborts. The parse still fails; the schema's own checks just get to run first, and an enclosing intersection can reconcile the key against a sibling operand.
      continue: true
    });
  }
  if (!proms.length)
    return payload;
  return Promise.all(proms).then(() => {
    return payload;
  });
}
__name(handleCatchall, "handleCatchall");
var $ZodObject = /* @__PURE__ */ $constructor("$ZodObject", (inst, def) => {
  $ZodType.init(inst, def);
  const desc = Object.getOwnPropertyDescriptor(def, "shape");
  const sh = desc?.get ? desc.get.raw : def.shape ?? {};
  if (sh) {
    const get = /* @__PURE__ */ __name(() => {
      const newSh = { ...sh };
      Object.defineProperty(def, "shape", { value: newSh });
      get.raw = newSh;
      return newSh;
    }, "get");
    get.raw = sh;
    Object.defineProperty(def, "shape", { get });
  }
  const _normalized = cached(() => normalizeDef(def));
  defineLazyInternal(inst, "propValues", (zod) => {
    const shape = zod.def.shape;
    const propValues = {};
    for (const key in shape) {
      const field = shape[key]._zod;
      if (field.values) {
        if (!Object.prototype.hasOwnProperty.call(propValues, key)) {
          assignProp(propValues, key, /* @__PURE__ */ new Set());
        }
        for (const v of field.values)
          propValues[key].add(v);
        if (field.optin !== void 0)
          propValues[key].add(void 0);
      }
    }
    return propValues;
  });
  const isObject3 = isObject;
  const catchall = def.catchall;
  let value;
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    value ?? (value = _normalized.value);
    const input = payload.value;
    if (!isObject3(input)) {
      payload.issues.push({
        expected: "object",
        code: "invalid_type",
        input,
        inst
      });
      return payload;
    }
    payload.value = memo ? memo.alloc(inst, payload, {}, ctx) : {};
    const proms = [];
    const shape = value.shape;
    const abortEarly = ctx?.abortEarly;
    let seen = payload.issues.length;
    for (const key of value.allKeys) {
      if (abortEarly && payload.issues.length !== seen) {
        if (aborted(payload, seen))
          break;
        seen = payload.issues.length;
      }
      if (key === "__proto__")
        continue;
      const el = shape[key];
      const optin = el._zod.optin;
      const optout = el._zod.optout;
      const r = el._zod.run({ value: input[key], issues: [] }, ctx);
      if (r instanceof Promise) {
        proms.push(r.then((r2) => handlePropertyResult(r2, payload, key, input, optin, optout)));
      } else {
        handlePropertyResult(r, payload, key, input, optin, optout);
      }
    }
    if (!catchall) {
      return proms.length ? Promise.all(proms).then(() => payload) : payload;
    }
    return handleCatchall(proms, input, payload, ctx, _normalized.value, inst, abortEarly === true);
  };
});
function handleUnionResults(results, final, inst, ctx) {
  for (const result of results) {
    if (result.issues.length === 0) {
      final.value = result.value;
      return final;
    }
  }
  const nonaborted = results.filter((r) => !aborted(r));
  if (nonaborted.length === 1) {
    final.value = nonaborted[0].value;
    return nonaborted[0];
  }
  final.issues.push({
    code: "invalid_union",
    input: final.value,
    inst,
    errors: results.map((result) => result.issues.map((iss) => finalizeIssue(iss, ctx, config())))
  });
  return final;
}
__name(handleUnionResults, "handleUnionResults");
var $ZodUnion = /* @__PURE__ */ $constructor("$ZodUnion", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "optin", (zod) => zod.def.options.some((o) => o._zod.optin === "defaulted") ? "defaulted" : zod.def.options.some((o) => o._zod.optin !== void 0) ? "optional" : void 0);
  defineLazyInternal(inst, "optout", (zod) => zod.def.options.some((o) => o._zod.optout === "optional") ? "optional" : void 0);
  defineLazyInternal(inst, "values", (zod) => {
    if (zod.def.options.every((o) => o._zod.values)) {
      return new Set(zod.def.options.flatMap((option) => Array.from(option._zod.values)));
    }
    return void 0;
  });
  defineLazyInternal(inst, "pattern", (zod) => {
    if (zod.def.options.every((o) => o._zod.pattern)) {
      const patterns = zod.def.options.map((o) => o._zod.pattern);
      return new RegExp(`^(${patterns.map((p) => cleanRegex(p.source)).join("|")})$`);
    }
    return void 0;
  });
  const first = def.options.length === 1 ? def.options[0]._zod.run : null;
  inst._zod.parse = (payload, ctx) => {
    if (first) {
      return first(payload, ctx);
    }
    let async = false;
    const results = [];
    for (const option of def.options) {
      const result = option._zod.run({
        value: payload.value,
        issues: []
      }, ctx);
      if (result instanceof Promise) {
        results.push(result);
        async = true;
      } else {
        if (result.issues.length === 0)
          return result;
        results.push(result);
      }
    }
    if (!async)
      return handleUnionResults(results, payload, inst, ctx);
    return Promise.all(results).then((results2) => {
      return handleUnionResults(results2, payload, inst, ctx);
    });
  };
});
var $ZodLiteral = /* @__PURE__ */ $constructor("$ZodLiteral", (inst, def) => {
  $ZodType.init(inst, def);
  const values = new Set(def.values);
  inst._zod.values = values;
  defineLazyInternal(inst, "pattern", (zod) => {
    const vals = zod.def.values;
    return new RegExp(vals.length ? `^(${vals.map((o) => typeof o === "string" ? escapeRegex(o) : o ? escapeRegex(o.toString()) : String(o)).join("|")})$` : "^[^\\s\\S]$");
  });
  inst._zod.parse = (payload, _ctx) => {
    const input = payload.value;
    if (values.has(input)) {
      return payload;
    }
    payload.issues.push({
      code: "invalid_value",
      values: def.values,
      input,
      inst
    });
    return payload;
  };
});
var $ZodTransform = /* @__PURE__ */ $constructor("$ZodTransform", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.optin = "optional";
  globalConfig.memoizer?.guard(inst);
  inst._zod.parse = (payload, ctx) => {
    if (ctx.direction === "backward") {
      throw new $ZodEncodeError(inst.constructor.name);
    }
    const _out = def.transform(payload.value, payload);
    if (ctx.async) {
      const output = _out instanceof Promise ? _out : Promise.resolve(_out);
      return output.then((output2) => {
        payload.value = output2;
        return payload;
      });
    }
    if (_out instanceof Promise) {
      throw new $ZodAsyncError();
    }
    payload.value = _out;
    return payload;
  };
});
function handleOptionalResult(payload, result) {
  payload.value = result.issues.length ? void 0 : result.value;
  return payload;
}
__name(handleOptionalResult, "handleOptionalResult");
var $ZodOptional = /* @__PURE__ */ $constructor("$ZodOptional", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "optin", (zod) => zod.def.innerType._zod.optin === "defaulted" ? "defaulted" : "optional");
  inst._zod.optout = "optional";
  defineLazyInternal(inst, "values", (zod) => {
    const values = zod.def.innerType._zod.values;
    return values ? /* @__PURE__ */ new Set([...values, void 0]) : void 0;
  });
  defineLazyInternal(inst, "pattern", (zod) => {
    const pattern = zod.def.innerType._zod.pattern;
    return pattern ? new RegExp(`^(${cleanRegex(pattern.source)})?$`) : void 0;
  });
  inst._zod.parse = (payload, ctx) => {
    if (payload.value === void 0) {
      if (def.innerType._zod.optin !== "defaulted")
        return payload;
      const result = def.innerType._zod.run({ value: payload.value, issues: [] }, ctx);
      if (result instanceof Promise)
        return result.then((result2) => handleOptionalResult(payload, result2));
      return handleOptionalResult(payload, result);
    }
    return def.innerType._zod.run(payload, ctx);
  };
});
var $ZodPipe = /* @__PURE__ */ $constructor("$ZodPipe", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "values", (zod) => zod.def.in._zod.values);
  defineLazyInternal(inst, "optin", (zod) => zod.def.in._zod.optin);
  defineLazyInternal(inst, "optout", (zod) => zod.def.out._zod.optout);
  defineLazyInternal(inst, "propValues", (zod) => zod.def.in._zod.propValues);
  inst._zod.parse = (payload, ctx) => {
    if (ctx.direction === "backward") {
      const right = def.out._zod.run(payload, ctx);
      if (right instanceof Promise) {
        return right.then((right2) => handlePipeResult(right2, def.in, ctx));
      }
      return handlePipeResult(right, def.in, ctx);
    }
    const left = def.in._zod.run(payload, ctx);
    if (left instanceof Promise) {
      return left.then((left2) => handlePipeResult(left2, def.out, ctx));
    }
    return handlePipeResult(left, def.out, ctx);
  };
});
function handlePipeResult(left, next, ctx) {
  if (left.issues.some((iss) => iss.code !== "unrecognized_keys")) {
    left.aborted = true;
    return left;
  }
  return next._zod.run({ value: left.value, issues: left.issues }, ctx);
}
__name(handlePipeResult, "handlePipeResult");
var $ZodCustom = /* @__PURE__ */ $constructor("$ZodCustom", (inst, def) => {
  $ZodCheck.init(inst, def);
  $ZodType.init(inst, def);
  inst._zod.parse = (payload, _) => {
    return payload;
  };
  inst._zod.check = (payload) => {
    const input = payload.value;
    const r = def.fn(input);
    if (r instanceof Promise) {
      return r.then((r2) => handleRefineResult(r2, payload, input, inst));
    }
    handleRefineResult(r, payload, input, inst);
    return;
  };
});
function handleRefineResult(result, payload, input, inst) {
  if (!result) {
    const _iss = {
      code: "custom",
      input,
      inst,
      // incorporates params.error into issue reporting
      path: [...inst._zod.def.path ?? []],
      // incorporates params.error into issue reporting
      continue: !inst._zod.def.abort
      // params: inst._zod.def.params,
    };
    if (inst._zod.def.params)
      _iss.params = inst._zod.def.params;
    payload.issues.push(issue(_iss));
  }
}
__name(handleRefineResult, "handleRefineResult");

// node_modules/zod/v4/core/api.js
function snapshotChecks(def) {
  if (def.checks)
    def.checks = [...def.checks];
  return def;
}
__name(snapshotChecks, "snapshotChecks");
// @__NO_SIDE_EFFECTS__
function _string(Class, params) {
  return new Class(snapshotChecks({ type: "string", ...normalizeParams(params) }));
}
__name(_string, "_string");
// @__NO_SIDE_EFFECTS__
function _isoDateTime(Class, params) {
  return new Class({
    type: "string",
    format: "datetime",
    check: "string_format",
    offset: false,
    local: false,
    precision: null,
    ...normalizeParams(params)
  });
}
__name(_isoDateTime, "_isoDateTime");
// @__NO_SIDE_EFFECTS__
function _isoDate(Class, params) {
  return new Class({
    type: "string",
    format: "date",
    check: "string_format",
    ...normalizeParams(params)
  });
}
__name(_isoDate, "_isoDate");
// @__NO_SIDE_EFFECTS__
function _isoTime(Class, params) {
  return new Class({
    type: "string",
    format: "time",
    check: "string_format",
    precision: null,
    ...normalizeParams(params)
  });
}
__name(_isoTime, "_isoTime");
// @__NO_SIDE_EFFECTS__
function _isoDuration(Class, params) {
  return new Class({
    type: "string",
    format: "duration",
    check: "string_format",
    ...normalizeParams(params)
  });
}
__name(_isoDuration, "_isoDuration");
// @__NO_SIDE_EFFECTS__
function _number(Class, params) {
  return new Class(snapshotChecks({ type: "number", checks: [], ...normalizeParams(params) }));
}
__name(_number, "_number");
// @__NO_SIDE_EFFECTS__
function _int(Class, params) {
  return new Class({
    type: "number",
    check: "number_format",
    abort: false,
    format: "safeint",
    ...normalizeParams(params)
  });
}
__name(_int, "_int");
// @__NO_SIDE_EFFECTS__
function _boolean(Class, params) {
  return new Class({
    type: "boolean",
    ...normalizeParams(params)
  });
}
__name(_boolean, "_boolean");
// @__NO_SIDE_EFFECTS__
function _unknown(Class) {
  return new Class({
    type: "unknown"
  });
}
__name(_unknown, "_unknown");
// @__NO_SIDE_EFFECTS__
function _lte(value, params) {
  return new $ZodCheckLessThan({
    check: "less_than",
    ...normalizeParams(params),
    value,
    inclusive: true
  });
}
__name(_lte, "_lte");
// @__NO_SIDE_EFFECTS__
function _gt(value, params) {
  return new $ZodCheckGreaterThan({
    check: "greater_than",
    ...normalizeParams(params),
    value,
    inclusive: false
  });
}
__name(_gt, "_gt");
// @__NO_SIDE_EFFECTS__
function _gte(value, params) {
  return new $ZodCheckGreaterThan({
    check: "greater_than",
    ...normalizeParams(params),
    value,
    inclusive: true
  });
}
__name(_gte, "_gte");
// @__NO_SIDE_EFFECTS__
function _maxLength(maximum, params) {
  const ch = new $ZodCheckMaxLength({
    check: "max_length",
    ...normalizeParams(params),
    maximum
  });
  return ch;
}
__name(_maxLength, "_maxLength");
// @__NO_SIDE_EFFECTS__
function _minLength(minimum, params) {
  return new $ZodCheckMinLength({
    check: "min_length",
    ...normalizeParams(params),
    minimum
  });
}
__name(_minLength, "_minLength");
// @__NO_SIDE_EFFECTS__
function _regex(pattern, params) {
  return new $ZodCheckRegex({
    check: "string_format",
    format: "regex",
    ...normalizeParams(params),
    pattern
  });
}
__name(_regex, "_regex");
// @__NO_SIDE_EFFECTS__
function _overwrite(tx) {
  return new $ZodCheckOverwrite({
    check: "overwrite",
    tx
  });
}
__name(_overwrite, "_overwrite");
// @__NO_SIDE_EFFECTS__
function _trim() {
  return /* @__PURE__ */ _overwrite((input) => input.trim());
}
__name(_trim, "_trim");
// @__NO_SIDE_EFFECTS__
function _custom(Class, fn, _params) {
  const norm = normalizeParams(_params);
  norm.abort ?? (norm.abort = true);
  const schema2 = new Class({
    type: "custom",
    check: "custom",
    fn,
    ...norm
  });
  return schema2;
}
__name(_custom, "_custom");
// @__NO_SIDE_EFFECTS__
function _refine(Class, fn, _params) {
  const schema2 = new Class({
    type: "custom",
    check: "custom",
    fn,
    ...normalizeParams(_params)
  });
  return schema2;
}
__name(_refine, "_refine");

// node_modules/zod/v4/mini/schemas.js
var ZodMiniType = /* @__PURE__ */ $constructor("ZodMiniType", (inst, def) => {
  if (!inst._zod)
    throw new Error("Uninitialized schema in ZodMiniType.");
  $ZodType.init(inst, def);
  inst.def = def;
  inst.type = def.type;
}, {
  // `with` is an alias for `check`: the same function object, not a wrapper.
  get with() {
    return this.check;
  },
  set with(value) {
    own(this, "with", value);
  },
  parse(data, params) {
    return parse(this, data, params, { callee: this.parse });
  },
  parseAsync(data, params) {
    return parseAsync(this, data, params, { callee: this.parseAsync });
  },
  safeParse(data, params) {
    return safeParse(this, data, params);
  },
  safeParseAsync(data, params) {
    return safeParseAsync(this, data, params);
  },
  check(...checks) {
    const def = this.def;
    return this.clone({
      ...def,
      checks: [
        ...def.checks ?? [],
        ...checks.map((ch) => typeof ch === "function" ? { _zod: { check: ch, def: { check: "custom" }, onattach: [] } } : ch)
      ]
    }, { parent: true });
  },
  clone(_def, params) {
    return clone(this, _def, params);
  },
  brand() {
    return this;
  },
  register(reg, meta2) {
    reg.add(this, meta2);
    return this;
  },
  apply(fn, ...args) {
    return args.length === 0 ? fn(this) : fn(this, ...args);
  }
});
var ZodMiniString = /* @__PURE__ */ $constructor("ZodMiniString", (inst, def) => {
  $ZodString.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function string2(params) {
  return _string(ZodMiniString, params);
}
__name(string2, "string");
var ZodMiniStringFormat = /* @__PURE__ */ $constructor("ZodMiniStringFormat", (inst, def) => {
  $ZodStringFormat.init(inst, def);
  ZodMiniString.init(inst, def);
});
var ZodMiniNumber = /* @__PURE__ */ $constructor("ZodMiniNumber", (inst, def) => {
  $ZodNumber.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function number2(params) {
  return _number(ZodMiniNumber, params);
}
__name(number2, "number");
var ZodMiniNumberFormat = /* @__PURE__ */ $constructor("ZodMiniNumberFormat", (inst, def) => {
  $ZodNumberFormat.init(inst, def);
  ZodMiniNumber.init(inst, def);
});
function int(params) {
  return _int(ZodMiniNumberFormat, params);
}
__name(int, "int");
var ZodMiniBoolean = /* @__PURE__ */ $constructor("ZodMiniBoolean", (inst, def) => {
  $ZodBoolean.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function boolean2(params) {
  return _boolean(ZodMiniBoolean, params);
}
__name(boolean2, "boolean");
var ZodMiniUnknown = /* @__PURE__ */ $constructor("ZodMiniUnknown", (inst, def) => {
  $ZodUnknown.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function unknown() {
  return _unknown(ZodMiniUnknown);
}
__name(unknown, "unknown");
var ZodMiniArray = /* @__PURE__ */ $constructor("ZodMiniArray", (inst, def) => {
  $ZodArray.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function array(element, params) {
  return new ZodMiniArray({
    type: "array",
    element,
    ...normalizeParams(params)
  });
}
__name(array, "array");
var ZodMiniObject = /* @__PURE__ */ $constructor("ZodMiniObject", (inst, def) => {
  $ZodObject.init(inst, def);
  ZodMiniType.init(inst, def);
  installLazyProp(inst, "shape", (self) => self._zod.def.shape, false);
});
// @__NO_SIDE_EFFECTS__
function object(shape, params) {
  const def = {
    type: "object",
    shape: shape ?? {},
    ...normalizeParams(params)
  };
  return new ZodMiniObject(def);
}
__name(object, "object");
// @__NO_SIDE_EFFECTS__
function looseObject(shape, params) {
  return new ZodMiniObject({
    type: "object",
    shape,
    catchall: /* @__PURE__ */ unknown(),
    ...normalizeParams(params)
  });
}
__name(looseObject, "looseObject");
var ZodMiniUnion = /* @__PURE__ */ $constructor("ZodMiniUnion", (inst, def) => {
  $ZodUnion.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function union(options, params) {
  return new ZodMiniUnion({
    type: "union",
    options,
    ...normalizeParams(params)
  });
}
__name(union, "union");
var ZodMiniLiteral = /* @__PURE__ */ $constructor("ZodMiniLiteral", (inst, def) => {
  $ZodLiteral.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function literal(value, params) {
  return new ZodMiniLiteral({
    type: "literal",
    values: Array.isArray(value) ? value : [value],
    ...normalizeParams(params)
  });
}
__name(literal, "literal");
var ZodMiniTransform = /* @__PURE__ */ $constructor("ZodMiniTransform", (inst, def) => {
  $ZodTransform.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function transform(fn) {
  return new ZodMiniTransform({
    type: "transform",
    transform: fn
  });
}
__name(transform, "transform");
var ZodMiniOptional = /* @__PURE__ */ $constructor("ZodMiniOptional", (inst, def) => {
  $ZodOptional.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function optional(innerType) {
  return new ZodMiniOptional({
    type: "optional",
    innerType
  });
}
__name(optional, "optional");
var ZodMiniPipe = /* @__PURE__ */ $constructor("ZodMiniPipe", (inst, def) => {
  $ZodPipe.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function pipe(in_, out) {
  return new ZodMiniPipe({
    type: "pipe",
    in: in_,
    out
  });
}
__name(pipe, "pipe");
var ZodMiniCustom = /* @__PURE__ */ $constructor("ZodMiniCustom", (inst, def) => {
  $ZodCustom.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function custom(fn, _params) {
  return _custom(ZodMiniCustom, fn ?? (() => true), _params);
}
__name(custom, "custom");
// @__NO_SIDE_EFFECTS__
function refine(fn, _params = {}) {
  return _refine(ZodMiniCustom, fn, _params);
}
__name(refine, "refine");
// @__NO_SIDE_EFFECTS__
function _instanceof(cls, params = {}) {
  const inst = /* @__PURE__ */ custom((data) => data instanceof cls, params);
  inst._zod.bag.Class = cls;
  inst._zod.check = (payload) => {
    if (!(payload.value instanceof cls)) {
      payload.issues.push({
        code: "invalid_type",
        expected: cls.name,
        input: payload.value,
        inst,
        path: [...inst._zod.def.path ?? []]
      });
    }
  };
  return inst;
}
__name(_instanceof, "_instanceof");

// node_modules/zod/v4/mini/iso.js
var iso_exports = {};
__export(iso_exports, {
  ZodMiniISODate: () => ZodMiniISODate,
  ZodMiniISODateTime: () => ZodMiniISODateTime,
  ZodMiniISODuration: () => ZodMiniISODuration,
  ZodMiniISOTime: () => ZodMiniISOTime,
  date: () => date2,
  datetime: () => datetime2,
  duration: () => duration2,
  time: () => time2
});
var ZodMiniISODateTime = /* @__PURE__ */ $constructor("ZodMiniISODateTime", (inst, def) => {
  $ZodISODateTime.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function datetime2(params) {
  return _isoDateTime(ZodMiniISODateTime, params);
}
__name(datetime2, "datetime");
var ZodMiniISODate = /* @__PURE__ */ $constructor("ZodMiniISODate", (inst, def) => {
  $ZodISODate.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function date2(params) {
  return _isoDate(ZodMiniISODate, params);
}
__name(date2, "date");
var ZodMiniISOTime = /* @__PURE__ */ $constructor("ZodMiniISOTime", (inst, def) => {
  $ZodISOTime.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function time2(params) {
  return _isoTime(ZodMiniISOTime, params);
}
__name(time2, "time");
var ZodMiniISODuration = /* @__PURE__ */ $constructor("ZodMiniISODuration", (inst, def) => {
  $ZodISODuration.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function duration2(params) {
  return _isoDuration(ZodMiniISODuration, params);
}
__name(duration2, "duration");

// shared/hints.ts
var NO_ACCESS = "The service account has no access to this tenant. Check the TSG ID. If it is correct, assign the account a role in that tenant (Identity & Access in Strata Cloud Manager).";
var NOT_FROM_SCM = "This is not one of SCM's access tokens. Check the token URL.";
var SAME_SERVER = "check that the token URL and the JWKS URL belong to the same server.";
var HINTS = {
  invalid_config: "Fix the listed values.",
  client_secret_unavailable: "Check the function that was passed as clientSecret. If it threw an error, that error is the cause.",
  not_signed_in: "Call accessToken() or refreshToken() first, or start with OAuth2Client.connect().",
  host_not_found: "Check the spelling of the host name. If it is correct, check the DNS settings of this machine.",
  dns_lookup_failed: "Run again. If the problem persists, check the DNS settings of this machine.",
  connection_refused: "Nothing is listening on this port, or a firewall is rejecting the connection. Check the URL, and allow outgoing connections to it.",
  connection_lost: "The server, a firewall, or a proxy closed the connection. Run again. If the problem persists, check the firewall and the proxy.",
  connect_timeout: "A firewall may be dropping packets. Allow outgoing connections to this host and port.",
  response_timeout: "SCM's auth server does this above about ten concurrent token requests per tenant. Run fewer jobs in parallel, share one sign-in between them, or raise the timeout.",
  response_truncated: "The server, a proxy, or a load balancer closed the connection too early. Run again. If the problem persists, check the proxy.",
  untrusted_certificate: "No secret was sent. If a proxy inspects TLS, set NODE_EXTRA_CA_CERTS to the path of its CA certificate (in the action, use ca-cert). If the system trusts it already, set NODE_USE_SYSTEM_CA=1.",
  tls_handshake_failed: "No secret was sent. Check that the port serves https. If it does, a firewall may drop large TLS handshakes: try NODE_OPTIONS=--tls-max-v1.2.",
  proxy_url_invalid: "Set it to http://host:port or http://user:password@host:port. Percent-encode the user and the password.",
  proxy_auth_required: "Set https_proxy=http://user:password@host:port with the correct user and password. Percent-encode both.",
  proxy_refused: "The proxy blocks this host. Allow it there, or add it to no_proxy if it can be reached directly.",
  proxy_unreachable: "Check the host and port in the proxy variable. If the server can be reached without the proxy, add it to no_proxy.",
  rate_limited: "The server limits requests. Share one sign-in between steps and jobs, or raise the timeout.",
  server_error: "Run again later. If the problem persists, check the status page of Strata Cloud Manager.",
  unexpected_redirect: "Redirects are not followed, because they would send the secret to another host. Check the URL. If it is correct, a captive portal or a proxy responded instead of the server.",
  http_error: "Check the token URL and the JWKS URL. If they are correct, find out whether a gateway or a firewall blocks the request.",
  invalid_client: "The client ID or the secret is wrong. Was the secret rotated, or the service account deleted? Are the ID and the secret swapped, or from different accounts? Paste the secret again without quotes or whitespace.",
  invalid_scope: NO_ACCESS,
  unauthorized_client: "This client may not request tokens with client_credentials. Use a service account of Strata Cloud Manager.",
  access_denied: "The account exists, but access was denied. Check its roles in this tenant.",
  oauth_error: "Check the client ID, the tenant, and the token URL.",
  html_response: "The response is an HTML page instead of JSON. Check the URL. If it is correct, a proxy or a captive portal responded instead of the server.",
  invalid_json: "Check the URL. If it is correct, a proxy or a firewall responded instead of the server, or changed the response.",
  response_too_large: "The response did not come from SCM's auth server. Check the URL.",
  invalid_token_response: "SCM's auth server does not send such responses. Check the token URL.",
  invalid_jwks: "The response is not a JWK Set (RFC 7517) with an RSA key. Check the JWKS URL.",
  opaque_token: "An opaque token cannot be verified. Check the token URL. If the server is meant to issue such tokens, set verify to false.",
  malformed_token: NOT_FROM_SCM,
  algorithm_not_allowed: "Only tokens signed with RS256 are accepted. Check the token URL.",
  signing_key_not_found: `If the server has just rotated its keys, run again. Otherwise, ${SAME_SERVER}`,
  invalid_signature: `First, ${SAME_SERVER} If they do, the token was modified in transit: check the proxy.`,
  missing_claim: NOT_FROM_SCM,
  invalid_claim: NOT_FROM_SCM,
  audience_mismatch: "The token was issued to another client. Check the client ID.",
  issuer_mismatch: "The token was issued by another server. Check the token URL and the issuer.",
  tenant_mismatch: NO_ACCESS,
  token_expired: "Check this machine's clock. If it is correct, request a new token.",
  token_not_yet_valid: "Check this machine's clock, and that of the auth server.",
  clock_skew: "Synchronize this machine's clock (NTP), and run again.",
  token_lifetime_unknown: "Use the token directly, or configure the server to send expires_in (RFC 6749 section 5.1).",
  auth_file_invalid_path: "Use a file path in a directory that exists or can be created.",
  auth_file_not_managed: "The file was not overwritten. Use another path, or remove the file.",
  auth_file_in_use: "Use a separate auth file for each identity and each job.",
  auth_file_insecure: "Providers trust the auth file, so it must be a regular file that only this user can access. Remove it, or use another path.",
  auth_file_dir_insecure: "Providers trust the file in it. Use a directory that only this user can write to (chmod go-w).",
  auth_file_permission_denied: "Use a path in a directory that this user can write to.",
  auth_file_disk_full: "Free up disk space or inodes, or use a path on another disk.",
  auth_file_io_error: "Check the path and the file system, or use another path.",
  refresher_failed: "Run the job again. If the problem persists and one token lifetime is enough for the job, set keep-fresh to false.",
  sealed_token_expired: "Sign in again. Sealing does not extend a token's lifetime of about 15 minutes.",
  sealed_token_malformed: "Pass the whole value of the output sealed-token, unchanged.",
  sealed_token_decryption_failed: "Check that both jobs use the same client secret, of the same environment, and that the sealed token is passed on unchanged.",
  sealed_token_too_large: "Pass only the sealed token. A token that is too long to be sealed must be requested by each job.",
  sealed_token_not_jwt: "No other job could verify an opaque token. Sign in within each job that needs one.",
  aborted: "Your program aborted the call. The reason is the error's cause.",
  output_write_failed: "Check that the disk is not full and that the runner's files are writable.",
  internal_error: "This is a bug. Please report it with this line, the version, and the operating system."
};

// shared/version.ts
var VERSION = "1.0.0";
var USER_AGENT = `scm-auth/${VERSION}`;
var DOCS_URL = "https://github.com/OWNER/scm-auth/blob/v1/docs";
var getErrorPage = /* @__PURE__ */ __name((anchor2) => `${DOCS_URL}/troubleshooting.md#${anchor2}`, "getErrorPage");

// shared/errors.ts
var PREFIX = Object.freeze({
  config: "Configuration error",
  file: "File error",
  network: "Network error",
  timeout: "Network error",
  rate_limited: "HTTP error",
  server: "HTTP error",
  rejected: "HTTP error",
  aborted: "Aborted",
  protocol: "Authentication error",
  verification: "Authentication error"
});
var RETRYABLE_KINDS = /* @__PURE__ */ new Set(["network", "timeout", "rate_limited", "server"]);
var NEVER_RETRYABLE = /* @__PURE__ */ new Set([
  "host_not_found",
  "untrusted_certificate",
  "proxy_auth_required"
]);
var ALWAYS_RETRYABLE = /* @__PURE__ */ new Set(["invalid_json"]);
var BRAND = /* @__PURE__ */ Symbol.for("scm-auth.AuthError");
var AuthError = class _AuthError extends Error {
  static {
    __name(this, "AuthError");
  }
  kind;
  code;
  /** What to do about the error. */
  hint;
  /** The URL of the section about this failure in the documentation. */
  docs;
  /** Whether the same call may succeed later without any changes. */
  retryable;
  /** The number of attempts made for the failed request, including the first; 0 if none was made. */
  attempts;
  /** The HTTP status of the response that caused the error; undefined if there was none. */
  status;
  /** The OAuth error code (RFC 6749 section 5.2), for example `invalid_client`; undefined if there was none. */
  oauthError;
  /** The delay in milliseconds that the server requested with `Retry-After` (RFC 9110 section 10.2.3). */
  retryAfterMs;
  /** All configuration problems if the kind is `config`; otherwise empty. */
  issues;
  /** Whether the request may have reached the server and been processed. */
  requestSent;
  /** The message without its prefix. @internal */
  description;
  constructor(description, options) {
    const { kind, code, cause, oauthError } = options;
    const prefix = kind === "rejected" && oauthError !== void 0 ? "Authentication error" : PREFIX[kind];
    const isCallers = kind === "aborted" || code === "client_secret_unavailable";
    const shownCause = isCallers || cause === void 0 ? cause : sanitizeCause(cause);
    super(`${prefix}: ${description}`, cause === void 0 ? {} : { cause: shownCause });
    this.kind = kind;
    this.code = code;
    this.hint = options.hint ?? HINTS[code];
    this.docs = options.docs ?? getErrorPage(code);
    this.retryable = RETRYABLE_KINDS.has(kind) && !NEVER_RETRYABLE.has(code) || ALWAYS_RETRYABLE.has(code);
    this.attempts = options.attempts ?? 0;
    this.status = options.status;
    this.oauthError = oauthError;
    this.retryAfterMs = options.retryAfterMs;
    this.issues = options.issues ?? [];
    this.requestSent = options.requestSent ?? (kind !== "config" && kind !== "file");
    this.description = description;
    Object.defineProperty(this, "description", { enumerable: false });
    Object.defineProperty(this, BRAND, { value: true });
  }
  /** Returns a copy of this error with a different description or options. @internal */
  with(description, changes = {}) {
    return new _AuthError(description, { ...this, cause: this.cause, ...changes });
  }
  /** Whether `value` is an AuthError, including one created by another copy of this package (ESM and CommonJS). */
  static isAuthError(value) {
    return typeof value === "object" && value !== null && BRAND in value;
  }
  /** Makes `JSON.stringify` include the name and the message, which it omits for other errors. */
  toJSON() {
    return Object.assign({ name: this.name, message: this.message }, this);
  }
};
AuthError.prototype.name = "AuthError";
function sanitizeCause(cause) {
  const hasName = typeof cause === "object" && cause !== null && "name" in cause && typeof cause.name === "string";
  return { name: hasName ? cause.name : typeof cause, code: getErrorCode(cause) };
}
__name(sanitizeCause, "sanitizeCause");
function getErrorCode(error) {
  if (typeof error !== "object" || error === null) return void 0;
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError ? getErrorCode(error.errors[0]) : void 0;
}
__name(getErrorCode, "getErrorCode");
function configError(issues) {
  const description = `${issues.map(({ field, message: message2 }) => `${field} ${message2}`).join("; ")}.`;
  const hint = [...new Set(issues.map((issue2) => issue2.hint))].join(" ");
  return new AuthError(description, { kind: "config", code: "invalid_config", issues, hint });
}
__name(configError, "configError");
var verificationError = /* @__PURE__ */ __name((code, description) => new AuthError(description, { kind: "verification", code }), "verificationError");
var abortedError = /* @__PURE__ */ __name((cause, requestSent = true) => new AuthError("the caller's signal was aborted.", { kind: "aborted", code: "aborted", cause, requestSent }), "abortedError");
var TokenExpiredError = class extends AuthError {
  static {
    __name(this, "TokenExpiredError");
  }
  constructor(description = "the access token has expired.") {
    super(description, { kind: "verification", code: "token_expired" });
  }
};
TokenExpiredError.prototype.name = "TokenExpiredError";

// shared/redact.ts
var MAX_QUOTED = 300;
var MAX_INPUT = 16384;
var MIN_LINE = 4;
var MIN_RUN = 8;
var MASK = "***";
var REMOVED = "(removed: it contains part of a secret)";
function sanitize(text2, maxLength = MAX_QUOTED) {
  const line = text2.slice(0, maxLength * 4).toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]+/gu, " ").replace(/\s+/gu, " ").replace(/:(?=:)/g, ": ").replace(/#(?=#|\[)/g, "# ").trim();
  const fits = line.length <= maxLength && text2.length <= maxLength * 4;
  return fits ? line : `${line.slice(0, maxLength).toWellFormed()}...`;
}
__name(sanitize, "sanitize");
function base64Fragments(text2, encoding) {
  const bytes = Buffer.from(text2);
  return [0, 1, 2].map((lead) => {
    const encoded = Buffer.concat([Buffer.alloc(lead), bytes]).toString(encoding);
    return encoded.slice(Math.ceil(lead * 8 / 6), Math.floor((lead + bytes.length) * 8 / 6));
  }).filter((fragment) => fragment.length >= MIN_RUN);
}
__name(base64Fragments, "base64Fragments");
var getJwtFragments = /* @__PURE__ */ __name((text2) => /^[\w-]+\.([\w-]+\.([\w-]{8,}))$/.exec(text2)?.slice(1) ?? [], "getJwtFragments");
function getLines(secret) {
  const lines = secret.toWellFormed().split(/[\r\n]+/);
  return lines.map((line) => line.trim()).filter(({ length }) => length >= (lines.length === 1 ? 1 : MIN_LINE));
}
__name(getLines, "getLines");
var formEncode = /* @__PURE__ */ __name((text2) => new URLSearchParams({ "": text2 }).toString().slice(1), "formEncode");
var toHex = /* @__PURE__ */ __name((text2) => Buffer.from(text2).toString("hex"), "toHex");
function getMasks(secret, { withBase64 = false } = {}) {
  const masks = getLines(secret).flatMap((text2) => [
    text2,
    ...getJwtFragments(text2),
    formEncode(text2),
    toHex(text2),
    toHex(text2).toUpperCase(),
    ...base64Fragments(text2, "base64url"),
    ...withBase64 ? base64Fragments(text2, "base64") : []
  ]);
  return [...new Set(masks)].sort((a, b) => b.length - a.length);
}
__name(getMasks, "getMasks");
var toAsciiLowerCase = /* @__PURE__ */ __name((text2) => text2.replace(/[A-Z]/g, (letter) => letter.toLowerCase()), "toAsciiLowerCase");
var getVariants = /* @__PURE__ */ __name((secret) => [
  ...getMasks(secret, { withBase64: true }),
  ...getLines(secret).flatMap((text2) => [encodeURIComponent(text2), JSON.stringify(text2).slice(1, -1)])
].map(toAsciiLowerCase), "getVariants");
var CHARACTER = /(?:\\x|\\u00|&#x0*)([0-9a-f]{2});?|&#0*(\d{2,3});?|&(?:amp|lt|gt|quot|apos);/gi;
var normalize = /* @__PURE__ */ __name((text2) => text2.replace(
  CHARACTER,
  (_, hex, decimal) => String.fromCharCode(hex === void 0 ? Number(decimal ?? 0) : Number.parseInt(hex, 16))
).replace(/(?:%[0-9a-f]{2})+/gi, (run2) => Buffer.from(run2.replaceAll("%", ""), "hex").toString()).toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ""), "normalize");
var Redactor = class {
  static {
    __name(this, "Redactor");
  }
  #secrets = /* @__PURE__ */ new Set();
  #variants = /* @__PURE__ */ new Set();
  /** Normalized forms of the secrets, for external text. */
  #forms = [];
  constructor(secrets = []) {
    for (const secret of secrets) this.add(secret);
  }
  /** Hides `secret` in all subsequent messages. */
  add(secret) {
    if (this.#secrets.has(secret)) return;
    this.#secrets.add(secret);
    for (const variant of getVariants(secret)) this.#variants.add(variant);
    this.#forms.push(...getForms(secret));
  }
  /** Replaces every form of a secret with `***`. */
  redact(text2) {
    const haystack = toAsciiLowerCase(text2);
    const matches = [];
    for (const variant of this.#variants) {
      for (let at = haystack.indexOf(variant); at !== -1; at = haystack.indexOf(variant, at + 1))
        matches.push([at, at + variant.length]);
    }
    let result = "";
    let position = 0;
    for (const [start, end] of matches.sort((a, b) => a[0] - b[0])) {
      if (start > position || position === 0) result += text2.slice(position, start) + MASK;
      position = Math.max(position, end);
    }
    return result + text2.slice(position);
  }
  /**
   * Formats external text, for example from a server, as part of one line. The whole text is removed if it contains a
   * recognizable part of a secret: plain or in percent, base64, hex, JavaScript, or HTML encoding, regardless of any
   * punctuation in between.
   */
  quote = /* @__PURE__ */ __name((text2, maxLength) => {
    const input = text2.slice(0, MAX_INPUT);
    return this.#containsRun(input) ? REMOVED : this.redact(sanitize(input, maxLength));
  }, "quote");
  /** Only the substrings of `text`, whose length is limited, are kept in memory. Tokens can be much longer. */
  #containsRun(text2) {
    const normalized = normalize(text2);
    const runs = new Set(getRuns(normalized));
    return this.#forms.some((form) => {
      if (form.length <= MIN_RUN) return normalized.includes(form);
      for (const run2 of getRuns(form)) if (runs.has(run2)) return true;
      return false;
    });
  }
};
var getForms = /* @__PURE__ */ __name((secret) => getLines(secret).flatMap((text2) => [text2, toHex(text2), ...base64Fragments(text2, "base64")]).map(normalize).filter((form) => form !== ""), "getForms");
function* getRuns(text2) {
  for (let at = 0; at + MIN_RUN <= text2.length; at++) yield text2.slice(at, at + MIN_RUN);
}
__name(getRuns, "getRuns");

// shared/options.ts
var DEFAULTS = Object.freeze({ timeout: 60, maxRetries: 3, backoff: 0.3 });
var TEST_HOOKS = /* @__PURE__ */ new Set(["clock", "random"]);
var seconds = /* @__PURE__ */ __name((min, max) => [
  number2().check(_gte(min), _lte(max)),
  `a number of seconds from ${min} to ${max}`
], "seconds");
var optionSchemas = {
  minTtl: /* @__PURE__ */ __name(() => seconds(0, 86400), "minTtl"),
  retryBackoff: /* @__PURE__ */ __name(() => seconds(0, 60), "retryBackoff"),
  tokenExpiryBuffer: /* @__PURE__ */ __name(() => seconds(0, 86400), "tokenExpiryBuffer"),
  timeout: /* @__PURE__ */ __name(() => [number2().check(_gt(0), _lte(3600)), "a number of seconds above 0, up to 3600"], "timeout"),
  maxRetries: /* @__PURE__ */ __name(() => [int().check(_gte(0), _lte(20)), "an integer from 0 to 20"], "maxRetries"),
  verify: /* @__PURE__ */ __name(() => [boolean2(), "true or false"], "verify"),
  signal: /* @__PURE__ */ __name(() => [_instanceof(AbortSignal), "an AbortSignal"], "signal"),
  onEvent: /* @__PURE__ */ __name(() => [custom((value) => typeof value === "function"), "a function"], "onEvent"),
  path: /* @__PURE__ */ __name(() => [string2().check(_trim(), _minLength(1)), "a file path"], "path")
};
function copyProperties(value, names) {
  const source = Object(value);
  const inherited = names.filter((name) => name in source && !Object.hasOwn(source, name));
  return { ...source, ...Object.fromEntries(inherited.map((name) => [name, source[name]])) };
}
__name(copyProperties, "copyProperties");
function findOptionIssues(options, schemas, required2 = []) {
  const names = Object.keys(schemas);
  const given = copyProperties(options, names);
  const invalid2 = Object.entries(schemas).flatMap(([field, getSchema]) => {
    const value = given[field];
    if (value === void 0 && !required2.includes(field)) return [];
    const [schema2, expected] = getSchema();
    return schema2.safeParse(value).success ? [] : [{ field, message: `must be ${expected}`, hint: `Set it to ${expected}.` }];
  });
  const unknown2 = Object.keys(given).filter((name) => given[name] !== void 0 && !names.includes(name) && !TEST_HOOKS.has(name)).map((name) => unknownNameIssue(name, names, "option"));
  return [...invalid2, ...unknown2];
}
__name(findOptionIssues, "findOptionIssues");
function unknownNameIssue(name, names, what) {
  const field = sanitize(name, 60);
  const camelCase = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  return names.includes(camelCase) && camelCase !== name ? { field, message: `is not a valid ${what}; did you mean ${camelCase}?`, hint: `Use ${camelCase}.` } : { field, message: `is not a valid ${what}`, hint: `Valid names: ${names.join(", ")}.` };
}
__name(unknownNameIssue, "unknownNameIssue");

// shared/auth-request-schema.ts
var DEFAULT_TOKEN_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";
var URL_HINT = `Use a URL like ${DEFAULT_TOKEN_URL}.`;
var CLIENT_ID_HINT = "Use the client ID exactly as shown in Strata Cloud Manager: name@<TSG ID>.iam.panserviceaccount.com.";
var SERVICE_ACCOUNT_ID = /^[^@]+@(\d+)\.iam\.panserviceaccount\.com$/i;
var INVISIBLE = new RegExp("[\\p{Cf}\\p{Default_Ignorable_Code_Point}\\u2212\\u2800]|(?!-)\\p{Pd}|[^\\S\\t\\n\\v\\f\\r ]", "u");
var QUOTED = /^(["'`\u201c\u2018]).*["'`\u201d\u2019]$/su;
var OBJECT_START = /^\{\s*["'][\w-]+["']\s*:/;
var NAMED = /^(export\s+)?(scm[\s_-])?client[\s_-]?(id|secret)\s*[=:]/i;
var CONTROL = new RegExp("\\p{Cc}", "u");
var WHITESPACE_OR_CONTROL = /[\p{Cc}\s]/u;
var reject = /* @__PURE__ */ __name((isInvalid, message2, hint) => isInvalid ? { message: message2, hint } : void 0, "reject");
var rejectDocument = /* @__PURE__ */ __name((text2) => reject(isDocument(text2), "is a JSON document", "Pass only this value from the document.") ?? reject(NAMED.test(text2), "starts with its name", "Pass only the value after the = or the colon."), "rejectDocument");
var rejectWhitespace = /* @__PURE__ */ __name((text2, hint) => reject(WHITESPACE_OR_CONTROL.test(text2), "contains whitespace or control characters", hint), "rejectWhitespace");
function rejectInvisible(text2) {
  const code = INVISIBLE.exec(text2)?.[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  const message2 = `contains U+${code ?? ""}, which is invisible or looks like another character`;
  return reject(code !== void 0, message2, "Remove this character, or enter the value by hand.");
}
__name(rejectInvisible, "rejectInvisible");
var isQuoted = /* @__PURE__ */ __name((text2) => QUOTED.test(text2), "isQuoted");
function rejectCommon(field, text2) {
  if (field === "ca") return void 0;
  const hint = "Remove the quotes. In an env file they are part of the value.";
  const quotes = reject(isQuoted(text2), "is enclosed in quotes", hint);
  return quotes ?? (field === "clientSecret" ? void 0 : rejectInvisible(text2));
}
__name(rejectCommon, "rejectCommon");
var parseUrl = /* @__PURE__ */ __name((text2) => {
  const problem = rejectWhitespace(text2, URL_HINT) ?? reject(!URL.canParse(text2), "is not a valid URL", URL_HINT);
  if (problem) return problem;
  const url = new URL(text2);
  const httpsHint = "Use https://, because the secret is sent to it (http:// is allowed for localhost only).";
  const hasCredentials2 = url.username !== "" || url.password !== "";
  return reject(!isHttpsOrLoopback(url), "is not an https URL", httpsHint) ?? reject(hasCredentials2, "must not contain credentials", "Remove the part before the @.") ?? reject(text2.includes("?"), "must not have a query string", "Remove the query string.") ?? reject(text2.includes("#"), "must not have a fragment", "Remove the # and everything after it.") ?? url;
}, "parseUrl");
var SWAPPED = "looks like a client ID";
var PARSERS = {
  clientId: /* @__PURE__ */ __name((text2) => rejectDocument(text2) ?? rejectWhitespace(text2, CLIENT_ID_HINT) ?? text2, "clientId"),
  clientSecret: /* @__PURE__ */ __name((text2) => rejectDocument(text2) ?? reject(SERVICE_ACCOUNT_ID.test(text2), SWAPPED, "Check whether the client ID and the client secret are swapped.") ?? reject(CONTROL.test(text2), "contains a line break or a control character", "Paste it again as a single line.") ?? text2, "clientSecret"),
  tsgId: /* @__PURE__ */ __name((text2) => {
    const hint = "Use the numeric ID of the tenant service group (TSG), for example 1234567890.";
    const isInvalid = !/^(tsg_id:)?\d{1,20}$/.test(text2);
    return reject(isInvalid, "must contain digits only", hint) ?? text2.replace(/^tsg_id:/, "");
  }, "tsgId"),
  scope: /* @__PURE__ */ __name((text2) => {
    const isInvalid = invalidScopeTokens(parseScope(text2)).length > 0;
    const hint = "Separate scope values with spaces. Write a tenant as tsg_id:<digits>.";
    return reject(isInvalid, "contains an invalid scope-token (RFC 6749 section 3.3)", hint) ?? text2;
  }, "scope"),
  tokenUrl: parseUrl,
  jwksUrl: parseUrl,
  issuer: /* @__PURE__ */ __name((text2) => reject(CONTROL.test(text2), "contains control characters", "Use the exact iss claim of the tokens.") ?? text2, "issuer"),
  ca: /* @__PURE__ */ __name((text2) => {
    const isPath2 = /^\S+\.(pem|crt|cer)$/i.test(text2);
    if (isPath2) return { message: "is the path of a file", hint: "Pass the content of the file." };
    const { pem, reason } = parseCertificates(text2);
    return reason ?? pem;
  }, "ca")
};
var FIELDS = Object.keys(PARSERS);
var REQUIRED = { clientId: "client ID", clientSecret: "client secret" };
var SUSPECT_SECRET = "The client secret contains a character that is invisible or looks like another one. If the sign-in fails, paste the secret again.";
function parseFields(input) {
  const given = copyProperties(input, FIELDS);
  const fields = {};
  const issues = [];
  const warnings = [];
  for (const field of FIELDS) {
    const value = given[field] ?? "";
    if (field === "clientSecret" && typeof value === "function") {
      fields[field] = value;
      continue;
    }
    const raw = value instanceof URL ? value.href : value;
    if (typeof raw !== "string") {
      issues.push({ field, message: "must be a string", hint: "Pass a string." });
      continue;
    }
    const text2 = raw.trim();
    const label = REQUIRED[field];
    if (text2 === "") {
      const hint = "Set it. An unset variable or secret is passed as an empty string.";
      if (label !== void 0) issues.push({ field, message: "is required", hint, code: "required" });
      continue;
    }
    const parsed = rejectCommon(field, text2) ?? PARSERS[field](text2);
    if (typeof parsed === "object" && "hint" in parsed) issues.push({ field, ...parsed });
    else fields[field] = parsed;
    if (text2 !== raw && label !== void 0) warnings.push(`Trimmed whitespace around the ${label}.`);
    if (field === "clientSecret" && INVISIBLE.test(text2)) warnings.push(SUSPECT_SECRET);
  }
  return {
    fields,
    issues,
    warnings,
    isSwapped: issues.some(({ message: message2 }) => message2 === SWAPPED)
  };
}
__name(parseFields, "parseFields");
function isDocument(text2) {
  if (!/^[[{]/.test(text2)) return false;
  if (OBJECT_START.test(text2)) return true;
  try {
    JSON.parse(text2);
    return true;
  } catch {
    return false;
  }
}
__name(isDocument, "isDocument");

// shared/environment.ts
var VARIABLES = Object.freeze({
  clientId: ["SCM_CLIENT_ID"],
  clientSecret: ["SCM_CLIENT_SECRET"],
  tsgId: ["SCM_TSG_ID"],
  scope: ["SCM_SCOPE"],
  tokenUrl: ["SCM_TOKEN_URL", "SCM_AUTH_URL"]
});
function readEnvironment(env) {
  const names = mapFields((field) => findVariable(field, env) ?? VARIABLES[field][0] ?? "");
  const input = mapFields((field) => env[names[field]]);
  const url = input.tokenUrl?.trim() ?? "";
  if (url === "" || isQuoted(url) || url.endsWith("/access_token")) return { input, issues: [], names };
  const issue2 = { field: names.tokenUrl, message: "does not end in /access_token", hint: URL_HINT };
  return { input: { ...input, tokenUrl: void 0 }, issues: [issue2], names };
}
__name(readEnvironment, "readEnvironment");
function completeFromEnvironment(given, env) {
  const isGiven = /* @__PURE__ */ __name((field) => given[field] !== void 0 && given[field] !== "", "isGiven");
  const hasIdentity = ["clientId", "tsgId", "scope"].some(isGiven);
  const isUsed = /* @__PURE__ */ __name((field) => !isGiven(field) && !(hasIdentity && ["tsgId", "scope"].includes(field)), "isUsed");
  const { input, issues, names } = readEnvironment(env);
  return {
    input: mapFields((field) => isUsed(field) ? input[field] : void 0),
    issues: isUsed("tokenUrl") ? issues : [],
    names: mapFields((field) => {
      if (!isUsed(field)) return field;
      return findVariable(field, env) ?? `${field} (or ${names[field]})`;
    })
  };
}
__name(completeFromEnvironment, "completeFromEnvironment");
var findVariable = /* @__PURE__ */ __name((field, env) => VARIABLES[field].find((name) => (env[name] ?? "").trim() !== ""), "findVariable");
function mapFields(getValue) {
  const fields = Object.keys(VARIABLES);
  return Object.fromEntries(fields.map((field) => [field, getValue(field)]));
}
__name(mapFields, "mapFields");

// shared/auth-request.ts
var BRAND2 = /* @__PURE__ */ Symbol.for("scm-auth.AuthRequest");
var AuthRequest = class _AuthRequest {
  static {
    __name(this, "AuthRequest");
  }
  /** The client ID of the service account. */
  clientId;
  /** The requested scope, exactly as sent. */
  scope;
  /** The requested tenants, all of which the token must grant; empty if the scope contains no tenant. */
  tsgIds;
  /** The requested tenant; undefined unless the scope contains exactly one. */
  tsgId;
  /** The URL of the token endpoint. */
  tokenUrl;
  /** The URL of the authorization server's JWK Set (RFC 7517). */
  jwksUrl;
  /** The expected `iss` claim; undefined if any issuer is accepted. */
  issuer;
  /** CA certificates in PEM format to trust in addition to Node's defaults. */
  ca;
  /** Sentences that tell the user what was assumed or corrected. */
  warnings;
  #fields;
  #clientSecret;
  constructor(fields, warnings) {
    this.#fields = fields;
    this.clientId = fields.clientId;
    this.#clientSecret = typeof fields.clientSecret === "string" ? fields.clientSecret : "";
    this.scope = fields.scope;
    this.tsgIds = getTsgIds(parseScope(fields.scope));
    this.tsgId = this.tsgIds.length === 1 ? this.tsgIds[0] : void 0;
    const defaultTokenUrl = new URL(DEFAULT_TOKEN_URL);
    this.tokenUrl = fields.tokenUrl ?? defaultTokenUrl;
    const jwksBase = this.tokenUrl.host === defaultTokenUrl.host ? defaultTokenUrl : this.tokenUrl;
    this.jwksUrl = fields.jwksUrl ?? new URL("connect/jwk_uri", jwksBase);
    this.issuer = fields.issuer;
    this.ca = fields.ca;
    this.warnings = warnings;
    Object.defineProperty(this, BRAND2, { value: true });
  }
  /** The client secret of the service account. If it is a function, the value that it last returned, initially empty. */
  get clientSecret() {
    return this.#clientSecret;
  }
  /**
   * Returns a copy with some fields replaced, for example for another tenant of the same account, or with a new secret.
   * A new `tsgId` replaces the tenants in the scope.
   *
   * @example
   * ```ts
   * const request = AuthRequest.fromEnv();
   * const other = await OAuth2Client.connect(request.with({ tsgId: "1234567890" }));
   * ```
   * @throws AuthError of kind `config` with all issues. A field that is undefined or blank is an issue; otherwise, an
   *   unset variable would select the old tenant
   */
  with(changes) {
    const given = copyProperties(changes, FIELDS);
    const missing = Object.entries(given).filter(
      ([, value]) => typeof value === "string" ? value.trim() === "" : (value ?? void 0) === void 0
    );
    if (missing.length > 0) {
      const hint = "Set it. To keep the current value, omit the field.";
      throw configError(missing.map(([field]) => ({ field, message: "is required", hint, code: "required" })));
    }
    const input = { ...this.#fields, tsgId: void 0, ...given };
    if (given["tsgId"] === void 0 || given["scope"] !== void 0) return _AuthRequest.parse(input);
    const { scope } = _AuthRequest.parse({ ...input, scope: void 0 });
    const otherTokens = parseScope(this.scope).filter((token) => !token.startsWith("tsg_id:"));
    return _AuthRequest.parse({ ...input, scope: [scope, ...otherTokens].join(" ") });
  }
  /**
   * Returns every field as text, with the current client secret. A request parsed from the result is equal to this one.
   *
   * @internal
   */
  toInput() {
    const entries = FIELDS.map((field) => [field, this[field]?.toString()]);
    return Object.fromEntries(entries);
  }
  /**
   * If the client secret is a function, calls it and makes its result the current secret.
   *
   * @returns undefined if it is not a function
   * @throws AuthError of kind `config` if the function fails or returns something invalid
   * @internal
   */
  updateClientSecret(signal) {
    const { clientSecret } = this.#fields;
    return typeof clientSecret === "function" ? this.#updateClientSecret(clientSecret, signal) : void 0;
  }
  async #updateClientSecret(getClientSecret, signal) {
    let value;
    try {
      value = await getClientSecret({ signal });
    } catch (cause) {
      const description = "the function that returns the client secret failed.";
      throw new AuthError(description, { kind: "config", code: "client_secret_unavailable", cause });
    }
    const { fields, issues } = parseFields({ clientSecret: typeof value === "string" ? value : "" });
    if (typeof fields.clientSecret !== "string")
      throw configError(issues.filter(({ field }) => field === "clientSecret"));
    this.#clientSecret = fields.clientSecret;
  }
  /** Whether `value` is an AuthRequest, including one created by another copy of this package (ESM and CommonJS). */
  static isAuthRequest(value) {
    return typeof value === "object" && value !== null && BRAND2 in value;
  }
  /**
   * Validates the fields and creates a request.
   *
   * @throws AuthError of kind `config` with all issues; no issue contains a field's value
   */
  static parse(input) {
    return getRequest(_AuthRequest.safeParse(input));
  }
  /** Like {@link AuthRequest.parse}, but returns the issues instead of throwing them. */
  static safeParse(input) {
    return _AuthRequest.#validate(input, findUnknownFields(input), {});
  }
  /**
   * Reads a request from `SCM_CLIENT_ID`, `SCM_CLIENT_SECRET`, `SCM_TSG_ID`, `SCM_SCOPE`, and `SCM_TOKEN_URL` (or
   * `SCM_AUTH_URL` if `SCM_TOKEN_URL` is not set). Blank variables are treated as unset.
   *
   * @param env - the environment variables. Default: `process.env`
   * @throws AuthError of kind `config`; its `issues` name the variables, and no issue contains a value
   */
  static fromEnv(env = process.env) {
    const { input, issues, names } = readEnvironment(env);
    return getRequest(_AuthRequest.#validate(input, issues, names));
  }
  /**
   * Takes each field from `input` or, if missing, from the environment, like {@link AuthRequest.fromEnv}. Empty fields
   * are treated as missing.
   *
   * @throws AuthError of kind `config`; its `issues` name each field as the caller wrote it, or its environment
   *   variable
   * @internal
   */
  static fromArgs(input, env = process.env) {
    const { input: fromEnvironment, issues, names } = completeFromEnvironment(input, env);
    const given = Object.entries(copyProperties(input, FIELDS)).filter(
      ([, value]) => value !== void 0 && value !== ""
    );
    const fields = { ...fromEnvironment, ...Object.fromEntries(given) };
    return getRequest(_AuthRequest.#validate(fields, [...findUnknownFields(input), ...issues], names));
  }
  /**
   * @param knownIssues - issues that were already found
   * @param names - the names by which the user knows the fields, if they differ
   */
  static #validate(input, knownIssues, names) {
    const { fields, issues: found, warnings, isSwapped } = parseFields(input);
    const isResolvable = !isSwapped && !found.some(({ field }) => SCOPE_SOURCES.has(field));
    const { scope, issue: issue2, warning } = isResolvable ? resolveScope(fields) : {};
    const named = [...found, ...issue2 ? [issue2] : []].map((one) => {
      return { ...one, field: names[one.field] ?? one.field };
    });
    const issues = [...knownIssues, ...named];
    const { clientId, clientSecret } = fields;
    if (issues.length > 0 || clientId === void 0 || clientSecret === void 0 || scope === void 0)
      return { issues };
    const complete = { ...fields, clientId, clientSecret, scope };
    return { request: new _AuthRequest(complete, warning === void 0 ? warnings : [...warnings, warning]) };
  }
};
defineInspect(
  AuthRequest.prototype,
  (request) => `AuthRequest { ${request.clientId} ${request.scope} ${request.tokenUrl.href} }`
);
function getRequest(result) {
  if ("issues" in result) throw configError(result.issues);
  return result.request;
}
__name(getRequest, "getRequest");
var findUnknownFields = /* @__PURE__ */ __name((input) => Object.keys(input ?? {}).filter((name) => !FIELDS.includes(name)).map((name) => unknownNameIssue(name, FIELDS, "field")), "findUnknownFields");
var SCOPE_SOURCES = /* @__PURE__ */ new Set(["clientId", "tsgId", "scope"]);
function resolveScope({ clientId, tsgId, scope }) {
  if (scope === void 0) {
    const fromClientId = SERVICE_ACCOUNT_ID.exec(clientId ?? "")?.[1];
    const id = tsgId ?? fromClientId;
    if (id === void 0) {
      const message2 = "is required: the client ID does not contain a tenant";
      const hint = "Set the numeric ID of the tenant service group (TSG).";
      return { issue: { field: "tsgId", message: message2, hint, code: "required" } };
    }
    const warning2 = `Using tenant ${id} from the client ID. Set the TSG ID to use another tenant.`;
    return { scope: tsgScope(id), ...tsgId === void 0 && { warning: warning2 } };
  }
  const tokens = parseScope(scope);
  const tsgIds = getTsgIds(tokens);
  if (tsgId !== void 0 && (tsgIds.length !== 1 || tsgIds[0] !== tsgId)) {
    const expected = [tsgScope(tsgId), ...tokens.filter((token) => !token.startsWith("tsg_id:"))].join(" ");
    const hint = `Use "${expected}" or omit the scope.`;
    return { issue: { field: "scope", message: "does not match the TSG ID", hint } };
  }
  const warning = "The scope contains no tsg_id, so the token's tenant is not verified.";
  return { scope: tokens.join(" "), ...tsgIds.length === 0 && { warning } };
}
__name(resolveScope, "resolveScope");

// shared/clock.ts
var MAX_CLOCK_ADJUSTMENT = 2e3;
function createElapsedClock(now2, monotonic2) {
  let offset = now2() - monotonic2();
  let suspended = 0;
  return () => {
    const time3 = monotonic2();
    const drift = now2() - time3 - offset;
    if (drift > MAX_CLOCK_ADJUSTMENT) suspended += drift;
    if (drift > MAX_CLOCK_ADJUSTMENT || drift < 0) offset += drift;
    return time3 + suspended;
  };
}
__name(createElapsedClock, "createElapsedClock");
var now = /* @__PURE__ */ __name(() => Date.now(), "now");
var monotonic = /* @__PURE__ */ __name(() => performance.now(), "monotonic");
var createTimer = /* @__PURE__ */ __name((keepsAlive) => (callback, delay) => {
  const timer = setTimeout(callback, Math.min(2 ** 31 - 1, Math.ceil(delay)));
  if (!keepsAlive) timer.unref();
  return () => {
    clearTimeout(timer);
  };
}, "createTimer");
var systemClock = {
  now,
  monotonic,
  elapsed: createElapsedClock(now, monotonic),
  setTimeout: createTimer(true)
};
var backgroundClock = { ...systemClock, setTimeout: createTimer(false) };
function sleep(clock, delay, signal) {
  return new Promise((resolve5) => {
    if (signal?.aborted) {
      resolve5();
      return;
    }
    const done = /* @__PURE__ */ __name(() => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve5();
    }, "done");
    const cancel = clock.setTimeout(done, delay);
    signal?.addEventListener("abort", done, { once: true });
  });
}
__name(sleep, "sleep");

// shared/events.ts
function safeListener(listener) {
  return (event) => {
    try {
      void Promise.resolve(listener?.(event)).catch(() => void 0);
    } catch {
    }
  };
}
__name(safeListener, "safeListener");

// shared/http/proxy.ts
var import_node_net = require("node:net");
var HTTPS_VARIABLES = ["https_proxy", "HTTPS_PROXY"];
var HTTP_VARIABLES = ["http_proxy", "HTTP_PROXY"];
var NO_PROXY_VARIABLES = ["no_proxy", "NO_PROXY"];
var findVariable2 = /* @__PURE__ */ __name((names) => names.find((name) => process.env[name]), "findVariable");
var getHostPort = /* @__PURE__ */ __name(({ protocol, hostname, port }) => `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`, "getHostPort");
var getProxyName = /* @__PURE__ */ __name(({ host, variable }) => `the proxy ${host} (from ${variable})`, "getProxyName");
function getProxy(url) {
  const variable = findVariable2(HTTPS_VARIABLES);
  if (variable === void 0 || !isProxied(url)) return void 0;
  const proxy = parseProxyUrl(process.env[variable] ?? "");
  if (proxy) return { ...proxy, host: getHostPort(proxy.url), variable };
  throw new AuthError(`${variable} is not a valid proxy URL.`, { kind: "config", code: "proxy_url_invalid" });
}
__name(getProxy, "getProxy");
function parseProxyUrl(value) {
  if (/["'\\]/.test(value)) return void 0;
  try {
    const url = new URL(/^\s*(https?:|[\w+.-]+:\/\/)/i.test(value) ? value : `http://${value}`);
    if (!/^https?:$/.test(url.protocol)) return void 0;
    if (url.pathname.length > 1 || url.search !== "" || url.hash !== "") return void 0;
    return { url, username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    return void 0;
  }
}
__name(parseProxyUrl, "parseProxyUrl");
var isProxied = /* @__PURE__ */ __name((url) => url.protocol === "https:" && !isLoopback(url) && !getNoProxyEntries().some((entry) => matchesEntry(url, entry)), "isProxied");
var getNoProxyEntries = /* @__PURE__ */ __name(() => (process.env[findVariable2(NO_PROXY_VARIABLES) ?? ""] ?? "").toLowerCase().split(/[\s,]+/).filter(Boolean), "getNoProxyEntries");
function matchesEntry(url, entry) {
  const name = entry.replace(/^\*\./, ".");
  const suffix = name.startsWith(".") ? name : `.${name}`;
  return entry === "*" || [url.hostname, getHostPort(url)].some((host) => host === name || host.endsWith(suffix));
}
__name(matchesEntry, "matchesEntry");
var NO_PROXY_ENTRY = /^(\*|((\*?\.)?[\w-]+(\.[\w-]+)*|\[[\da-f:.]+\])(:\d+)?)$/;
var ADDRESS_RANGE = /^[\da-f:.]+(\/\d+)?$/;
function describeIgnoredEntries(url) {
  if (findVariable2(HTTPS_VARIABLES) === void 0 || !isProxied(url)) return void 0;
  const isName = (0, import_node_net.isIP)(url.hostname.replace(/[[\]]/g, "")) === 0;
  const ignored = getNoProxyEntries().filter(
    (entry) => !NO_PROXY_ENTRY.test(entry) && !(isName && ADDRESS_RANGE.test(entry))
  );
  if (ignored.length === 0) return void 0;
  const shown = sanitize(ignored.map((entry) => entry.replace(/^.*@/, "")).join(", "), 100);
  const variable = findVariable2(NO_PROXY_VARIABLES) ?? "";
  return `${variable} contains entries that are ignored: ${shown}. Use host names or domains, separated by commas.`;
}
__name(describeIgnoredEntries, "describeIgnoredEntries");
function getConnectionHint(code, url) {
  const reason = explainVariables(url);
  return reason === void 0 ? HINTS[code] : `${reason} Otherwise: ${HINTS[code]}`;
}
__name(getConnectionHint, "getConnectionHint");
function explainVariables(url) {
  if (url.protocol !== "https:" || isLoopback(url)) return void 0;
  const variable = findVariable2(HTTPS_VARIABLES);
  if (variable !== void 0 && !isProxied(url))
    return `${findVariable2(NO_PROXY_VARIABLES) ?? ""} excludes ${url.hostname} from the proxy in ${variable}. Change it if this host needs the proxy.`;
  if (variable !== void 0) return describeIgnoredEntries(url);
  const unused = findVariable2([...HTTP_VARIABLES, "all_proxy", "ALL_PROXY"]);
  if (unused === void 0 || !isProxied(url)) return void 0;
  return `${unused} is set, but it is not used for https URLs. Set https_proxy if this host needs a proxy.`;
}
__name(explainVariables, "explainVariables");
var MIN_PASSWORD_LENGTH = 4;
function getProxyPasswords(env) {
  const passwords = [...HTTPS_VARIABLES, ...HTTP_VARIABLES].flatMap((name) => {
    const value = env[name] ?? "";
    const [, raw = ""] = /^["'\s]*(?:\w+:\/\/)?[^/@:]*:(?!\/\/)(.*)@/s.exec(value) ?? [];
    return [raw, parseProxyUrl(value)?.password ?? ""];
  });
  return [...new Set(passwords)].filter((password) => password.length >= MIN_PASSWORD_LENGTH);
}
__name(getProxyPasswords, "getProxyPasswords");
function getConnectHeaders(target, { username, password }) {
  const host = getHostPort(target);
  if (username === "" && password === "") return { host };
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  return { host, "proxy-authorization": `Basic ${credentials}` };
}
__name(getConnectHeaders, "getConnectHeaders");
var TRANSIENT_REFUSAL_HINT = "The proxy could not connect to the host, or it is overloaded. Run again. If the problem persists, check the proxy, or add the host to no_proxy.";
function getTunnelError({ statusCode: status = 0, headers }, head, target, proxy) {
  if (status >= 200 && status < 300 && head.length === 0) return void 0;
  if (status === 407) return proxyAuthError(headers["proxy-authenticate"] ?? "", target, proxy);
  const detail = `status ${status}${status >= 200 && status < 300 ? " with content" : ""}`;
  const isTransient = status >= 500 || status === 429 || status === 408;
  return new AuthError(`${getProxyName(proxy)} refused the tunnel to ${getHostPort(target)} (${detail}).`, {
    kind: isTransient ? "network" : "rejected",
    code: "proxy_refused",
    status,
    requestSent: false,
    hint: isTransient ? TRANSIENT_REFUSAL_HINT : getConnectionHint("proxy_refused", target)
  });
}
__name(getTunnelError, "getTunnelError");
function proxyAuthError(authenticate, target, proxy) {
  const schemes = authenticate.match(/\b(basic|negotiate|ntlm|kerberos|digest|bearer)\b/gi) ?? [];
  const needsOther = schemes.length > 0 && !/\bbasic\b/i.test(authenticate);
  const reason = needsOther ? `requires authentication by ${[...new Set(schemes)].join(" or ")}` : proxy.username === "" && proxy.password === "" ? "requires a user and password" : "rejected the user and password";
  const hint = `Only Basic authentication is supported. Run a local forwarder for the other schemes, for example Cntlm or Px, and set ${proxy.variable} to it.`;
  return new AuthError(`${getProxyName(proxy)} ${reason} (407).`, {
    ...{ kind: "network", code: "proxy_auth_required", status: 407, requestSent: false },
    hint: needsOther ? hint : getConnectionHint("proxy_auth_required", target)
  });
}
__name(proxyAuthError, "proxyAuthError");

// shared/duration.ts
var UNITS = [
  [864e5, "d"],
  [36e5, "h"],
  [6e4, "min"],
  [1e3, "s"]
];
function formatDuration(duration3) {
  if (duration3 < 1e4) return `${Math.max(0, Math.round(duration3 / 100) / 10)} s`;
  let rest = Math.round(duration3 / 1e3) * 1e3;
  const parts = [];
  for (const [length, name] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ");
}
__name(formatDuration, "formatDuration");

// shared/http/request.ts
var import_node_events2 = require("node:events");

// node_modules/@actions/http-client/lib/index.js
var http = __toESM(require("http"));
var https = __toESM(require("https"));

// node_modules/@actions/http-client/lib/proxy.js
function getProxyUrl(reqUrl) {
  const usingSsl = reqUrl.protocol === "https:";
  if (checkBypass(reqUrl)) {
    return void 0;
  }
  const proxyVar = (() => {
    if (usingSsl) {
      return process.env["https_proxy"] || process.env["HTTPS_PROXY"];
    } else {
      return process.env["http_proxy"] || process.env["HTTP_PROXY"];
    }
  })();
  if (proxyVar) {
    try {
      return new DecodedURL(proxyVar);
    } catch (_a2) {
      if (!proxyVar.startsWith("http://") && !proxyVar.startsWith("https://"))
        return new DecodedURL(`http://${proxyVar}`);
    }
  } else {
    return void 0;
  }
}
__name(getProxyUrl, "getProxyUrl");
function checkBypass(reqUrl) {
  if (!reqUrl.hostname) {
    return false;
  }
  const reqHost = reqUrl.hostname;
  if (isLoopbackAddress(reqHost)) {
    return true;
  }
  const noProxy = process.env["no_proxy"] || process.env["NO_PROXY"] || "";
  if (!noProxy) {
    return false;
  }
  let reqPort;
  if (reqUrl.port) {
    reqPort = Number(reqUrl.port);
  } else if (reqUrl.protocol === "http:") {
    reqPort = 80;
  } else if (reqUrl.protocol === "https:") {
    reqPort = 443;
  }
  const upperReqHosts = [reqUrl.hostname.toUpperCase()];
  if (typeof reqPort === "number") {
    upperReqHosts.push(`${upperReqHosts[0]}:${reqPort}`);
  }
  for (const upperNoProxyItem of noProxy.split(",").map((x) => x.trim().toUpperCase()).filter((x) => x)) {
    if (upperNoProxyItem === "*" || upperReqHosts.some((x) => x === upperNoProxyItem || x.endsWith(`.${upperNoProxyItem}`) || upperNoProxyItem.startsWith(".") && x.endsWith(`${upperNoProxyItem}`))) {
      return true;
    }
  }
  return false;
}
__name(checkBypass, "checkBypass");
function isLoopbackAddress(host) {
  const hostLower = host.toLowerCase();
  return hostLower === "localhost" || hostLower.startsWith("127.") || hostLower.startsWith("[::1]") || hostLower.startsWith("[0:0:0:0:0:0:0:1]");
}
__name(isLoopbackAddress, "isLoopbackAddress");
var DecodedURL = class extends URL {
  static {
    __name(this, "DecodedURL");
  }
  constructor(url, base) {
    super(url, base);
    this._decodedUsername = decodeURIComponent(super.username);
    this._decodedPassword = decodeURIComponent(super.password);
  }
  get username() {
    return this._decodedUsername;
  }
  get password() {
    return this._decodedPassword;
  }
};

// unused:tunnel
var httpsOverHttp = /* @__PURE__ */ __name(() => void 0, "httpsOverHttp");
var httpsOverHttps = httpsOverHttp;
var httpOverHttp = httpsOverHttp;
var httpOverHttps = httpsOverHttp;

// unused:undici
var ProxyAgent = class {
  static {
    __name(this, "ProxyAgent");
  }
  constructor() {
    throw new Error("undici is not part of this bundle");
  }
};

// node_modules/@actions/http-client/lib/index.js
var __awaiter = function(thisArg, _arguments, P, generator) {
  function adopt(value) {
    return value instanceof P ? value : new P(function(resolve5) {
      resolve5(value);
    });
  }
  __name(adopt, "adopt");
  return new (P || (P = Promise))(function(resolve5, reject2) {
    function fulfilled(value) {
      try {
        step(generator.next(value));
      } catch (e) {
        reject2(e);
      }
    }
    __name(fulfilled, "fulfilled");
    function rejected(value) {
      try {
        step(generator["throw"](value));
      } catch (e) {
        reject2(e);
      }
    }
    __name(rejected, "rejected");
    function step(result) {
      result.done ? resolve5(result.value) : adopt(result.value).then(fulfilled, rejected);
    }
    __name(step, "step");
    step((generator = generator.apply(thisArg, _arguments || [])).next());
  });
};
var HttpCodes;
(function(HttpCodes2) {
  HttpCodes2[HttpCodes2["OK"] = 200] = "OK";
  HttpCodes2[HttpCodes2["MultipleChoices"] = 300] = "MultipleChoices";
  HttpCodes2[HttpCodes2["MovedPermanently"] = 301] = "MovedPermanently";
  HttpCodes2[HttpCodes2["ResourceMoved"] = 302] = "ResourceMoved";
  HttpCodes2[HttpCodes2["SeeOther"] = 303] = "SeeOther";
  HttpCodes2[HttpCodes2["NotModified"] = 304] = "NotModified";
  HttpCodes2[HttpCodes2["UseProxy"] = 305] = "UseProxy";
  HttpCodes2[HttpCodes2["SwitchProxy"] = 306] = "SwitchProxy";
  HttpCodes2[HttpCodes2["TemporaryRedirect"] = 307] = "TemporaryRedirect";
  HttpCodes2[HttpCodes2["PermanentRedirect"] = 308] = "PermanentRedirect";
  HttpCodes2[HttpCodes2["BadRequest"] = 400] = "BadRequest";
  HttpCodes2[HttpCodes2["Unauthorized"] = 401] = "Unauthorized";
  HttpCodes2[HttpCodes2["PaymentRequired"] = 402] = "PaymentRequired";
  HttpCodes2[HttpCodes2["Forbidden"] = 403] = "Forbidden";
  HttpCodes2[HttpCodes2["NotFound"] = 404] = "NotFound";
  HttpCodes2[HttpCodes2["MethodNotAllowed"] = 405] = "MethodNotAllowed";
  HttpCodes2[HttpCodes2["NotAcceptable"] = 406] = "NotAcceptable";
  HttpCodes2[HttpCodes2["ProxyAuthenticationRequired"] = 407] = "ProxyAuthenticationRequired";
  HttpCodes2[HttpCodes2["RequestTimeout"] = 408] = "RequestTimeout";
  HttpCodes2[HttpCodes2["Conflict"] = 409] = "Conflict";
  HttpCodes2[HttpCodes2["Gone"] = 410] = "Gone";
  HttpCodes2[HttpCodes2["TooManyRequests"] = 429] = "TooManyRequests";
  HttpCodes2[HttpCodes2["InternalServerError"] = 500] = "InternalServerError";
  HttpCodes2[HttpCodes2["NotImplemented"] = 501] = "NotImplemented";
  HttpCodes2[HttpCodes2["BadGateway"] = 502] = "BadGateway";
  HttpCodes2[HttpCodes2["ServiceUnavailable"] = 503] = "ServiceUnavailable";
  HttpCodes2[HttpCodes2["GatewayTimeout"] = 504] = "GatewayTimeout";
})(HttpCodes || (HttpCodes = {}));
var Headers;
(function(Headers2) {
  Headers2["Accept"] = "accept";
  Headers2["ContentType"] = "content-type";
})(Headers || (Headers = {}));
var MediaTypes;
(function(MediaTypes2) {
  MediaTypes2["ApplicationJson"] = "application/json";
})(MediaTypes || (MediaTypes = {}));
var HttpRedirectCodes = [
  HttpCodes.MovedPermanently,
  HttpCodes.ResourceMoved,
  HttpCodes.SeeOther,
  HttpCodes.TemporaryRedirect,
  HttpCodes.PermanentRedirect
];
var HttpResponseRetryCodes = [
  HttpCodes.BadGateway,
  HttpCodes.ServiceUnavailable,
  HttpCodes.GatewayTimeout
];
var RetryableHttpVerbs = ["OPTIONS", "GET", "DELETE", "HEAD"];
var ExponentialBackoffCeiling = 10;
var ExponentialBackoffTimeSlice = 5;
var HttpClientError = class _HttpClientError extends Error {
  static {
    __name(this, "HttpClientError");
  }
  constructor(message2, statusCode) {
    super(message2);
    this.name = "HttpClientError";
    this.statusCode = statusCode;
    Object.setPrototypeOf(this, _HttpClientError.prototype);
  }
};
var HttpClientResponse = class {
  static {
    __name(this, "HttpClientResponse");
  }
  constructor(message2) {
    this.message = message2;
  }
  readBody() {
    return __awaiter(this, void 0, void 0, function* () {
      return new Promise((resolve5) => __awaiter(this, void 0, void 0, function* () {
        let output = Buffer.alloc(0);
        this.message.on("data", (chunk) => {
          output = Buffer.concat([output, chunk]);
        });
        this.message.on("end", () => {
          resolve5(output.toString());
        });
      }));
    });
  }
  readBodyBuffer() {
    return __awaiter(this, void 0, void 0, function* () {
      return new Promise((resolve5) => __awaiter(this, void 0, void 0, function* () {
        const chunks = [];
        this.message.on("data", (chunk) => {
          chunks.push(chunk);
        });
        this.message.on("end", () => {
          resolve5(Buffer.concat(chunks));
        });
      }));
    });
  }
};
var HttpClient = class {
  static {
    __name(this, "HttpClient");
  }
  constructor(userAgent, handlers, requestOptions) {
    this._ignoreSslError = false;
    this._allowRedirects = true;
    this._allowRedirectDowngrade = false;
    this._maxRedirects = 50;
    this._allowRetries = false;
    this._maxRetries = 1;
    this._keepAlive = false;
    this._disposed = false;
    this.userAgent = this._getUserAgentWithOrchestrationId(userAgent);
    this.handlers = handlers || [];
    this.requestOptions = requestOptions;
    if (requestOptions) {
      if (requestOptions.ignoreSslError != null) {
        this._ignoreSslError = requestOptions.ignoreSslError;
      }
      this._socketTimeout = requestOptions.socketTimeout;
      if (requestOptions.allowRedirects != null) {
        this._allowRedirects = requestOptions.allowRedirects;
      }
      if (requestOptions.allowRedirectDowngrade != null) {
        this._allowRedirectDowngrade = requestOptions.allowRedirectDowngrade;
      }
      if (requestOptions.maxRedirects != null) {
        this._maxRedirects = Math.max(requestOptions.maxRedirects, 0);
      }
      if (requestOptions.keepAlive != null) {
        this._keepAlive = requestOptions.keepAlive;
      }
      if (requestOptions.allowRetries != null) {
        this._allowRetries = requestOptions.allowRetries;
      }
      if (requestOptions.maxRetries != null) {
        this._maxRetries = requestOptions.maxRetries;
      }
    }
  }
  options(requestUrl, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("OPTIONS", requestUrl, null, additionalHeaders || {});
    });
  }
  get(requestUrl, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("GET", requestUrl, null, additionalHeaders || {});
    });
  }
  del(requestUrl, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("DELETE", requestUrl, null, additionalHeaders || {});
    });
  }
  post(requestUrl, data, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("POST", requestUrl, data, additionalHeaders || {});
    });
  }
  patch(requestUrl, data, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("PATCH", requestUrl, data, additionalHeaders || {});
    });
  }
  put(requestUrl, data, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("PUT", requestUrl, data, additionalHeaders || {});
    });
  }
  head(requestUrl, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request("HEAD", requestUrl, null, additionalHeaders || {});
    });
  }
  sendStream(verb, requestUrl, stream, additionalHeaders) {
    return __awaiter(this, void 0, void 0, function* () {
      return this.request(verb, requestUrl, stream, additionalHeaders);
    });
  }
  /**
   * Gets a typed object from an endpoint
   * Be aware that not found returns a null.  Other errors (4xx, 5xx) reject the promise
   */
  getJson(requestUrl_1) {
    return __awaiter(this, arguments, void 0, function* (requestUrl, additionalHeaders = {}) {
      additionalHeaders[Headers.Accept] = this._getExistingOrDefaultHeader(additionalHeaders, Headers.Accept, MediaTypes.ApplicationJson);
      const res = yield this.get(requestUrl, additionalHeaders);
      return this._processResponse(res, this.requestOptions);
    });
  }
  postJson(requestUrl_1, obj_1) {
    return __awaiter(this, arguments, void 0, function* (requestUrl, obj, additionalHeaders = {}) {
      const data = JSON.stringify(obj, null, 2);
      additionalHeaders[Headers.Accept] = this._getExistingOrDefaultHeader(additionalHeaders, Headers.Accept, MediaTypes.ApplicationJson);
      additionalHeaders[Headers.ContentType] = this._getExistingOrDefaultContentTypeHeader(additionalHeaders, MediaTypes.ApplicationJson);
      const res = yield this.post(requestUrl, data, additionalHeaders);
      return this._processResponse(res, this.requestOptions);
    });
  }
  putJson(requestUrl_1, obj_1) {
    return __awaiter(this, arguments, void 0, function* (requestUrl, obj, additionalHeaders = {}) {
      const data = JSON.stringify(obj, null, 2);
      additionalHeaders[Headers.Accept] = this._getExistingOrDefaultHeader(additionalHeaders, Headers.Accept, MediaTypes.ApplicationJson);
      additionalHeaders[Headers.ContentType] = this._getExistingOrDefaultContentTypeHeader(additionalHeaders, MediaTypes.ApplicationJson);
      const res = yield this.put(requestUrl, data, additionalHeaders);
      return this._processResponse(res, this.requestOptions);
    });
  }
  patchJson(requestUrl_1, obj_1) {
    return __awaiter(this, arguments, void 0, function* (requestUrl, obj, additionalHeaders = {}) {
      const data = JSON.stringify(obj, null, 2);
      additionalHeaders[Headers.Accept] = this._getExistingOrDefaultHeader(additionalHeaders, Headers.Accept, MediaTypes.ApplicationJson);
      additionalHeaders[Headers.ContentType] = this._getExistingOrDefaultContentTypeHeader(additionalHeaders, MediaTypes.ApplicationJson);
      const res = yield this.patch(requestUrl, data, additionalHeaders);
      return this._processResponse(res, this.requestOptions);
    });
  }
  /**
   * Makes a raw http request.
   * All other methods such as get, post, patch, and request ultimately call this.
   * Prefer get, del, post and patch
   */
  request(verb, requestUrl, data, headers) {
    return __awaiter(this, void 0, void 0, function* () {
      if (this._disposed) {
        throw new Error("Client has already been disposed.");
      }
      const parsedUrl = new URL(requestUrl);
      let info = this._prepareRequest(verb, parsedUrl, headers);
      const maxTries = this._allowRetries && RetryableHttpVerbs.includes(verb) ? this._maxRetries + 1 : 1;
      let numTries = 0;
      let response;
      do {
        response = yield this.requestRaw(info, data);
        if (response && response.message && response.message.statusCode === HttpCodes.Unauthorized) {
          let authenticationHandler;
          for (const handler of this.handlers) {
            if (handler.canHandleAuthentication(response)) {
              authenticationHandler = handler;
              break;
            }
          }
          if (authenticationHandler) {
            return authenticationHandler.handleAuthentication(this, info, data);
          } else {
            return response;
          }
        }
        let redirectsRemaining = this._maxRedirects;
        while (response.message.statusCode && HttpRedirectCodes.includes(response.message.statusCode) && this._allowRedirects && redirectsRemaining > 0) {
          const redirectUrl = response.message.headers["location"];
          if (!redirectUrl) {
            break;
          }
          const parsedRedirectUrl = new URL(redirectUrl);
          if (parsedUrl.protocol === "https:" && parsedUrl.protocol !== parsedRedirectUrl.protocol && !this._allowRedirectDowngrade) {
            throw new Error("Redirect from HTTPS to HTTP protocol. This downgrade is not allowed for security reasons. If you want to allow this behavior, set the allowRedirectDowngrade option to true.");
          }
          yield response.readBody();
          if (parsedRedirectUrl.hostname !== parsedUrl.hostname) {
            for (const header in headers) {
              if (header.toLowerCase() === "authorization") {
                delete headers[header];
              }
            }
          }
          info = this._prepareRequest(verb, parsedRedirectUrl, headers);
          response = yield this.requestRaw(info, data);
          redirectsRemaining--;
        }
        if (!response.message.statusCode || !HttpResponseRetryCodes.includes(response.message.statusCode)) {
          return response;
        }
        numTries += 1;
        if (numTries < maxTries) {
          yield response.readBody();
          yield this._performExponentialBackoff(numTries);
        }
      } while (numTries < maxTries);
      return response;
    });
  }
  /**
   * Needs to be called if keepAlive is set to true in request options.
   */
  dispose() {
    if (this._agent) {
      this._agent.destroy();
    }
    this._disposed = true;
  }
  /**
   * Raw request.
   * @param info
   * @param data
   */
  requestRaw(info, data) {
    return __awaiter(this, void 0, void 0, function* () {
      return new Promise((resolve5, reject2) => {
        function callbackForResult(err, res) {
          if (err) {
            reject2(err);
          } else if (!res) {
            reject2(new Error("Unknown error"));
          } else {
            resolve5(res);
          }
        }
        __name(callbackForResult, "callbackForResult");
        this.requestRawWithCallback(info, data, callbackForResult);
      });
    });
  }
  /**
   * Raw request with callback.
   * @param info
   * @param data
   * @param onResult
   */
  requestRawWithCallback(info, data, onResult) {
    if (typeof data === "string") {
      if (!info.options.headers) {
        info.options.headers = {};
      }
      info.options.headers["Content-Length"] = Buffer.byteLength(data, "utf8");
    }
    let callbackCalled = false;
    function handleResult(err, res) {
      if (!callbackCalled) {
        callbackCalled = true;
        onResult(err, res);
      }
    }
    __name(handleResult, "handleResult");
    const req = info.httpModule.request(info.options, (msg) => {
      const res = new HttpClientResponse(msg);
      handleResult(void 0, res);
    });
    let socket;
    req.on("socket", (sock) => {
      socket = sock;
    });
    req.setTimeout(this._socketTimeout || 3 * 6e4, () => {
      if (socket) {
        socket.end();
      }
      handleResult(new Error(`Request timeout: ${info.options.path}`));
    });
    req.on("error", function(err) {
      handleResult(err);
    });
    if (data && typeof data === "string") {
      req.write(data, "utf8");
    }
    if (data && typeof data !== "string") {
      data.on("close", function() {
        req.end();
      });
      data.pipe(req);
    } else {
      req.end();
    }
  }
  /**
   * Gets an http agent. This function is useful when you need an http agent that handles
   * routing through a proxy server - depending upon the url and proxy environment variables.
   * @param serverUrl  The server URL where the request will be sent. For example, https://api.github.com
   */
  getAgent(serverUrl) {
    const parsedUrl = new URL(serverUrl);
    return this._getAgent(parsedUrl);
  }
  getAgentDispatcher(serverUrl) {
    const parsedUrl = new URL(serverUrl);
    const proxyUrl = getProxyUrl(parsedUrl);
    const useProxy = proxyUrl && proxyUrl.hostname;
    if (!useProxy) {
      return;
    }
    return this._getProxyAgentDispatcher(parsedUrl, proxyUrl);
  }
  _prepareRequest(method, requestUrl, headers) {
    const info = {};
    info.parsedUrl = requestUrl;
    const usingSsl = info.parsedUrl.protocol === "https:";
    info.httpModule = usingSsl ? https : http;
    const defaultPort = usingSsl ? 443 : 80;
    info.options = {};
    info.options.host = info.parsedUrl.hostname;
    info.options.port = info.parsedUrl.port ? parseInt(info.parsedUrl.port) : defaultPort;
    info.options.path = (info.parsedUrl.pathname || "") + (info.parsedUrl.search || "");
    info.options.method = method;
    info.options.headers = this._mergeHeaders(headers);
    if (this.userAgent != null) {
      info.options.headers["user-agent"] = this.userAgent;
    }
    info.options.agent = this._getAgent(info.parsedUrl);
    if (this.handlers) {
      for (const handler of this.handlers) {
        handler.prepareRequest(info.options);
      }
    }
    return info;
  }
  _mergeHeaders(headers) {
    if (this.requestOptions && this.requestOptions.headers) {
      return Object.assign({}, lowercaseKeys(this.requestOptions.headers), lowercaseKeys(headers || {}));
    }
    return lowercaseKeys(headers || {});
  }
  /**
   * Gets an existing header value or returns a default.
   * Handles converting number header values to strings since HTTP headers must be strings.
   * Note: This returns string | string[] since some headers can have multiple values.
   * For headers that must always be a single string (like Content-Type), use the
   * specialized _getExistingOrDefaultContentTypeHeader method instead.
   */
  _getExistingOrDefaultHeader(additionalHeaders, header, _default) {
    let clientHeader;
    if (this.requestOptions && this.requestOptions.headers) {
      const headerValue = lowercaseKeys(this.requestOptions.headers)[header];
      if (headerValue) {
        clientHeader = typeof headerValue === "number" ? headerValue.toString() : headerValue;
      }
    }
    const additionalValue = additionalHeaders[header];
    if (additionalValue !== void 0) {
      return typeof additionalValue === "number" ? additionalValue.toString() : additionalValue;
    }
    if (clientHeader !== void 0) {
      return clientHeader;
    }
    return _default;
  }
  /**
   * Specialized version of _getExistingOrDefaultHeader for Content-Type header.
   * Always returns a single string (not an array) since Content-Type should be a single value.
   * Converts arrays to comma-separated strings and numbers to strings to ensure type safety.
   * This was split from _getExistingOrDefaultHeader to provide stricter typing for callers
   * that assign the result to places expecting a string (e.g., additionalHeaders[Headers.ContentType]).
   */
  _getExistingOrDefaultContentTypeHeader(additionalHeaders, _default) {
    let clientHeader;
    if (this.requestOptions && this.requestOptions.headers) {
      const headerValue = lowercaseKeys(this.requestOptions.headers)[Headers.ContentType];
      if (headerValue) {
        if (typeof headerValue === "number") {
          clientHeader = String(headerValue);
        } else if (Array.isArray(headerValue)) {
          clientHeader = headerValue.join(", ");
        } else {
          clientHeader = headerValue;
        }
      }
    }
    const additionalValue = additionalHeaders[Headers.ContentType];
    if (additionalValue !== void 0) {
      if (typeof additionalValue === "number") {
        return String(additionalValue);
      } else if (Array.isArray(additionalValue)) {
        return additionalValue.join(", ");
      } else {
        return additionalValue;
      }
    }
    if (clientHeader !== void 0) {
      return clientHeader;
    }
    return _default;
  }
  _getAgent(parsedUrl) {
    let agent;
    const proxyUrl = getProxyUrl(parsedUrl);
    const useProxy = proxyUrl && proxyUrl.hostname;
    if (this._keepAlive && useProxy) {
      agent = this._proxyAgent;
    }
    if (!useProxy) {
      agent = this._agent;
    }
    if (agent) {
      return agent;
    }
    const usingSsl = parsedUrl.protocol === "https:";
    let maxSockets = 100;
    if (this.requestOptions) {
      maxSockets = this.requestOptions.maxSockets || http.globalAgent.maxSockets;
    }
    if (proxyUrl && proxyUrl.hostname) {
      const agentOptions = {
        maxSockets,
        keepAlive: this._keepAlive,
        proxy: Object.assign(Object.assign({}, (proxyUrl.username || proxyUrl.password) && {
          proxyAuth: `${proxyUrl.username}:${proxyUrl.password}`
        }), { host: proxyUrl.hostname, port: proxyUrl.port })
      };
      let tunnelAgent;
      const overHttps = proxyUrl.protocol === "https:";
      if (usingSsl) {
        tunnelAgent = overHttps ? httpsOverHttps : httpsOverHttp;
      } else {
        tunnelAgent = overHttps ? httpOverHttps : httpOverHttp;
      }
      agent = tunnelAgent(agentOptions);
      this._proxyAgent = agent;
    }
    if (!agent) {
      const options = { keepAlive: this._keepAlive, maxSockets };
      agent = usingSsl ? new https.Agent(options) : new http.Agent(options);
      this._agent = agent;
    }
    if (usingSsl && this._ignoreSslError) {
      agent.options = Object.assign(agent.options || {}, {
        rejectUnauthorized: false
      });
    }
    return agent;
  }
  _getProxyAgentDispatcher(parsedUrl, proxyUrl) {
    let proxyAgent;
    if (this._keepAlive) {
      proxyAgent = this._proxyAgentDispatcher;
    }
    if (proxyAgent) {
      return proxyAgent;
    }
    const usingSsl = parsedUrl.protocol === "https:";
    proxyAgent = new ProxyAgent(Object.assign({ uri: proxyUrl.href, pipelining: !this._keepAlive ? 0 : 1 }, (proxyUrl.username || proxyUrl.password) && {
      token: `Basic ${Buffer.from(`${proxyUrl.username}:${proxyUrl.password}`).toString("base64")}`
    }));
    this._proxyAgentDispatcher = proxyAgent;
    if (usingSsl && this._ignoreSslError) {
      proxyAgent.options = Object.assign(proxyAgent.options.requestTls || {}, {
        rejectUnauthorized: false
      });
    }
    return proxyAgent;
  }
  _getUserAgentWithOrchestrationId(userAgent) {
    const baseUserAgent = userAgent || "actions/http-client";
    const orchId = process.env["ACTIONS_ORCHESTRATION_ID"];
    if (orchId) {
      const sanitizedId = orchId.replace(/[^a-z0-9_.-]/gi, "_");
      return `${baseUserAgent} actions_orchestration_id/${sanitizedId}`;
    }
    return baseUserAgent;
  }
  _performExponentialBackoff(retryNumber) {
    return __awaiter(this, void 0, void 0, function* () {
      retryNumber = Math.min(ExponentialBackoffCeiling, retryNumber);
      const ms = ExponentialBackoffTimeSlice * Math.pow(2, retryNumber);
      return new Promise((resolve5) => setTimeout(() => resolve5(), ms));
    });
  }
  _processResponse(res, options) {
    return __awaiter(this, void 0, void 0, function* () {
      return new Promise((resolve5, reject2) => __awaiter(this, void 0, void 0, function* () {
        const statusCode = res.message.statusCode || 0;
        const response = {
          statusCode,
          result: null,
          headers: {}
        };
        if (statusCode === HttpCodes.NotFound) {
          resolve5(response);
        }
        function dateTimeDeserializer(key, value) {
          if (typeof value === "string") {
            const a = new Date(value);
            if (!isNaN(a.valueOf())) {
              return a;
            }
          }
          return value;
        }
        __name(dateTimeDeserializer, "dateTimeDeserializer");
        let obj;
        let contents;
        try {
          contents = yield res.readBody();
          if (contents && contents.length > 0) {
            if (options && options.deserializeDates) {
              obj = JSON.parse(contents, dateTimeDeserializer);
            } else {
              obj = JSON.parse(contents);
            }
            response.result = obj;
          }
          response.headers = res.message.headers;
        } catch (err) {
        }
        if (statusCode > 299) {
          let msg;
          if (obj && obj.message) {
            msg = obj.message;
          } else if (contents && contents.length > 0) {
            msg = contents;
          } else {
            msg = `Failed request: (${statusCode})`;
          }
          const err = new HttpClientError(msg, statusCode);
          err.result = response.result;
          reject2(err);
        } else {
          resolve5(response);
        }
      }));
    });
  }
};
var lowercaseKeys = /* @__PURE__ */ __name((obj) => Object.keys(obj).reduce((c, k) => (c[k.toLowerCase()] = obj[k], c), {}), "lowercaseKeys");

// shared/http/connection.ts
var import_node_dns = __toESM(require("node:dns"), 1);
var import_node_events = require("node:events");
var import_node_http = __toESM(require("node:http"), 1);
var import_node_https = __toESM(require("node:https"), 1);
var import_node_net2 = __toESM(require("node:net"), 1);
var import_node_tls2 = __toESM(require("node:tls"), 1);
var Progress = class {
  static {
    __name(this, "Progress");
  }
  phase = "waiting";
  /** Whether the request is sent on a connection that was opened for an earlier request. */
  isReused = true;
  /** The issuer of the most recently received certificate. */
  issuer;
  #clock;
  #onStep;
  #lastStepAt;
  constructor(clock, onStep) {
    this.#clock = clock;
    this.#onStep = onStep;
    this.#lastStepAt = clock.monotonic();
  }
  /** Whether the server may have received the request. */
  get isSent() {
    return this.phase === "waiting" || this.phase === "reading";
  }
  /** Reports a completed step and starts the next phase. */
  complete(step, detail, next) {
    const now2 = this.#clock.monotonic();
    this.#onStep?.({ step, durationMs: now2 - this.#lastStepAt, detail });
    this.#lastStepAt = now2;
    this.phase = next;
  }
};
var MAX_ADDRESS_TIMEOUT = 2500;
var ADDRESS_TIMEOUT_RATIO = 1 / 3;
var getHost = /* @__PURE__ */ __name(({ hostname }) => hostname.replace(/^\[(.*)\]$/, "$1"), "getHost");
async function openConnection(settings) {
  const { url, proxy, progress, abort } = settings;
  const tcp = await connectTcp(settings);
  try {
    const tunnel = proxy ? await openTunnel(tcp, proxy, settings) : tcp;
    const socket = url.protocol === "https:" ? await startTls(tunnel, getHost(url), settings) : tunnel;
    if (socket instanceof import_node_tls2.default.TLSSocket)
      progress.complete(
        "tls",
        `${socket.getProtocol() ?? "TLS"}, issued by ${progress.issuer ?? "unknown"}`,
        "waiting"
      );
    const { bytesRead } = socket;
    const abortWithoutResponse = /* @__PURE__ */ __name(() => {
      if (progress.phase === "waiting") abort.abort(noResponseError(socket.bytesRead > bytesRead));
    }, "abortWithoutResponse");
    socket.once("close", () => setImmediate(abortWithoutResponse));
    return socket;
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}
__name(openConnection, "openConnection");
var lookups = /* @__PURE__ */ new Map();
var lookup = /* @__PURE__ */ __name((host, options, callback) => {
  const callbacks = lookups.get(host) ?? [];
  callbacks.push(callback);
  if (callbacks.length > 1) return;
  lookups.set(host, callbacks);
  import_node_dns.default.lookup(host, options, (...result) => {
    lookups.delete(host);
    for (const done of callbacks) done(...result);
  });
}, "lookup");
async function connectTcp({ url, proxy, progress, timeoutMs, abort, unref }) {
  const target = proxy?.url ?? url;
  const host = getHost(target);
  const port = Number(target.port) || (target.protocol === "https:" ? 443 : 80);
  progress.isReused = false;
  progress.phase = import_node_net2.default.isIP(host) === 0 ? "dns" : "tcp";
  const addressTimeout = Math.max(1, Math.floor(Math.min(MAX_ADDRESS_TIMEOUT, timeoutMs * ADDRESS_TIMEOUT_RATIO)));
  const socket = import_node_net2.default.connect({ host, port, lookup, noDelay: true, autoSelectFamilyAttemptTimeout: addressTimeout });
  const addresses = [];
  socket.on("lookup", (error, address) => {
    if (!error) addresses.push(address);
  });
  socket.once("connectionAttempt", () => {
    if (addresses.length > 0) progress.complete("dns", addresses.join(", "), "tcp");
  });
  await waitFor(socket, socket, "connect", abort.signal);
  if (unref) socket.unref();
  const { remoteAddress = host, remoteFamily, remotePort = port } = socket;
  const next = proxy ? "proxy" : url.protocol === "https:" ? "tls" : "waiting";
  progress.complete("tcp", `${remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`, next);
  return socket;
}
__name(connectTcp, "connectTcp");
async function openTunnel(tcp, proxy, settings) {
  const { url, progress, abort } = settings;
  if (proxy.url.protocol === "https:") progress.phase = "proxy-tls";
  const socket = progress.phase === "proxy-tls" ? await startTls(tcp, getHost(proxy.url), settings) : tcp;
  progress.phase = "proxy";
  const request = import_node_http.default.request({
    method: "CONNECT",
    path: getHostPort(url),
    headers: getConnectHeaders(url, proxy),
    createConnection: /* @__PURE__ */ __name(() => socket, "createConnection")
  });
  request.end();
  const event = await waitFor(request, socket, "connect", abort.signal);
  const [response, , head] = event;
  const error = getTunnelError(response, head, url, proxy);
  if (error) throw error;
  progress.complete("proxy", proxy.host, "tls");
  return socket;
}
__name(openTunnel, "openTunnel");
async function startTls(socket, host, { secureContext, progress, abort, quote }) {
  const secure = import_node_tls2.default.connect({
    socket,
    host,
    servername: import_node_net2.default.isIP(host) === 0 ? host : "",
    ALPNProtocols: ["http/1.1"],
    // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes the default.
    rejectUnauthorized: true,
    ...secureContext && { secureContext }
  });
  progress.issuer = void 0;
  secure.prependOnceListener("secure", () => {
    const { issuer } = secure.getPeerCertificate();
    const name = [issuer?.CN, issuer?.O].flat().find((text2) => text2 !== void 0 && text2 !== "");
    progress.issuer = name === void 0 ? void 0 : quote(name, 80);
  });
  await waitFor(secure, secure, "secureConnect", abort.signal);
  return secure;
}
__name(startTls, "startTls");
async function waitFor(emitter, socket, event, signal) {
  emitter.on("error", () => void 0);
  try {
    return await (0, import_node_events.once)(emitter, event, { signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
__name(waitFor, "waitFor");
var UPGRADE_CODE = "UNEXPECTED_UPGRADE";
var noResponseError = /* @__PURE__ */ __name((isUpgraded) => Object.assign(new Error("no response"), { code: isUpgraded ? UPGRADE_CODE : "ECONNRESET" }), "noResponseError");
function createConnection(options, callback) {
  openConnection(options.connection).then(
    (socket) => callback?.(null, socket),
    (error) => callback?.(error, void 0)
  );
  return void 0;
}
__name(createConnection, "createConnection");
var isIntercepted = /* @__PURE__ */ __name((agent, options) => options.agent !== agent, "isIntercepted");
var HttpAgent = class extends import_node_http.default.Agent {
  static {
    __name(this, "HttpAgent");
  }
  createConnection(options, callback) {
    return isIntercepted(this, options) ? super.createConnection(options, callback) : createConnection(options, callback);
  }
};
var HttpsAgent = class extends import_node_https.default.Agent {
  static {
    __name(this, "HttpsAgent");
  }
  createConnection(options, callback) {
    if (!isIntercepted(this, options)) return createConnection(options, callback);
    const { secureContext } = options.connection;
    const tlsOptions = { rejectUnauthorized: true, ...secureContext && { secureContext } };
    return super.createConnection({ ...options, ...tlsOptions }, callback);
  }
  reuseSocket(socket, request) {
    super.reuseSocket(socket, request);
    request.once("upgrade", (_response, upgraded) => {
      upgraded.destroy();
      request.emit("error", noResponseError(true));
    });
  }
};

// shared/http/connection-error.ts
var CLOCK_HINT = "No secret was sent. Check this machine's clock first, then the server's certificate.";
var CERTIFICATE_CODE = /^(?!ERR_SSL).*CERT|^UNABLE_TO_|SELF_SIGNED|^INVALID_(CA|PURPOSE)|^PATH_LENGTH|^UNSPECIFIED$/;
var CERTIFICATE_HINTS = {
  CERT_HAS_EXPIRED: CLOCK_HINT,
  CERT_NOT_YET_VALID: CLOCK_HINT,
  UNSPECIFIED: "No secret was sent. Another CA certificate does not help: the server, or the proxy that inspects TLS, needs another certificate.",
  ERR_TLS_CERT_ALTNAME_INVALID: "No secret was sent. The certificate belongs to another host. Check the host name, and whether DNS or a firewall redirects the connection."
};
var INVALID_RESPONSE_HINT = "Check the host and the port in the URL, and whether a proxy or a firewall responds instead of the server.";
var TCP_CODES = {
  ECONNRESET: "connection_lost",
  ETIMEDOUT: "connect_timeout"
};
var TLS_CODES = { tls: "tls_handshake_failed", "proxy-tls": "proxy_unreachable" };
var getTransport = /* @__PURE__ */ __name(({ url, proxy }, phase) => {
  if (proxy && phase !== "proxy-tls") return `the proxy ${proxy.host} opened a tunnel to ${getHostPort(url)}`;
  return `the TCP connection to ${proxy ? getProxyName(proxy) : getHostPort(url)} works`;
}, "getTransport");
function timeoutError({ phase, isSent }, target, timeout2) {
  const host = getHostPort(target.url);
  const proxy = target.proxy ? getProxyName(target.proxy) : "the proxy";
  const limit2 = `within ${formatDuration(timeout2)}`;
  const fail = /* @__PURE__ */ __name((description, code) => new AuthError(description, { kind: "timeout", code, requestSent: isSent, hint: getHint(code, phase, target) }), "fail");
  if (target.proxy && (phase === "dns" || phase === "tcp"))
    return fail(`could not connect to ${proxy} ${limit2}.`, "proxy_unreachable");
  switch (phase) {
    case "dns":
      return fail(`the DNS lookup for ${target.url.hostname} did not complete ${limit2}.`, "dns_lookup_failed");
    case "tcp":
      return fail(`could not connect to ${host} ${limit2}.`, "connect_timeout");
    case "proxy":
      return fail(
        `${proxy} accepted the connection but did not open a tunnel to ${host} ${limit2}.`,
        "proxy_unreachable"
      );
    case "proxy-tls":
    case "tls":
      return fail(`${getTransport(target, phase)}, but the TLS handshake did not complete ${limit2}.`, TLS_CODES[phase]);
    case "waiting":
      return fail(`${host} accepted the connection but did not respond ${limit2}.`, "response_timeout");
    case "reading":
      return fail(`the response from ${host} was incomplete after ${formatDuration(timeout2)}.`, "response_truncated");
  }
}
__name(timeoutError, "timeoutError");
function connectionError(error, { phase, isSent, issuer }, target) {
  if (AuthError.isAuthError(error)) return error;
  const errno = getErrorCode(error);
  if (errno === void 0 || error instanceof TypeError) throw error;
  const host = getHostPort(target.url);
  const proxy = target.proxy ? getProxyName(target.proxy) : "the proxy";
  const fail = /* @__PURE__ */ __name((description, code, hint = getHint(code, phase, target)) => new AuthError(description, { kind: "network", code, requestSent: isSent, cause: error, hint }), "fail");
  if (CERTIFICATE_CODE.test(errno) && (phase === "tls" || phase === "proxy-tls")) {
    const reason = errno === "UNSPECIFIED" && error instanceof Error ? error.message : errno;
    const detail = issuer === void 0 ? reason : `${reason}, issued by ${issuer}`;
    const description = `the certificate of ${phase === "proxy-tls" ? proxy : host} is not trusted (${detail}).`;
    return fail(description, "untrusted_certificate", CERTIFICATE_HINTS[errno]);
  }
  if (target.proxy && (phase === "dns" || phase === "tcp"))
    return errno === "ENOTFOUND" ? fail(
      `could not find the host of ${proxy}: ${errno}.`,
      "host_not_found",
      getHint("proxy_unreachable", phase, target)
    ) : fail(`could not connect to ${proxy}: ${errno}.`, "proxy_unreachable");
  const isInvalid = errno.startsWith("HPE_");
  switch (phase) {
    case "dns":
      return errno === "ENOTFOUND" ? fail(`host not found: ${target.url.hostname} (${errno}).`, "host_not_found") : fail(`the DNS lookup for ${target.url.hostname} failed (${errno}).`, "dns_lookup_failed");
    case "tcp":
      return errno === "ECONNREFUSED" ? fail(`${host} refused the connection (${errno}).`, "connection_refused") : fail(`could not connect to ${host} (${errno}).`, TCP_CODES[errno] ?? "connection_refused");
    case "proxy":
      return isInvalid ? fail(`${proxy} did not send a valid HTTP response (${errno}).`, "proxy_unreachable") : fail(`${proxy} closed the connection without opening a tunnel to ${host} (${errno}).`, "proxy_unreachable");
    case "proxy-tls":
    case "tls":
      return fail(`${getTransport(target, phase)}, but the TLS handshake failed (${errno}).`, TLS_CODES[phase]);
    case "waiting": {
      if (errno === UPGRADE_CODE)
        return fail(
          `${host} responded with status 101 (Switching Protocols), which was not requested.`,
          "connection_lost"
        );
      return isInvalid ? fail(`${host} did not send a valid HTTP response (${errno}).`, "connection_lost", INVALID_RESPONSE_HINT) : fail(`the connection to ${host} was lost before a response arrived (${errno}).`, "connection_lost");
    }
    case "reading":
      return fail(`the response from ${host} was truncated.`, "response_truncated");
  }
}
__name(connectionError, "connectionError");
function getHint(code, phase, { url, proxy }) {
  if (proxy && phase === "proxy-tls" && code === "proxy_unreachable")
    return `Most proxies need http:// in ${proxy.variable}, not https://. ${HINTS.tls_handshake_failed}`;
  return phase === "dns" || phase === "tcp" || phase === "proxy" ? getConnectionHint(code, url) : void 0;
}
__name(getHint, "getHint");

// shared/http/request.ts
var MAX_BODY_BYTES = 1024 * 1024;
var MAX_TIMER_MS = 2 ** 31 - 1;
async function sendRequest(request, context, options) {
  const target = { url: request.url, proxy: getProxy(request.url) };
  const deadline = context.clock.monotonic() + options.timeoutMs;
  const response = await attempt(request, target, context, options);
  if (response) return response;
  const timeoutMs = Math.max(1, deadline - context.clock.monotonic());
  const retried = await attempt(request, target, context, { ...options, timeoutMs, agent: void 0 });
  if (!retried) throw new Error("A new connection was treated as a reused one.");
  return retried;
}
__name(sendRequest, "sendRequest");
async function attempt(request, target, context, options) {
  const { signal, timeoutMs, agent } = options;
  if (signal?.aborted) throw notSentError(signal.reason);
  const progress = new Progress(context.clock, options.onConnection);
  const abort = new AbortController();
  const timeout2 = new DOMException("The attempt took too long.", "TimeoutError");
  const cancelTimer = context.clock.setTimeout(() => {
    abort.abort(timeout2);
  }, timeoutMs);
  const onAbort = /* @__PURE__ */ __name(() => {
    abort.abort(signal?.reason);
  }, "onAbort");
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const exchanged = exchange(request, target, context, options, progress, abort);
    return await Promise.race([exchanged, rejectOnAbort(abort.signal)]);
  } catch (error) {
    if (signal?.aborted) throw progress.isSent ? abortedError(signal.reason) : notSentError(signal.reason);
    const cause = abort.signal.aborted ? abort.signal.reason : error;
    if (cause === timeout2) throw timeoutError(progress, target, timeoutMs);
    if (agent && progress.isReused && progress.phase === "waiting" && !AuthError.isAuthError(cause)) return void 0;
    throw connectionError(cause, progress, target);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}
__name(attempt, "attempt");
var notSentError = /* @__PURE__ */ __name((reason) => abortedError(reason, false), "notSentError");
async function rejectOnAbort(signal) {
  if (!signal.aborted) await (0, import_node_events2.once)(signal, "abort");
  throw signal.reason;
}
__name(rejectOnAbort, "rejectOnAbort");
async function exchange(request, target, { clock, userAgent, secureContext, redactor, unref = false }, { agent, timeoutMs, maxBodyBytes = MAX_BODY_BYTES }, progress, abort) {
  const requestOptions = {
    agent: request.url.protocol === "https:" ? agent ?? new HttpsAgent() : new HttpAgent(),
    signal: abort.signal,
    connection: { ...target, secureContext, progress, timeoutMs, abort, unref, quote: redactor.quote },
    // - The client would add the runner's ACTIONS_ORCHESTRATION_ID to its own User-Agent.
    // - Compressed responses are not decoded. Without this header, a server may use any encoding (RFC 9110 section
    //   12.5.3).
    headers: { "user-agent": userAgent, "accept-encoding": "identity", ...request.headers }
  };
  const handler = {
    prepareRequest: /* @__PURE__ */ __name((clientOptions) => Object.assign(clientOptions, requestOptions), "prepareRequest"),
    canHandleAuthentication: /* @__PURE__ */ __name(() => false, "canHandleAuthentication"),
    handleAuthentication: /* @__PURE__ */ __name(() => Promise.reject(new Error("There is no authentication.")), "handleAuthentication")
  };
  const client = new HttpClient(userAgent, [handler], {
    allowRedirects: false,
    allowRetries: false,
    keepAlive: false,
    socketTimeout: MAX_TIMER_MS
  });
  const { message: message2 } = await client.request(request.method, request.url.href, request.body ?? null);
  progress.phase = "reading";
  const { statusCode: status = 0, headers } = message2;
  const date3 = Date.parse(headers.date ?? "");
  const clockOffset = Number.isNaN(date3) ? void 0 : date3 - clock.now();
  const bytes = await readBody(message2, maxBodyBytes);
  return { status, headers, body: new TextDecoder().decode(bytes), bytes, clockOffset };
}
__name(exchange, "exchange");
async function readBody(message2, maxBytes) {
  const chunks = [];
  let size = 0;
  for await (const chunk of message2) {
    size += chunk.length;
    if (size > maxBytes) {
      const description = `the response exceeds ${Math.ceil(maxBytes / 1024)} KiB.`;
      throw new AuthError(description, { kind: "protocol", code: "response_too_large", status: message2.statusCode });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
__name(readBody, "readBody");

// shared/http/retry.ts
var REQUEST_LABELS = Object.freeze({
  token: "token request",
  jwks: "JWKS request",
  api: "API request"
});
var RETRYABLE_STATUS = Object.freeze({
  408: { type: "transient" },
  429: { type: "overloaded", unprocessed: "always" },
  500: { type: "transient" },
  502: { type: "transient" },
  503: { type: "overloaded", unprocessed: "with Retry-After" },
  504: { type: "transient" }
});
var DEFAULT_STEP = { attemptTimeout: 3e4, maxDelay: 3e4 };
var BACKOFF_SCHEDULE = Object.freeze([
  // If an overloaded server leaves a request hanging, it never responds to that request. 50 jobs complete within 10 s.
  { attemptTimeout: 5e3, maxDelay: 3e3 },
  // After two failures, hundreds of jobs are probably competing for the server.
  { attemptTimeout: 7e3, maxDelay: 12e3 },
  { attemptTimeout: 1e4, maxDelay: 16e3 },
  { attemptTimeout: 15e3, maxDelay: 2e4 },
  // This step is for a server that is merely slow.
  DEFAULT_STEP
]);
var MAX_TRANSIENT_DELAY = 5e3;
var MIN_ATTEMPT = 1e3;
var getStep = /* @__PURE__ */ __name((attempt2, { spreadOnOverload }) => (spreadOnOverload ? BACKOFF_SCHEDULE[attempt2 - 1] : void 0) ?? DEFAULT_STEP, "getStep");
var MIN_ATTEMPT_TIMEOUT = 2e3;
function getAttemptTimeout({ attempt: attempt2, attemptsLeft, timeLeft, policy }) {
  const { attemptTimeout } = attemptsLeft === 0 ? DEFAULT_STEP : getStep(attempt2, policy);
  const share = Math.max(MIN_ATTEMPT_TIMEOUT, timeLeft / (attemptsLeft + 1));
  return Math.max(1, Math.min(attemptTimeout, share, timeLeft));
}
__name(getAttemptTimeout, "getAttemptTimeout");
function getRetryDelay(input) {
  const { attemptsLeft, timeLeft, retryAfter, policy, random } = input;
  if (timeLeft <= 0 || retryAfter > 0 && retryAfter + MIN_ATTEMPT > timeLeft) return void 0;
  const width = Math.min(getMaxDelay(input), (timeLeft - retryAfter) / (attemptsLeft + 1));
  return retryAfter + width * (policy.spreadOnOverload ? random() : (1 + random()) / 2);
}
__name(getRetryDelay, "getRetryDelay");
function getMaxDelay({ reason, attempt: attempt2, policy }) {
  const { maxDelay } = getStep(attempt2, policy);
  const exponential = policy.backoff * 1e3 * 2 ** (attempt2 - 1);
  if (!policy.spreadOnOverload) return Math.min(2 * exponential, maxDelay);
  return reason === "overloaded" ? maxDelay : Math.min(exponential, MAX_TRANSIENT_DELAY);
}
__name(getMaxDelay, "getMaxDelay");
var HTTP_DATE = /^[A-Z][a-z]{2,8}(, \d\d[ -][A-Z][a-z]{2}[ -](\d\d)?\d\d \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;
function parseRetryAfter({ headers, clockOffset }, clock) {
  const value = headers["retry-after"]?.trim() ?? "";
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1e3, Number.MAX_SAFE_INTEGER);
  if (!HTTP_DATE.test(value)) return void 0;
  const time3 = Date.parse(value.endsWith(" GMT") ? value : `${value} GMT`);
  return Number.isNaN(time3) ? void 0 : Math.max(0, time3 - (clock.now() + (clockOffset ?? 0)));
}
__name(parseRetryAfter, "parseRetryAfter");
async function requestWithRetries(context, call, limits, send2 = sendRequest) {
  const { clock, policy, random, onEvent } = context;
  const maxAttempts = policy.maxRetries + 1;
  for (let attempt2 = 1; ; attempt2++) {
    const state = { attempt: attempt2, attemptsLeft: maxAttempts - attempt2, policy };
    const timeoutMs = getAttemptTimeout({ ...state, timeLeft: limits.deadline - clock.monotonic() });
    const sentAt = clock.elapsed();
    const attemptLimits = { timeoutMs, signal: limits.signal };
    const { outcome, clockOffset, retryAfter } = await sendOnce(context, call, attempt2, attemptLimits, send2);
    if (outcome.type === "success") return { value: outcome.value, sentAt, clockOffset, attempts: attempt2 };
    const { type, error } = outcome;
    if (type === "permanent" || state.attemptsLeft === 0) throw withAttempts(error, attempt2, retryAfter);
    const timeLeft = limits.deadline - clock.monotonic();
    const delayMs = getRetryDelay({ ...state, timeLeft, reason: type, retryAfter, random });
    if (delayMs === void 0) throw withAttempts(error, attempt2, retryAfter, getReason(retryAfter, timeLeft));
    const failure2 = error.with(error.description, { attempts: attempt2, ...toRetryAfterMs(retryAfter) });
    onEvent({ type: "retry", request: call.name, delayMs, attempt: attempt2, maxAttempts, error: failure2 });
    await sleep(clock, delayMs, limits.signal);
    if (limits.signal?.aborted) throw withAttempts(abortedError(limits.signal.reason), attempt2, 0);
  }
}
__name(requestWithRetries, "requestWithRetries");
async function sendOnce(context, { name, request, agent, maxBodyBytes, parse: parse2, classifyError = classifyByDefault, hints = {} }, attempt2, limits, send2) {
  const { clock, policy, onEvent } = context;
  const { method, url } = request;
  const maxAttempts = policy.maxRetries + 1;
  const startedAt = clock.monotonic();
  onEvent({ type: "request", request: name, method, url: url.origin + url.pathname, attempt: attempt2, maxAttempts });
  const onConnection = /* @__PURE__ */ __name((step) => {
    onEvent({ type: "connection", request: name, ...step });
  }, "onConnection");
  let response;
  try {
    response = await send2(request, context, { ...limits, agent, maxBodyBytes, onConnection });
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    const outcome = { type: classifyError(error), error: withLabel(error, name, hints[error.code]) };
    return { outcome, clockOffset: void 0, retryAfter: 0 };
  }
  const { status, clockOffset } = response;
  const durationMs = clock.monotonic() - startedAt;
  onEvent({ type: "response", request: name, status, attempt: attempt2, durationMs, clockOffsetMs: clockOffset });
  return { outcome: parse2(response), clockOffset, retryAfter: parseRetryAfter(response, clock) ?? 0 };
}
__name(sendOnce, "sendOnce");
function classifyByDefault({ retryable, code }) {
  if (!retryable) return "permanent";
  return code === "response_timeout" ? "overloaded" : "transient";
}
__name(classifyByDefault, "classifyByDefault");
var withLabel = /* @__PURE__ */ __name((error, name, hint = error.hint) => error.kind === "config" || error.kind === "aborted" ? error : error.with(`${REQUEST_LABELS[name]}: ${error.description}`, { hint }), "withLabel");
var toRetryAfterMs = /* @__PURE__ */ __name((retryAfter = 0) => retryAfter > 0 ? { retryAfterMs: retryAfter } : {}, "toRetryAfterMs");
function withAttempts(error, attempts, retryAfter, reason) {
  const details = [...attempts > 1 ? [`${attempts} attempts`] : [], ...reason === void 0 ? [] : [reason]];
  const suffix = ` (${details.join("; ")}).`;
  const description = details.length === 0 ? error.description : error.description.replace(/\.$/, "") + suffix;
  return error.with(description, { attempts, ...toRetryAfterMs(retryAfter) });
}
__name(withAttempts, "withAttempts");
var getReason = /* @__PURE__ */ __name((retryAfter, timeLeft) => retryAfter > 0 ? `Retry-After is ${formatDuration(retryAfter)}, but the remaining time is only ${formatDuration(timeLeft)}` : "timed out", "getReason");

// shared/http/json-response.ts
function parseJson(body) {
  try {
    return JSON.parse(body);
  } catch {
    return void 0;
  }
}
__name(parseJson, "parseJson");
var isHtml = /* @__PURE__ */ __name(({ headers, body }) => /^text\/html\b/i.test(headers["content-type"] ?? "") || /^\s*<(!doctype|html|head|body)\b/i.test(body), "isHtml");
var retryableStatusError = /* @__PURE__ */ __name((description, status, help = {}) => new AuthError(
  description,
  status === 429 ? { kind: "rate_limited", code: "rate_limited", status, ...help } : { kind: "server", code: "server_error", status, ...help }
), "retryableStatusError");
function classifyJsonResponse(name, response, quote, detail) {
  const { status } = response;
  const label = `the ${REQUEST_LABELS[name]}`;
  const failed = `${label} failed with status ${status}`;
  const fail = /* @__PURE__ */ __name((type, description2, options) => ({
    type,
    error: new AuthError(description2, { status, ...options })
  }), "fail");
  const description = detail === void 0 || detail === "" ? `${failed}.` : `${failed}: ${detail.replace(/\.$/, "")}.`;
  const retryable = RETRYABLE_STATUS[status];
  if (retryable) return { type: retryable.type, error: retryableStatusError(description, status) };
  if (status >= 300 && status < 400) {
    const redirect = `${failed} (redirect to ${quote(response.headers.location ?? "an unknown URL")}).`;
    return fail("permanent", redirect, { kind: "rejected", code: "unexpected_redirect" });
  }
  const isPage = isHtml(response);
  if (status < 200 || status > 299) {
    const hint = isPage ? HINTS.html_response : void 0;
    return fail("permanent", description, { kind: "rejected", code: "http_error", hint });
  }
  if (isPage) return fail("permanent", `${label} returned an HTML page.`, { kind: "protocol", code: "html_response" });
  if (parseJson(response.body) === void 0)
    return fail("transient", `${label} did not return JSON.`, { kind: "protocol", code: "invalid_json" });
  return void 0;
}
__name(classifyJsonResponse, "classifyJsonResponse");

// shared/jwks.ts
var createJwksRequest = /* @__PURE__ */ __name((jwksUrl) => ({
  method: "GET",
  url: jwksUrl,
  // An intermediate cache must not hide a new key (RFC 9111 section 5.2.1.4).
  headers: { accept: "application/json", "cache-control": "no-cache" }
}), "createJwksRequest");
var signingKeySchema = /* @__PURE__ */ __name(() => object({
  kty: literal("RSA"),
  n: string2(),
  e: string2(),
  kid: optional(string2()),
  use: optional(literal("sig")),
  key_ops: optional(array(string2()).check(refine((operations) => operations.includes("verify")))),
  alg: optional(literal("RS256"))
}), "signingKeySchema");
var MODULUS_LENGTH = { min: 256, max: 1024 };
var MAX_EXPONENT_LENGTH = 8;
function parseJwksResponse(response, quote) {
  const failure2 = classifyJsonResponse("jwks", response, quote);
  if (failure2) return failure2;
  const parsed = object({ keys: array(unknown()) }).safeParse(parseJson(response.body));
  if (!parsed.success) return invalidJwks('invalid JWKS: expected a JSON object with a "keys" array.');
  const schema2 = signingKeySchema();
  const keys = parsed.data.keys.flatMap((key) => {
    const { data } = schema2.safeParse(key);
    return data && isUsable(data) ? [Object.freeze({ kty: data.kty, n: data.n, e: data.e, kid: data.kid })] : [];
  });
  if (keys.length === 0) return invalidJwks("the JWKS contains no RSA key for verifying signatures.");
  return { type: "success", value: keys };
}
__name(parseJwksResponse, "parseJwksResponse");
var invalidJwks = /* @__PURE__ */ __name((description) => ({
  type: "permanent",
  error: new AuthError(description, { kind: "protocol", code: "invalid_jwks" })
}), "invalidJwks");
function isUsable({ n, e }) {
  const modulus = Buffer.from(n, "base64url");
  const exponent = Buffer.from(e, "base64url");
  if (modulus.length < MODULUS_LENGTH.min || modulus.length > MODULUS_LENGTH.max) return false;
  return exponent.length <= MAX_EXPONENT_LENGTH && BigInt(`0x0${exponent.toString("hex")}`) >= 3n;
}
__name(isUsable, "isUsable");
var MAX_AGE = 6e5;
var STALE_IF_ERROR = 36e5;
var RELOAD_COOLDOWN = 3e4;
var NEW_TOKEN_RELOADS = [0, 1e3, 2e3, 4e3];
var JwksCache = class {
  static {
    __name(this, "JwksCache");
  }
  #clock;
  #cached;
  #cooldownUntil = -Infinity;
  constructor(clock) {
    this.#clock = clock;
  }
  /**
   * Starts loading the keys unless fresh keys are cached.
   *
   * @param newTokenLimits - the limits of a sign-in, only for a new token. Because the authorization server has just
   *   issued it, its `kid` is looked up several times
   */
  lookup(load, newTokenLimits) {
    const fresh = this.#getCached(MAX_AGE);
    const ready = fresh ? Promise.resolve(fresh) : this.#loadOrStale(load);
    ready.catch(() => void 0);
    return {
      ready,
      find: /* @__PURE__ */ __name(async (kid) => {
        const found = selectKeys(await ready, kid);
        if (found.length > 0) return found;
        return newTokenLimits ? this.#reloadFor(kid, load, newTokenLimits) : this.#reloadOnce(kid, load);
      }, "find")
    };
  }
  /** Removes the cached keys, so that the next lookup loads them again. */
  clear() {
    this.#cached = void 0;
  }
  async #reloadFor(kid, load, limits) {
    const { deadline, signal } = limits;
    for (const delay of NEW_TOKEN_RELOADS) {
      if (this.#clock.monotonic() + delay >= deadline) break;
      if (delay > 0) await sleep(this.#clock, delay, signal);
      if (signal?.aborted) throw abortedError(signal.reason);
      const found = selectKeys(await this.#load(load), kid);
      if (found.length > 0) return found;
    }
    return [];
  }
  async #reloadOnce(kid, load) {
    if (this.#clock.elapsed() < this.#cooldownUntil) return [];
    this.#cooldownUntil = this.#clock.elapsed() + RELOAD_COOLDOWN;
    return selectKeys(await this.#load(load), kid);
  }
  async #load(load) {
    const keys = await load();
    this.#cached = { keys, loadedAt: this.#clock.elapsed() };
    return keys;
  }
  async #loadOrStale(load) {
    try {
      return await this.#load(load);
    } catch (error) {
      const stale = this.#getCached(STALE_IF_ERROR);
      if (stale && AuthError.isAuthError(error) && error.retryable) return stale;
      throw error;
    }
  }
  #getCached(maxAge) {
    return this.#cached && this.#clock.elapsed() < this.#cached.loadedAt + maxAge ? this.#cached.keys : void 0;
  }
};
var selectKeys = /* @__PURE__ */ __name((keys, kid) => kid === void 0 ? keys : keys.filter((key) => key.kid === kid), "selectKeys");

// shared/jwt.ts
var MAX_KID_LENGTH = 256;
var headerSchema = /* @__PURE__ */ __name(() => looseObject({ alg: string2(), kid: optional(string2().check(_maxLength(MAX_KID_LENGTH))) }), "headerSchema");
function decodeSegment(segment) {
  const bytes = Buffer.from(segment, "base64url");
  return segment !== "" && bytes.toString("base64url") === segment ? bytes : void 0;
}
__name(decodeSegment, "decodeSegment");
function decodeJsonSegment(segment) {
  const bytes = decodeSegment(segment);
  if (bytes === void 0) return void 0;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return void 0;
  }
}
__name(decodeJsonSegment, "decodeJsonSegment");
function looksLikeJwt(token) {
  const [header = "", ...others] = token.split(".");
  if (others.length !== 2) return false;
  try {
    const value = JSON.parse(Buffer.from(header, "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
__name(looksLikeJwt, "looksLikeJwt");
function decodeJwt(token) {
  const segments = token.split(".");
  if (segments.length !== 3 || segments.some((segment) => decodeSegment(segment) === void 0))
    throw verificationError("malformed_token", "the token is not a compact JWS.");
  const [header, payload] = segments.map(decodeJsonSegment);
  const parsed = headerSchema().safeParse(header);
  if (!parsed.success) throw verificationError("malformed_token", "the token has an invalid header (alg, kid).");
  if ("crit" in parsed.data)
    throw verificationError("malformed_token", "the token uses unsupported extensions (crit).");
  if (payload === void 0) throw verificationError("malformed_token", "the token has a payload that is not JSON.");
  return { alg: parsed.data.alg, kid: parsed.data.kid, payload };
}
__name(decodeJwt, "decodeJwt");
var MAX_NUMERIC_DATE = 253402300799;
var CLOCK_TOLERANCE = 3e4;
var MAX_CLOCK_SKEW = 3e4;
var numericDate = /* @__PURE__ */ __name(() => number2().check(_gte(0), _lte(MAX_NUMERIC_DATE)), "numericDate");
var claimsSchema = /* @__PURE__ */ __name(() => looseObject({
  aud: union([string2(), array(string2())]),
  exp: numericDate(),
  iat: numericDate(),
  nbf: optional(numericDate()),
  iss: optional(string2()),
  scope: optional(union([string2(), array(string2())]))
}), "claimsSchema");
var getScope = /* @__PURE__ */ __name(({ scope }) => typeof scope === "string" ? parseScope(scope) : scope ?? [], "getScope");
function validateClaims(payload, expected, clockInfo) {
  const parsed = claimsSchema().safeParse(payload);
  if (!parsed.success) {
    const name = parsed.error.issues[0]?.path[0];
    if (typeof name !== "string") throw verificationError("malformed_token", "the JWT payload is not a JSON object.");
    throw name in payload ? verificationError("invalid_claim", `the ${name} claim is invalid.`) : verificationError("missing_claim", `the ${name} claim is missing.`);
  }
  const claims = parsed.data;
  const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  if (!audience.includes(expected.clientId))
    throw verificationError("audience_mismatch", "the aud claim does not contain the client ID.");
  if (expected.issuer !== void 0 && claims.iss !== expected.issuer)
    throw verificationError("issuer_mismatch", "the iss claim is not the expected issuer.");
  validateTimes(claims, clockInfo);
  validateTenants(getScope(claims), expected.tsgIds);
  return claims;
}
__name(validateClaims, "validateClaims");
function validateTenants(granted, tsgIds) {
  const missing = tsgIds.filter((id) => !granted.includes(tsgScope(id)));
  if (missing.length > 0)
    throw verificationError("tenant_mismatch", `the token's scope does not grant tenant ${missing.join(", ")}.`);
}
__name(validateTenants, "validateTenants");
function validateTimes({ exp, iat, nbf }, { now: now2, skew = 0 }) {
  const start = Math.max(iat, nbf ?? 0) * 1e3;
  const end = exp * 1e3;
  if (end <= start) throw verificationError("invalid_claim", "the exp claim is not after iat and nbf.");
  const isExpired = /* @__PURE__ */ __name((time3) => end <= time3, "isExpired");
  const isEarly = /* @__PURE__ */ __name((time3) => start > time3 + CLOCK_TOLERANCE, "isEarly");
  if (!isExpired(now2) && !isEarly(now2)) return;
  if (Math.abs(skew) > MAX_CLOCK_SKEW && !isExpired(now2 + skew) && !isEarly(now2 + skew)) {
    const direction = skew < 0 ? "ahead of" : "behind";
    const difference = formatDuration(Math.abs(skew));
    throw verificationError(
      "clock_skew",
      `this machine's clock is ${difference} ${direction} the server's (clock skew).`
    );
  }
  if (isExpired(now2)) throw new TokenExpiredError(`the token expired ${formatDuration(now2 - end)} ago (exp).`);
  throw verificationError(
    "token_not_yet_valid",
    `the token does not become valid until ${formatDuration(start - now2)} from now (iat, nbf).`
  );
}
__name(validateTimes, "validateTimes");
var ALGORITHM2 = "RS256";
var MAX_KEYS = 12;
async function verifyJwt(token, findKeys, expected, getClockInfo2, checkDeadline = () => void 0) {
  const { alg, kid, payload } = decodeJwt(token);
  if (alg !== ALGORITHM2) throw verificationError("algorithm_not_allowed", `the token is not signed with ${ALGORITHM2}.`);
  const keys = await findKeys(kid);
  if (keys.length === 0)
    throw verificationError("signing_key_not_found", "no key in the JWKS matches the token's key ID (kid).");
  const { isSignedBy: isSignedBy2 } = await Promise.resolve().then(() => (init_jws(), jws_exports));
  for (const key of keys.slice(0, MAX_KEYS)) {
    checkDeadline();
    if (await isSignedBy2(token, key)) return { claims: validateClaims(payload, expected, getClockInfo2()), key };
  }
  throw verificationError("invalid_signature", "the token's signature could not be verified with the JWKS.");
}
__name(verifyJwt, "verifyJwt");

// shared/token-endpoint.ts
function createTokenRequest(request) {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: request.clientId,
    client_secret: request.clientSecret,
    scope: request.scope
  });
  return {
    method: "POST",
    url: request.tokenUrl,
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: form.toString()
  };
}
__name(createTokenRequest, "createTokenRequest");
var MIN_TOKEN_LENGTH = 8;
var MAX_TOKEN_LENGTH = 65536;
var B64TOKEN = /^[A-Za-z0-9._~+/-]+={0,2}$/;
var DAY = 86400;
var seconds2 = /* @__PURE__ */ __name(() => pipe(union([number2(), string2().check(_regex(/^\d{1,9}$/))]), transform(Number)), "seconds");
var responseSchema = /* @__PURE__ */ __name(() => object({
  access_token: string2("access_token is missing or not a string").check(
    _minLength(MIN_TOKEN_LENGTH, `access_token is shorter than ${MIN_TOKEN_LENGTH} characters`),
    _maxLength(MAX_TOKEN_LENGTH, `access_token is longer than ${MAX_TOKEN_LENGTH} characters`),
    _regex(
      B64TOKEN,
      "access_token contains a character that RFC 6750 section 2.1 does not allow: only A-Z, a-z, 0-9, and -._~+/ are, and = at the end"
    )
  ),
  token_type: string2().check(_regex(/^bearer$/i)),
  expires_in: optional(pipe(seconds2(), number2().check(_gt(0), _lte(DAY)))),
  scope: optional(string2())
}), "responseSchema");
var FIELD_ERRORS = {
  token_type: "token_type is not Bearer",
  expires_in: "expires_in is not a positive number of seconds up to one day",
  scope: "scope is not a string"
};
var errorSchema = /* @__PURE__ */ __name(() => object({ error: string2().check(_minLength(1)), error_description: optional(unknown()) }), "errorSchema");
var OAUTH_ERRORS = /* @__PURE__ */ new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "unsupported_response_type",
  "invalid_scope",
  "access_denied",
  "server_error",
  "temporarily_unavailable"
]);
var ERROR_CODES = ["invalid_client", "invalid_scope", "unauthorized_client", "access_denied"];
var RETRYABLE_ERRORS = /* @__PURE__ */ new Map([
  ["server_error", "transient"],
  ["temporarily_unavailable", "overloaded"]
]);
function parseTokenResponse(response, options) {
  const { status } = response;
  const body = parseJson(response.body);
  for (const token of findTokens(body)) options.onToken(token);
  const { data: oauthError } = errorSchema().safeParse(body);
  const statusDecides = status in RETRYABLE_STATUS || status >= 300 && status < 400 || status >= 500;
  if (oauthError && !statusDecides) return parseOAuthError(oauthError, status, options);
  const detail = oauthError && describeError(oauthError, options.quote);
  const failure2 = classifyJsonResponse("token", response, options.quote, detail);
  if (failure2 && status === 401 && (body !== void 0 || response.body.trim() === ""))
    return permanent(failure2.error.description, {
      ...{ kind: "rejected", code: "invalid_client", status },
      hint: getHint2("invalid_client", options)
    });
  if (failure2) return failure2;
  const parsed = responseSchema().safeParse(body);
  if (parsed.success) {
    const { access_token: accessToken, expires_in: expiresIn, scope } = parsed.data;
    return { type: "success", value: { accessToken, expiresIn, scope } };
  }
  const { path: [field] = [], message: message2 } = parsed.error.issues[0] ?? {};
  const reason = field === void 0 ? "not a JSON object" : FIELD_ERRORS[field] ?? message2 ?? "";
  return permanent(`invalid token response: ${reason}.`, { kind: "protocol", code: "invalid_token_response" });
}
__name(parseTokenResponse, "parseTokenResponse");
var permanent = /* @__PURE__ */ __name((description, options) => ({
  type: "permanent",
  error: new AuthError(description, options)
}), "permanent");
var getHint2 = /* @__PURE__ */ __name((code, { secretWarning }) => code === "invalid_client" && secretWarning !== void 0 ? `${secretWarning} ${HINTS[code]}` : HINTS[code], "getHint");
function parseOAuthError(response, status, options) {
  const { quote, clientId, requestedScope } = options;
  const { error } = response;
  const value = { invalid_scope: `requested ${quote(requestedScope)}`, invalid_client: `client ID ${quote(clientId)}` };
  const detail = error === "invalid_scope" || error === "invalid_client" ? ` (${value[error]})` : "";
  const description = `token request rejected (status ${status}): ${describeError(response, quote)}${detail}.`;
  const oauthError = quoteErrorCode(error, quote);
  const type = RETRYABLE_ERRORS.get(error);
  if (type)
    return { type, error: new AuthError(description, { kind: "server", code: "server_error", status, oauthError }) };
  const code = ERROR_CODES.find((known) => known === error) ?? "oauth_error";
  return permanent(description, { kind: "rejected", code, status, oauthError, hint: getHint2(code, options) });
}
__name(parseOAuthError, "parseOAuthError");
function describeError({ error, error_description: text2 }, quote) {
  return [quoteErrorCode(error, quote), ...typeof text2 === "string" && text2 !== "" ? [quote(text2)] : []].join(": ");
}
__name(describeError, "describeError");
var MAX_ERROR_CODE_LENGTH = 60;
var quoteErrorCode = /* @__PURE__ */ __name((error, quote) => OAUTH_ERRORS.has(error) ? error : quote(error, MAX_ERROR_CODE_LENGTH), "quoteErrorCode");
var MAX_TOKENS = 4;
function findTokens(body) {
  const { data } = object({ access_token: string2() }).safeParse(body);
  const words = data?.access_token.split(/\s/) ?? [];
  return words.filter(({ length }) => length >= MIN_TOKEN_LENGTH && length <= MAX_TOKEN_LENGTH).slice(0, MAX_TOKENS);
}
__name(findTokens, "findTokens");

// shared/sign-in.ts
function createSignInContext(authRequest, options = {}) {
  const { verify: verify2 = true, policy = {}, userAgent = USER_AGENT, clock = systemClock, random = Math.random } = options;
  const { redactor = new Redactor(), onToken = /* @__PURE__ */ __name(() => void 0, "onToken") } = options;
  redactor.add(authRequest.clientSecret);
  for (const password of getProxyPasswords(process.env)) redactor.add(password);
  return {
    authRequest,
    verify: verify2,
    policy: {
      maxRetries: policy.maxRetries ?? DEFAULTS.maxRetries,
      backoff: policy.backoff ?? DEFAULTS.backoff,
      spreadOnOverload: policy.spreadOnOverload ?? false
    },
    userAgent,
    secureContext: createSecureContext(authRequest.ca),
    redactor,
    onEvent: safeListener(options.onEvent),
    onToken: /* @__PURE__ */ __name((token) => {
      redactor.add(token);
      onToken(token);
    }, "onToken"),
    clock,
    random,
    jwks: new JwksCache(clock)
  };
}
__name(createSignInContext, "createSignInContext");
function createSeparateContext(context, onToken = () => void 0) {
  const redactor = new Redactor([context.authRequest.clientSecret, ...getProxyPasswords(process.env)]);
  return {
    ...context,
    redactor,
    onToken: /* @__PURE__ */ __name((token) => {
      redactor.add(token);
      onToken(token);
    }, "onToken")
  };
}
__name(createSeparateContext, "createSeparateContext");
async function requestToken(context, limits) {
  const { authRequest, clock, redactor, onToken } = context;
  await updateClientSecret(context, limits);
  const stop = new AbortController();
  const signal = limits.signal === void 0 ? stop.signal : AbortSignal.any([limits.signal, stop.signal]);
  const ownLimits = { deadline: limits.deadline, signal };
  const call = {
    name: "token",
    request: createTokenRequest(authRequest),
    parse: /* @__PURE__ */ __name((response) => parseTokenResponse(response, {
      ...{ quote: redactor.quote, onToken, clientId: authRequest.clientId, requestedScope: authRequest.scope },
      secretWarning: authRequest.warnings.find((warning) => warning === SUSPECT_SECRET)
    }), "parse")
  };
  const issued = requestWithRetries(context, call, ownLimits);
  const lookup2 = context.verify ? context.jwks.lookup(createLoader(context, ownLimits), ownLimits) : void 0;
  try {
    if (lookup2 === void 0) return acceptUnverified(context, await issued);
    setImmediate(() => void Promise.resolve().then(() => (init_jws(), jws_exports)).catch(() => void 0));
    const token = await waitForBoth(issued, lookup2.ready, clock, ownLimits);
    return await verifySignature2(context, token, lookup2.find, ownLimits);
  } catch (error) {
    if (AuthError.isAuthError(error) && error.code === "invalid_signature") context.jwks.clear();
    throw error;
  } finally {
    stop.abort();
    await Promise.allSettled([issued, lookup2?.ready]);
  }
}
__name(requestToken, "requestToken");
async function updateClientSecret({ authRequest, clock, redactor }, { deadline, signal }) {
  const stop = new AbortController();
  const ended = AbortSignal.any([stop.signal, ...signal ? [signal] : []]);
  const update = authRequest.updateClientSecret(ended);
  if (update === void 0) return;
  try {
    const isUpdated = await Promise.race([update.then(() => true), sleep(clock, deadline - clock.monotonic(), ended)]);
    if (signal?.aborted) throw abortedError(signal.reason, false);
    if (isUpdated !== true) {
      const description = "the function that returns the client secret did not end in time.";
      throw new AuthError(description, { kind: "config", code: "client_secret_unavailable" });
    }
    redactor.add(authRequest.clientSecret);
  } finally {
    stop.abort();
  }
}
__name(updateClientSecret, "updateClientSecret");
async function verifyToken(context, token, limits) {
  if (!looksLikeJwt(token)) throw opaqueTokenError();
  const { payload } = decodeJwt(token);
  context.onToken(token);
  const value = { accessToken: token, expiresIn: void 0, scope: void 0 };
  const existing = { value, sentAt: context.clock.elapsed(), clockOffset: void 0 };
  validateClaims(payload, context.authRequest, getClockInfo(context, existing));
  const load = createLoader(context, limits);
  return verifySignature2(context, existing, (kid) => context.jwks.lookup(load).find(kid), limits);
}
__name(verifyToken, "verifyToken");
function createLoader(context, limits) {
  const call = {
    name: "jwks",
    request: createJwksRequest(context.authRequest.jwksUrl),
    parse: /* @__PURE__ */ __name((response) => parseJwksResponse(response, context.redactor.quote), "parse")
  };
  return async () => (await requestWithRetries(context, call, limits)).value;
}
__name(createLoader, "createLoader");
var MIN_GRACE = 2e3;
async function waitForBoth(issued, keysReady, clock, { deadline, signal }) {
  try {
    const [token] = await Promise.all([issued, keysReady]);
    return token;
  } catch (error) {
    const isRejected = AuthError.isAuthError(error) && ["rejected", "protocol"].includes(error.kind);
    const grace = isRejected ? MIN_GRACE : Math.max(MIN_GRACE, deadline - clock.monotonic());
    await Promise.race([issued, sleep(clock, grace, signal)]);
    throw error;
  }
}
__name(waitForBoth, "waitForBoth");
async function verifySignature2(context, issued, findKeys, { deadline }) {
  const { authRequest, clock } = context;
  const { accessToken } = issued.value;
  if (!looksLikeJwt(accessToken)) throw opaqueTokenError();
  const checkDeadline = /* @__PURE__ */ __name(() => {
    if (clock.monotonic() < deadline) return;
    const description = "timed out while verifying the token's signature.";
    throw new AuthError(description, { kind: "timeout", code: "response_timeout", hint: "Raise the timeout." });
  }, "checkDeadline");
  const clockInfo = /* @__PURE__ */ __name(() => getClockInfo(context, issued), "clockInfo");
  const { claims, key } = await verifyJwt(accessToken, findKeys, authRequest, clockInfo, checkDeadline);
  return createAccessToken(context, issued, claims, key);
}
__name(verifySignature2, "verifySignature");
function acceptUnverified(context, issued) {
  const { authRequest } = context;
  const { accessToken, scope = authRequest.scope } = issued.value;
  const isJwt = looksLikeJwt(accessToken);
  if (!isJwt && authRequest.issuer !== void 0)
    throw opaqueTokenError("The issuer of an opaque token is unknown. Check the token URL, or omit the issuer.");
  const clockInfo = getClockInfo(context, issued);
  const claims = isJwt ? validateClaims(decodeJwt(accessToken).payload, authRequest, clockInfo) : void 0;
  if (!claims) validateTenants(parseScope(scope), authRequest.tsgIds);
  return createAccessToken(context, issued, claims);
}
__name(acceptUnverified, "acceptUnverified");
function createAccessToken({ authRequest, clock }, { value, sentAt }, claims, signingKey) {
  const { accessToken, expiresIn = Infinity, scope = authRequest.scope } = value;
  const { exp = Infinity, iat = 0 } = claims ?? {};
  const toElapsed = clock.elapsed() - clock.now();
  const deadline = Math.min(sentAt + expiresIn * 1e3, exp * 1e3 + toElapsed);
  const end = claims ? exp * 1e3 : deadline - toElapsed;
  return new AccessToken(accessToken, {
    deadline: deadline === Infinity ? void 0 : deadline,
    lifetime: deadline === Infinity ? void 0 : Math.min(expiresIn, exp - iat) * 1e3,
    expiresAt: deadline === Infinity ? void 0 : new Date(end),
    scope: filterScopeTokens(claims ? getScope(claims) : parseScope(scope)),
    tsgIds: authRequest.tsgIds,
    signingKey
  });
}
__name(createAccessToken, "createAccessToken");
var getClockInfo = /* @__PURE__ */ __name(({ clock }, { clockOffset }) => ({
  now: clock.now(),
  skew: clockOffset
}), "getClockInfo");
var opaqueTokenError = /* @__PURE__ */ __name((hint) => new AuthError("the access token is opaque (not a JWT).", { kind: "verification", code: "opaque_token", hint }), "opaqueTokenError");

// shared/token-source.ts
var EXPIRY_MARGIN = 3e4;
var MAX_MARGIN_RATIO = 1 / 10;
var MAX_BUFFER_RATIO = 1 / 3;
var JITTER = 0.1;
var MAX_MIN_TTL_RATIO = 0.9;
var REFRESH_PAUSE = 1e4;
var MIN_PAUSE = 1e3;
var MAX_PAUSE = 6e4;
var MIN_INTERVAL = 250;
var TokenSource = class {
  static {
    __name(this, "TokenSource");
  }
  #requestToken;
  #options;
  #cached;
  #pending;
  #failure;
  #refreshPausedUntil = -Infinity;
  /** @param requestToken - requests a token, including retries; the signal is aborted when no caller is waiting */
  constructor(requestToken2, options) {
    this.#requestToken = requestToken2;
    this.#options = options;
  }
  /** The newest token, even if it has expired; undefined before the first token. */
  get current() {
    return this.#cached?.token;
  }
  /** Whether there is no valid token. A token with an unknown lifetime is considered expired. */
  get isExpired() {
    return this.#getRemaining() <= 0;
  }
  /** Whether the remaining lifetime is within the buffer, or there is no token. */
  get expiresSoon() {
    return this.#getRemaining() <= (this.#cached?.refreshAt ?? 0);
  }
  /**
   * Returns the current token, or a new one if the current token is about to expire or does not meet `minTtl`.
   *
   * @throws AuthError; during the pause after a failure that is not retried, the same error
   */
  async getToken({ signal, minTtl: minTtl2 = 0 } = {}) {
    if (signal?.aborted) throw abortedError(signal.reason);
    const cached2 = this.#cached;
    const remaining = this.#getRemaining();
    const minRemaining = Math.min(minTtl2 * 1e3, (cached2?.token.lifetime ?? 0) * MAX_MIN_TTL_RATIO);
    if (cached2 === void 0 || remaining <= cached2.margin || remaining < minRemaining) return this.refresh({ signal });
    if ((this.#options.buffer ?? 0) > 0 && remaining <= cached2.refreshAt) this.#refreshInBackground();
    return cached2.token;
  }
  /**
   * Returns a new token from the request that is in progress, or from a new request.
   *
   * @throws AuthError; during the pause after a failure that is not retried, the same error
   */
  async refresh({ signal } = {}) {
    if (signal?.aborted) throw abortedError(signal.reason);
    if (this.#pending === void 0 && this.#failure !== void 0 && this.#now() < this.#failure.until)
      throw this.#failure.error;
    const pending = this.#pending ??= this.#startRequest();
    pending.waiters++;
    try {
      return await withAbort(pending.promise, signal);
    } finally {
      pending.waiters--;
      if (pending.waiters === 0 && this.#pending === pending) {
        this.#pending = void 0;
        pending.controller.abort();
      }
    }
  }
  /** Makes a verified token from another source, for example a file, the current token. */
  adopt(token) {
    const { buffer = 0, random } = this.#options;
    const lifetime = token.lifetime ?? 0;
    this.#cached = {
      token,
      refreshAt: Math.min(buffer * 1e3 * (1 + JITTER * random()), lifetime * MAX_BUFFER_RATIO),
      margin: Math.min(EXPIRY_MARGIN, lifetime * MAX_MARGIN_RATIO)
    };
    this.#refreshPausedUntil = -Infinity;
  }
  #refreshInBackground() {
    if (this.#pending !== void 0 || this.#now() < this.#refreshPausedUntil) return;
    this.refresh().catch(() => void 0);
  }
  #startRequest() {
    const controller = new AbortController();
    const promise = this.#request(controller.signal);
    promise.catch(() => void 0);
    return { promise, controller, waiters: 0 };
  }
  async #request(signal) {
    await Promise.resolve();
    const startedAt = this.#now();
    try {
      const token = await this.#requestToken(signal);
      if (!signal.aborted) this.#succeed(token);
      return token;
    } catch (error) {
      if (!signal.aborted) this.#fail(AuthError.isAuthError(error) ? error : void 0, startedAt);
      throw error;
    }
  }
  #succeed(token) {
    this.#pending = void 0;
    this.#failure = void 0;
    this.adopt(token);
    this.#options.onToken?.(token);
  }
  #fail(error, startedAt) {
    const now2 = this.#now();
    this.#pending = void 0;
    this.#refreshPausedUntil = now2 + Math.max(REFRESH_PAUSE, error?.retryAfterMs ?? 0);
    if (error === void 0) return;
    const pause = this.#getPause(error);
    this.#failure = { error, pause, until: pause === 0 ? startedAt + MIN_INTERVAL : now2 + pause };
  }
  /** The pause after a failure; 0 after a temporary one, because its retries limit the rate of requests. */
  #getPause(error) {
    if (error.retryable && error.retryAfterMs === void 0) return 0;
    const previous = isPermanentRejection(error) ? this.#failure?.pause ?? 0 : 0;
    return Math.max(MIN_PAUSE, Math.min(MAX_PAUSE, previous * 2));
  }
  #getRemaining() {
    return this.#cached?.token.remaining(this.#options.clock) ?? -Infinity;
  }
  #now() {
    return this.#options.clock.monotonic();
  }
};
function isPermanentRejection({ kind, code, oauthError, status }) {
  if (kind !== "rejected") return kind === "config";
  return code === "invalid_client" || oauthError !== void 0 && (status === 401 || OAUTH_ERRORS.has(oauthError));
}
__name(isPermanentRejection, "isPermanentRejection");
function withAbort(promise, signal) {
  if (signal === void 0) return promise;
  return new Promise((resolve5, reject2) => {
    const onAbort = /* @__PURE__ */ __name(() => {
      reject2(abortedError(signal.reason));
    }, "onAbort");
    signal.addEventListener("abort", onAbort, { once: true });
    const done = /* @__PURE__ */ __name(() => {
      signal.removeEventListener("abort", onAbort);
    }, "done");
    promise.then(resolve5, reject2).finally(done);
  });
}
__name(withAbort, "withAbort");

// shared/auth-file/file-lock.ts
var import_promises3 = require("node:fs/promises");

// shared/auth-file/safe-files.ts
var import_node_child_process = require("node:child_process");
var import_node_crypto2 = require("node:crypto");
var import_promises = require("node:fs/promises");
var import_node_os = require("node:os");
var import_node_path = require("node:path");
var import_promises2 = require("node:timers/promises");
var import_node_util2 = require("node:util");
var FILE_TIMEOUT = 1e4;
var printablePath = /* @__PURE__ */ __name((path2) => sanitize(path2, 200), "printablePath");
var authFileError = /* @__PURE__ */ __name((path2, message2, code, cause) => new AuthError(`the auth file ${printablePath(path2)} ${message2}.`, { kind: "file", code, cause }), "authFileError");
function classifyErrno(errno) {
  if (/^(EACCES|EPERM|EROFS)$/.test(errno)) return "auth_file_permission_denied";
  if (/^(ENOSPC|EDQUOT|EFBIG)$/.test(errno)) return "auth_file_disk_full";
  if (/^(ENOENT|ENOTDIR|EEXIST|EISDIR|ENAMETOOLONG|EINVAL)$/.test(errno)) return "auth_file_invalid_path";
  return errno === "ELOOP" ? "auth_file_insecure" : "auth_file_io_error";
}
__name(classifyErrno, "classifyErrno");
async function runFileOperation(path2, action, { deadline = Infinity, signal }, operation) {
  if (signal?.aborted) throw abortedError(signal.reason);
  const timeout2 = Math.max(0, Math.min(FILE_TIMEOUT, deadline - systemClock.monotonic()));
  const done = new AbortController();
  const limit2 = /* @__PURE__ */ __name(async () => {
    await sleep(systemClock, timeout2, signal ? AbortSignal.any([signal, done.signal]) : done.signal);
    if (signal?.aborted) throw abortedError(signal.reason);
    throw authFileError(path2, `cannot be ${action}: the file system does not respond`, "auth_file_io_error");
  }, "limit");
  try {
    return await Promise.race([operation(), limit2()]);
  } catch (error) {
    if (AuthError.isAuthError(error) || getErrorCode(error) === void 0) throw error;
    const { code = "", errno = 0 } = error;
    const reason = (0, import_node_util2.getSystemErrorMap)().get(errno)?.[1] ?? `error ${sanitize(code, 40)}`;
    throw authFileError(path2, `cannot be ${action}: ${reason}`, classifyErrno(code), error);
  } finally {
    done.abort();
  }
}
__name(runFileOperation, "runFileOperation");
var MAX_BYTES2 = 65536;
var MAX_WRITE_ATTEMPTS = 3;
var O_NOFOLLOW = import_promises.constants.O_NOFOLLOW ?? 0;
var O_NONBLOCK = import_promises.constants.O_NONBLOCK ?? 0;
var CREATE_FLAGS = import_promises.constants.O_WRONLY | import_promises.constants.O_CREAT | import_promises.constants.O_EXCL | O_NOFOLLOW;
var ICACLS_TIMEOUT = 5e3;
var getSiblingPath = /* @__PURE__ */ __name((path2, suffix) => (0, import_node_path.join)((0, import_node_path.dirname)(path2), `.${(0, import_node_path.basename)(path2)}.${suffix}`), "getSiblingPath");
var getLockPath = /* @__PURE__ */ __name((path2) => getSiblingPath(path2, "lock"), "getLockPath");
var TEMP_SUFFIX = /^[0-9a-f]{12}\.tmp$/;
function readPrivateFile(path2, options = {}) {
  return runFileOperation(path2, "read", options, async () => {
    try {
      return await readFile(path2, options);
    } catch (error) {
      if (getErrorCode(error) === "ENOENT") return void 0;
      throw error;
    }
  });
}
__name(readPrivateFile, "readPrivateFile");
async function readFile(path2, { anyOwner = false }) {
  const fail = /* @__PURE__ */ __name((message2, code) => {
    throw authFileError(path2, message2, code);
  }, "fail");
  const checkOwner = /* @__PURE__ */ __name(({ uid }) => {
    if (uid !== (process.geteuid?.() ?? uid)) fail(`belongs to another user (uid ${uid})`, "auth_file_insecure");
  }, "checkOwner");
  const entry = await (0, import_promises.lstat)(path2);
  if (entry.isSymbolicLink()) fail("is a symbolic link", "auth_file_insecure");
  const handle = await (0, import_promises.open)(path2, import_promises.constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error) => {
    if (getErrorCode(error) === "EACCES") checkOwner(entry);
    throw error;
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) fail("is a directory", "auth_file_invalid_path");
    if (!stats.isFile()) fail("is not a regular file", "auth_file_insecure");
    if (!anyOwner) checkOwner(stats);
    if (!anyOwner && stats.nlink > 1) fail("has another hard link", "auth_file_insecure");
    if (stats.size > MAX_BYTES2) fail("is too large for an auth file", "auth_file_not_managed");
    return { text: await handle.readFile("utf8"), mode: stats.mode & 511 };
  } finally {
    await handle.close();
  }
}
__name(readFile, "readFile");
var isPrivate = /* @__PURE__ */ __name(({ mode }) => process.geteuid === void 0 || (mode & 63) === 0, "isPrivate");
function writeFileAtomic(path2, text2, shouldReplace, limits = {}) {
  return runFileOperation(path2, "written", limits, async () => {
    for (let attempt2 = 1; ; attempt2++) {
      const temp = getSiblingPath(path2, `${(0, import_node_crypto2.randomBytes)(6).toString("hex")}.tmp`);
      try {
        await writeTempFile(temp, text2);
        const isWanted = await shouldReplace();
        if (isWanted) await retryWhileBusy(() => (0, import_promises.rename)(temp, path2));
        else await (0, import_promises.unlink)(temp);
        return isWanted;
      } catch (error) {
        await (0, import_promises.unlink)(temp).catch(() => void 0);
        if (getErrorCode(error) !== "ENOENT" || attempt2 === MAX_WRITE_ATTEMPTS) throw error;
      }
    }
  });
}
__name(writeFileAtomic, "writeFileAtomic");
async function writeTempFile(temp, text2) {
  const handle = await (0, import_promises.open)(temp, CREATE_FLAGS, 384);
  try {
    if (process.platform === "win32") await restrictToUser(temp);
    else await handle.chmod(384);
    await handle.writeFile(text2);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
__name(writeTempFile, "writeTempFile");
async function restrictToUser(file) {
  const args = [file, "/inheritance:r", "/grant:r", `${(0, import_node_os.userInfo)().username}:F`];
  const options = { timeout: ICACLS_TIMEOUT, windowsHide: true };
  await (0, import_node_util2.promisify)(import_node_child_process.execFile)(getIcaclsPath(process.env["SystemRoot"]), args, options).catch(() => void 0);
}
__name(restrictToUser, "restrictToUser");
var getIcaclsPath = /* @__PURE__ */ __name((systemRoot = "") => import_node_path.win32.join(/^[a-z]:\\./i.test(systemRoot) ? systemRoot : "C:\\Windows", "System32", "icacls.exe"), "getIcaclsPath");
async function retryWhileBusy(operation) {
  for (let retries = 40; ; retries--) {
    try {
      await operation();
      return;
    } catch (error) {
      const isBusy = process.platform === "win32" && /^(EPERM|EACCES|EBUSY)$/.test(getErrorCode(error) ?? "");
      if (!isBusy || retries === 0) throw error;
      await (0, import_promises2.setTimeout)(50);
    }
  }
}
__name(retryWhileBusy, "retryWhileBusy");
function removeManagedFile(path2, isManaged2, options = {}) {
  return runFileOperation(path2, "removed", {}, async () => {
    const isRemoved = await removeOnce(path2, isManaged2, options);
    await removeTempFiles(path2);
    await (0, import_promises.rmdir)(getLockPath(path2)).catch(() => void 0);
    return await removeOnce(path2, isManaged2, options) || isRemoved;
  });
}
__name(removeManagedFile, "removeManagedFile");
async function removeOnce(path2, isManaged2, options) {
  const file = await readPrivateFile(path2, options).catch(() => void 0);
  if (file === void 0 || !isManaged2(file.text)) return false;
  await retryWhileBusy(() => (0, import_promises.unlink)(path2)).catch((error) => {
    if (getErrorCode(error) !== "ENOENT") throw error;
  });
  return true;
}
__name(removeOnce, "removeOnce");
async function removeTempFiles(path2, minAge = -Infinity) {
  const prefix = `.${(0, import_node_path.basename)(path2)}.`;
  const names = await (0, import_promises.readdir)((0, import_node_path.dirname)(path2)).catch(() => []);
  for (const name of names.filter((name2) => name2.startsWith(prefix) && TEMP_SUFFIX.test(name2.slice(prefix.length)))) {
    const temp = (0, import_node_path.join)((0, import_node_path.dirname)(path2), name);
    const stats = await (0, import_promises.lstat)(temp).catch(() => void 0);
    if (stats !== void 0 && Date.now() - stats.mtimeMs >= minAge) await (0, import_promises.unlink)(temp).catch(() => void 0);
  }
}
__name(removeTempFiles, "removeTempFiles");

// shared/auth-file/file-lock.ts
var STALE_AFTER = 1e4;
var MAX_DELAY = 160;
async function withFileLock(path2, options, work) {
  const lock = getLockPath(path2);
  const acquired = await acquire(lock, options);
  try {
    return await work();
  } finally {
    if (acquired !== void 0) await limit(lock, {}, () => release(lock, acquired), void 0);
  }
}
__name(withFileLock, "withFileLock");
async function acquire(lock, options) {
  const { clock, random, deadline, signal } = options;
  let seen;
  let seenAt = clock.monotonic();
  for (; ; ) {
    const { state, id } = await limit(lock, options, () => create(lock), UNAVAILABLE);
    if (state === "created") return id;
    const now2 = clock.monotonic();
    if (state === "unavailable" || now2 >= deadline) return void 0;
    if (id !== seen) {
      seen = id;
      seenAt = now2;
    } else if (now2 - seenAt >= STALE_AFTER) {
      const errno = await limit(lock, options, () => (0, import_promises3.rmdir)(lock).then(() => "ENOENT", getErrorCode), void 0);
      if (errno !== "ENOENT") return void 0;
    }
    await sleep(clock, Math.min((0.25 + random() * 0.75) * MAX_DELAY, deadline - now2), signal);
    if (signal?.aborted) throw abortedError(signal.reason);
  }
}
__name(acquire, "acquire");
var UNAVAILABLE = { state: "unavailable", id: void 0 };
async function create(lock) {
  try {
    await (0, import_promises3.mkdir)(lock, 448);
    return { state: "created", id: await identify(lock) };
  } catch (error) {
    return getErrorCode(error) === "EEXIST" ? { state: "exists", id: await identify(lock) } : UNAVAILABLE;
  }
}
__name(create, "create");
async function release(lock, acquired) {
  if (await identify(lock) === acquired) await (0, import_promises3.rmdir)(lock).catch(() => void 0);
}
__name(release, "release");
var limit = /* @__PURE__ */ __name((lock, limits, operation, fallback) => runFileOperation(lock, "locked", limits, operation).catch((error) => {
  if (limits.signal?.aborted) throw error;
  return fallback;
}), "limit");
var identify = /* @__PURE__ */ __name((lock) => (0, import_promises3.lstat)(lock, { bigint: true }).then(
  ({ ino, birthtimeNs }) => `${ino}:${birthtimeNs}`,
  () => void 0
), "identify");

// shared/auth-file/format.ts
var PLACEHOLDER_SECRET = "not-stored-by-scm-auth";
var TOKEN_SERVER_HOST = "127.0.0.1";
var TOKEN_SERVER_PATH = "/am/oauth2/access_token";
var TOKEN_SERVER_JWKS_PATH = "/am/oauth2/connect/jwk_uri";
var SHUTDOWN_PATH = "/shutdown";
var TOKEN_SERVER_URL = /^http:\/\/127\.0\.0\.1:([1-9]\d{0,4})\/am\/oauth2\/access_token$/;
var SERVER_SECRET = /^[\w-]{43}$/;
var EXPIRY_MARGIN2 = 6e4;
var EXPIRY_MARGIN_RATIO = 1 / 10;
var toTokenServerUrl = /* @__PURE__ */ __name((port) => `http://${TOKEN_SERVER_HOST}:${port}${TOKEN_SERVER_PATH}`, "toTokenServerUrl");
function parseTokenServerPort(authUrl) {
  const port = Number(TOKEN_SERVER_URL.exec(authUrl)?.[1]);
  return port <= 65535 ? port : void 0;
}
__name(parseTokenServerPort, "parseTokenServerPort");
var serializeAuthFile = /* @__PURE__ */ __name((content) => `${JSON.stringify(
  {
    client_id: content.clientId,
    client_secret: content.clientSecret,
    scope: content.scope,
    auth_url: content.authUrl,
    jwt: content.jwt,
    jwt_expires_at: new Date(content.jwtExpiresAt).toISOString(),
    jwt_lifetime: Math.floor(content.jwtLifetime / 1e3)
  },
  void 0,
  2
)}
`, "serializeAuthFile");
var nonEmptyString = string2().check(
  _minLength(1),
  // A lone surrogate cannot be encoded as UTF-8; scm-auth never writes one.
  refine((value) => value.isWellFormed())
);
var schema = object({
  client_id: nonEmptyString,
  client_secret: nonEmptyString,
  scope: nonEmptyString,
  auth_url: nonEmptyString,
  jwt: nonEmptyString,
  jwt_expires_at: iso_exports.datetime({ offset: true }),
  jwt_lifetime: int().check(_gte(0))
});
function parseAuthFile(text2) {
  let json;
  try {
    json = JSON.parse(text2);
  } catch {
    return void 0;
  }
  const { success, data } = schema.safeParse(json);
  if (!success) return void 0;
  return {
    clientId: data.client_id,
    clientSecret: data.client_secret,
    scope: data.scope,
    authUrl: data.auth_url,
    jwt: data.jwt,
    jwtExpiresAt: Date.parse(data.jwt_expires_at),
    jwtLifetime: data.jwt_lifetime * 1e3
  };
}
__name(parseAuthFile, "parseAuthFile");
function parseManagedFile(path2, text2) {
  const content = parseAuthFile(text2);
  if (content === void 0 || !isManaged(content))
    throw authFileError(path2, "already exists and was not created by scm-auth", "auth_file_not_managed");
  return content;
}
__name(parseManagedFile, "parseManagedFile");
var isManaged = /* @__PURE__ */ __name(({ authUrl, clientSecret }) => clientSecret === PLACEHOLDER_SECRET || parseTokenServerPort(authUrl) !== void 0 && SERVER_SECRET.test(clientSecret), "isManaged");
function isCanonical(text2) {
  const content = parseAuthFile(text2);
  return content !== void 0 && serializeAuthFile(content) === text2;
}
__name(isCanonical, "isCanonical");
function createAuthFileContent(request, token, clock, server) {
  const { lifetime, expiresAt } = token;
  const remaining = token.remaining(clock);
  if (lifetime === void 0 || remaining === void 0 || expiresAt === void 0)
    throw new AuthError("the token's lifetime is unknown, so it cannot be stored in an auth file.", {
      kind: "protocol",
      code: "token_lifetime_unknown"
    });
  const margin = Math.min(EXPIRY_MARGIN2, lifetime * EXPIRY_MARGIN_RATIO, remaining / 2);
  const measured = clock.now() + remaining;
  const expiry = Math.abs(expiresAt.getTime() - measured) <= margin / 2 ? expiresAt.getTime() : measured;
  return {
    clientId: request.clientId,
    clientSecret: server?.clientSecret ?? PLACEHOLDER_SECRET,
    scope: request.scope,
    authUrl: server?.authUrl ?? request.tokenUrl.href,
    jwt: token.value,
    jwtExpiresAt: Math.floor(expiry - margin),
    jwtLifetime: Math.max(1, Math.floor(lifetime / 1e3)) * 1e3
  };
}
__name(createAuthFileContent, "createAuthFileContent");
var otherIdentityError = /* @__PURE__ */ __name((path2) => authFileError(path2, "contains a valid token for another identity (client ID or scope)", "auth_file_in_use"), "otherIdentityError");
var matchesIdentity = /* @__PURE__ */ __name((content, identity) => content.clientId === identity.clientId && normalizeScope(content.scope) === normalizeScope(identity.scope), "matchesIdentity");

// shared/auth-file/git-ignore.ts
var import_node_child_process2 = require("node:child_process");
var import_node_path2 = require("node:path");
var import_node_util3 = require("node:util");
var GIT_TIMEOUT = 3e3;
async function getGitWarnings(path2, { deadline = Infinity, signal } = {}) {
  const args = ["-C", (0, import_node_path2.dirname)(path2), "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", path2];
  const options = { cwd: (0, import_node_path2.dirname)(process.execPath), windowsHide: true, killSignal: "SIGKILL", signal };
  const timeout2 = Math.max(1, Math.floor(Math.min(GIT_TIMEOUT, (deadline - systemClock.monotonic()) / 3)));
  try {
    await (0, import_node_util3.promisify)(import_node_child_process2.execFile)("git", args, { ...options, timeout: timeout2 });
    return [];
  } catch (error) {
    if (error.code !== 1) return [];
    const line = printablePath((0, import_node_path2.basename)(path2));
    return [`git does not ignore the auth file, so it could be committed. Add this line to .gitignore: ${line}`];
  }
}
__name(getGitWarnings, "getGitWarnings");

// shared/auth-file/private-directory.ts
var import_promises4 = require("node:fs/promises");
var import_node_path3 = require("node:path");
var S_ISVTX = 512;
var S_IWGRP = 16;
var S_IWOTH = 2;
var ROOT = 0;
var CAN_REPLACE = "can replace the auth file";
function checkDirectory({ uid, gid, mode }, user, systemOwner = ROOT) {
  if (user === void 0) return {};
  const isSystem = uid === ROOT || uid === systemOwner;
  const isOther = uid !== user && !isSystem;
  const isSticky = (mode & S_ISVTX) !== 0;
  if (isOther && user !== ROOT) return { error: `belongs to another user (uid ${uid})` };
  if ((mode & S_IWOTH) !== 0 && !isSticky) return { error: "can be written to by every user" };
  if (isOther) return { warning: `belongs to another user (uid ${uid}), who ${CAN_REPLACE}` };
  if ((mode & S_IWGRP) === 0 || isSticky) return {};
  if (uid !== user && gid !== ROOT) return { error: `can be written to by its group (gid ${gid})` };
  return { warning: `can be written to by its group, whose members ${CAN_REPLACE}` };
}
__name(checkDirectory, "checkDirectory");
function ensurePrivateDirectory(path2, limits = {}, trustedDir = process.env["RUNNER_TEMP"]) {
  return runFileOperation(path2, "written", limits, async () => {
    const directory = (0, import_node_path3.dirname)(path2);
    if (await createDirectory(directory, trustedDir))
      await ignoreExisting((0, import_promises4.writeFile)((0, import_node_path3.join)(directory, ".gitignore"), "*\n", { flag: "wx", mode: 384 }));
    return checkAncestors(directory, trustedDir);
  });
}
__name(ensurePrivateDirectory, "ensurePrivateDirectory");
var checkPrivateDirectory = /* @__PURE__ */ __name((path2, limits = {}) => runFileOperation(path2, "read", limits, () => checkAncestors((0, import_node_path3.dirname)(path2), process.env["RUNNER_TEMP"])), "checkPrivateDirectory");
async function createDirectory(directory, trustedDir) {
  try {
    await (0, import_promises4.stat)(`${directory}/`);
  } catch (error) {
    const parent = (0, import_node_path3.dirname)(directory);
    if (getErrorCode(error) !== "ENOENT" || parent === directory) throw error;
    await createDirectory(parent, trustedDir);
    await ignoreExisting((0, import_promises4.mkdir)(directory, 448).then(() => (0, import_promises4.chmod)(directory, 448)));
    return true;
  }
  await checkAncestors(directory, trustedDir);
  return false;
}
__name(createDirectory, "createDirectory");
async function ignoreExisting(operation) {
  await operation.catch((error) => {
    if (getErrorCode(error) !== "EEXIST") throw error;
  });
}
__name(ignoreExisting, "ignoreExisting");
async function checkAncestors(directory, trustedDir) {
  const user = process.geteuid?.();
  if (user === void 0) return [];
  const trusted = await getPathDirectories(trustedDir ?? "").catch(() => /* @__PURE__ */ new Set());
  const { uid: systemOwner } = await (0, import_promises4.stat)("/");
  let warning;
  for (const name of await getPathDirectories(directory)) {
    if (trusted.has(name)) continue;
    const stats = await (0, import_promises4.lstat)(name).catch(ignoreMissing);
    if (stats === void 0) continue;
    const check = checkDirectory(stats.isSymbolicLink() ? { ...stats, mode: 0 } : stats, user, systemOwner);
    if (check.error !== void 0)
      throw new AuthError(`the directory ${printablePath(name)} ${check.error}.`, {
        kind: "file",
        code: "auth_file_dir_insecure"
      });
    warning ??= check.warning && `The directory ${printablePath(name)} ${check.warning}.`;
  }
  return warning === void 0 ? [] : [warning];
}
__name(checkAncestors, "checkAncestors");
async function getPathDirectories(directory) {
  const names = /* @__PURE__ */ new Set([...getAncestors(await (0, import_promises4.realpath)(directory)), ...getAncestors((0, import_node_path3.resolve)(directory))]);
  for (const name of names) {
    const target = await (0, import_promises4.readlink)(name).catch(() => void 0);
    if (target === void 0) continue;
    for (const added of getAncestors((0, import_node_path3.resolve)(await (0, import_promises4.realpath)((0, import_node_path3.dirname)(name)), target))) names.add(added);
  }
  return names;
}
__name(getPathDirectories, "getPathDirectories");
function ignoreMissing(error) {
  if (getErrorCode(error) !== "ENOENT") throw error;
}
__name(ignoreMissing, "ignoreMissing");
function getAncestors(directory) {
  const parent = (0, import_node_path3.dirname)(directory);
  return parent === directory ? [directory] : [directory, ...getAncestors(parent)];
}
__name(getAncestors, "getAncestors");

// shared/auth-file/token-server-client.ts
var import_node_events3 = require("node:events");
var import_node_http2 = require("node:http");

// shared/auth-file/refresher.ts
var failureSummary = object({ message: string2(), hint: string2(), docs: string2() });
var refreshGap = object({
  since: number2(),
  /** Undefined if the period has not ended. */
  until: optional(number2()),
  /** The number of failed token requests and failed writes since the previous token was written. */
  failedAttempts: int(),
  /** The last of these failures. Undefined if there was none, because this process or the machine was suspended. */
  error: optional(failureSummary)
});
var refreshStats = object({
  /** The number of tokens obtained since the refresher started. */
  renewals: int(),
  /** The number of outages. Consecutive failed token requests count as one outage. */
  outages: int(),
  /**
   * The current period in which the written token has expired, or otherwise the longest one; undefined if it was always
   * valid.
   */
  gap: optional(refreshGap),
  /** The permanent rejection by the auth server that ended the renewals; undefined if there was none. */
  rejection: optional(failureSummary)
});
var TICK = 1e3;
var MIN_ATTEMPT_INTERVAL = 1e3;
var RENEW_AFTER_RATIO = 1 / 3;
var RENEW_BEFORE_RATIO = 2 / 3;
var MAX_RETRY_RATIO = 1 / 8;
var MIN_RETRY_DELAY = 250;
var MAX_RETRY_DELAY = 3e4;
var ATTEMPT_RATIO = 1 / 2;
var MIN_ATTEMPT_TIMEOUT2 = 2e3;
var MAX_ATTEMPT_TIMEOUT = 3e4;
var MAX_RETRY_AFTER_RATIO = 3 / 4;
var MAX_RETRY_AFTER = 3e5;
var TokenRefresher = class {
  static {
    __name(this, "TokenRefresher");
  }
  #tokens;
  #options;
  #stopped = new AbortController();
  /** Ends the delay before the next attempt. */
  #wake = new AbortController();
  /** The token for which the next renewal is scheduled. */
  #scheduled;
  /** The token that others can read. */
  #written;
  /** These three times are based on `clock.elapsed()`. */
  #nextWriteAt = -Infinity;
  #nextAttemptAt = -Infinity;
  #notBefore = -Infinity;
  #rejection;
  #renewals = 0;
  #outages = 0;
  #isFailing = false;
  #failedAttempts = 0;
  #lastError;
  #longestGap;
  constructor(tokens, options) {
    this.#tokens = tokens;
    this.#options = options;
  }
  /** Starts renewing the token. The current token of the source is assumed to be written already. */
  start() {
    this.#written = this.#tokens.current;
    this.#schedule(this.#written);
    void this.#run();
  }
  /** Cancels all timers and the current attempt. A write in progress is not interrupted. */
  stop() {
    this.#stopped.abort();
    this.#wake.abort();
  }
  /** The newest token, expired or not. */
  get current() {
    return this.#tokens.current;
  }
  /** The permanent rejection that ended the renewals; undefined if there was none. */
  get rejection() {
    return this.#rejection;
  }
  /** Starts the next attempt now, or as soon as it is allowed. */
  requestRenewal() {
    this.#nextAttemptAt = Math.min(this.#nextAttemptAt, this.#notBefore);
    this.#wake.abort();
  }
  /** Statistics since the refresher started. */
  get stats() {
    const rejection = this.#rejection && summarize(this.#rejection);
    return { renewals: this.#renewals, outages: this.#outages, gap: this.#getGap() ?? this.#longestGap, rejection };
  }
  async #run() {
    const { clock } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const { current } = this.#tokens;
      if (current !== this.#scheduled) {
        this.#renewals++;
        this.#nextWriteAt = -Infinity;
        this.#schedule(current);
      }
      const writeAt = current === this.#written ? Infinity : this.#nextWriteAt;
      const renewAt = this.#rejection ? Infinity : this.#nextAttemptAt;
      const now2 = clock.elapsed();
      if (current !== void 0 && writeAt <= now2) await this.#write(current);
      else if (renewAt <= now2) await this.#renew();
      else {
        this.#wake = new AbortController();
        await sleep(clock, Math.min(TICK, writeAt - now2, renewAt - now2), this.#wake.signal);
      }
    }
  }
  async #renew() {
    const { clock } = this.#options;
    const attempt2 = new AbortController();
    const timeout2 = getAttemptTimeout2(this.#getRemaining(this.#tokens.current));
    const cancel = clock.setTimeout(() => {
      attempt2.abort();
    }, timeout2);
    try {
      await this.#tokens.refresh({ signal: AbortSignal.any([attempt2.signal, this.#stopped.signal]) });
      this.#notBefore = clock.elapsed() + MIN_ATTEMPT_INTERVAL;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#onFailure(attempt2.signal.aborted ? timeoutError2(timeout2) : error);
    } finally {
      cancel();
    }
  }
  #schedule(token) {
    const { clock, random } = this.#options;
    this.#scheduled = token;
    const remaining = this.#getRemaining(token);
    this.#nextAttemptAt = clock.elapsed() + getRenewalDelay(token?.lifetime ?? remaining, remaining, random);
  }
  #onFailure(error) {
    const { clock, random } = this.#options;
    const now2 = clock.elapsed();
    this.#noteFailure(error);
    if (AuthError.isAuthError(error) && isPermanentRejection(error)) {
      this.#rejection = error;
      return;
    }
    if (!this.#isFailing) this.#outages++;
    this.#isFailing = true;
    const remaining = this.#getRemaining(this.#tokens.current);
    const retryAfter = clampRetryAfter(AuthError.isAuthError(error) ? error.retryAfterMs ?? 0 : 0, remaining);
    this.#notBefore = now2 + Math.max(MIN_ATTEMPT_INTERVAL, retryAfter);
    this.#nextAttemptAt = now2 + retryAfter + getRetryDelay2(remaining - retryAfter, random);
  }
  /** A failed write is retried, because the disk may be full only temporarily. */
  async #write(token) {
    const { write, clock, random } = this.#options;
    try {
      await write(token);
      const gap = this.#getGap();
      if (gap !== void 0) {
        const ended = { ...gap, until: clock.now() };
        if (getDuration(ended) >= getDuration(this.#longestGap)) this.#longestGap = ended;
      }
      this.#written = token;
      this.#failedAttempts = 0;
      this.#lastError = void 0;
    } catch (error) {
      this.#noteFailure(error);
      this.#nextWriteAt = clock.elapsed() + getRetryDelay2(this.#getRemaining(this.#written), random);
    }
  }
  #noteFailure(error) {
    this.#failedAttempts++;
    this.#lastError = AuthError.isAuthError(error) ? summarize(error) : { message: `${String(error)}.`, hint: HINTS.internal_error, docs: getErrorPage("internal_error") };
  }
  /** Returns the current period without a valid token, or undefined if the written token is valid. */
  #getGap() {
    const remaining = this.#getRemaining(this.#written);
    if (remaining > 0) return void 0;
    const since = this.#options.clock.now() + remaining;
    return { since, until: void 0, failedAttempts: this.#failedAttempts, error: this.#lastError };
  }
  #getRemaining(token) {
    return token?.remaining(this.#options.clock) ?? 0;
  }
};
var summarize = /* @__PURE__ */ __name(({ message: message2, hint, docs }) => ({ message: message2, hint, docs }), "summarize");
var getDuration = /* @__PURE__ */ __name(({ since = 0, until = since } = {}) => until - since, "getDuration");
var timeoutError2 = /* @__PURE__ */ __name((timeout2) => new AuthError(`the token request did not complete within ${Math.round(timeout2 / 1e3)} s.`, {
  kind: "timeout",
  code: "response_timeout"
}), "timeoutError");
var randomBetween = /* @__PURE__ */ __name((from, to, random) => from + random() * Math.max(0, to - from), "randomBetween");
var clamp = /* @__PURE__ */ __name((value, min, max) => Math.max(min, Math.min(max, value)), "clamp");
var getMaxRetryDelay = /* @__PURE__ */ __name((remaining) => remaining <= 0 ? MAX_RETRY_DELAY : clamp(remaining * MAX_RETRY_RATIO, MIN_RETRY_DELAY, MAX_RETRY_DELAY), "getMaxRetryDelay");
function getRenewalDelay(lifetime, remaining, random) {
  const age = Math.max(0, lifetime - remaining);
  const from = Math.max(MIN_RETRY_DELAY, lifetime * RENEW_AFTER_RATIO - age);
  return randomBetween(from, Math.max(lifetime * RENEW_BEFORE_RATIO - age, getMaxRetryDelay(remaining)), random);
}
__name(getRenewalDelay, "getRenewalDelay");
var getRetryDelay2 = /* @__PURE__ */ __name((remaining, random) => randomBetween(MIN_RETRY_DELAY, getMaxRetryDelay(remaining), random), "getRetryDelay");
var clampRetryAfter = /* @__PURE__ */ __name((retryAfter, remaining) => Math.min(retryAfter, remaining <= 0 ? MAX_RETRY_AFTER : remaining * MAX_RETRY_AFTER_RATIO), "clampRetryAfter");
var getAttemptTimeout2 = /* @__PURE__ */ __name((remaining) => remaining <= 0 ? MAX_ATTEMPT_TIMEOUT : clamp(remaining * ATTEMPT_RATIO, MIN_ATTEMPT_TIMEOUT2, MAX_ATTEMPT_TIMEOUT), "getAttemptTimeout");

// shared/auth-file/token-server-client.ts
var TIMEOUT = 3e3;
var MAX_RESPONSE_BYTES = 64 * 1024;
var servedToken = object({
  access_token: string2().check(_regex(/^[\w.~+/-]+=*$/)),
  token_type: string2().check(_regex(/^bearer$/i)),
  job_id: string2().check(_maxLength(200))
});
async function requestServedToken(content, signal) {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: content.scope }).toString();
  const credentials = new URLSearchParams({ [content.clientId]: content.clientSecret }).toString().replace("=", ":");
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const { data } = servedToken.safeParse(await post(content.authUrl, TOKEN_SERVER_PATH, authorization, body, signal));
  return data && { token: data.access_token, jobId: data.job_id };
}
__name(requestServedToken, "requestServedToken");
async function post(authUrl, path2, authorization, body = "", signal) {
  const port = parseTokenServerPort(authUrl);
  if (port === void 0) return void 0;
  const timeout2 = AbortSignal.timeout(TIMEOUT);
  const agent = new import_node_http2.Agent();
  try {
    const request = (0, import_node_http2.request)({
      ...{ agent, host: TOKEN_SERVER_HOST, port, path: path2, method: "POST" },
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      signal: signal ? AbortSignal.any([signal, timeout2]) : timeout2
    });
    request.on("error", () => void 0);
    request.once("upgrade", (_, socket) => {
      socket.destroy();
      request.emit("error", new Error("unexpected status 101"));
    });
    request.end(body);
    const [response] = await (0, import_node_events3.once)(request, "response");
    return response.statusCode === 200 ? JSON.parse(await readBody2(response)) : void 0;
  } catch {
    return void 0;
  } finally {
    agent.destroy();
  }
}
__name(post, "post");
async function readBody2(chunks) {
  const parts = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) throw new Error("too large");
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}
__name(readBody2, "readBody");

// shared/auth-file/read-auth-file.ts
var TIME_RATIO = 1 / 3;
async function readAuthFile(context, path2, limits, { jobId, ownServer } = {}) {
  const { authRequest, clock } = context;
  const file = await readPrivateFile(path2, limits);
  if (file === void 0 || file.text === "") return { file };
  const content = parseManagedFile(path2, file.text);
  if (!isPrivate(file))
    return { file, reason: authFileError(path2, "is accessible to other users", "auth_file_insecure") };
  const isOwn = ownServer?.clientSecret === content.clientSecret;
  const served = isOwn ? void 0 : await requestServedToken(content, limitTime(limits, clock));
  if (!matchesIdentity(content, authRequest)) {
    if (content.jwtExpiresAt <= clock.now() && served?.token !== content.jwt) return { file, content };
    throw otherIdentityError(path2);
  }
  const verified = served && context.verify ? await verify(context, served.token, limits) : {};
  const isGenuine = verified.token !== void 0 || served?.token === content.jwt;
  if (isGenuine && jobId !== void 0 && served?.jobId !== jobId)
    throw authFileError(path2, "is in use by another job", "auth_file_in_use");
  if (!context.verify) return { file, content };
  if (served && verified.token) {
    const server = { authUrl: content.authUrl, clientSecret: content.clientSecret, jobId: served.jobId };
    return { file, content, token: verified.token, ...server.jobId !== ownServer?.jobId && { server } };
  }
  return { file, content, ...await verify(context, content.jwt, limits) };
}
__name(readAuthFile, "readAuthFile");
function limitTime({ deadline, signal }, clock) {
  const timeout2 = AbortSignal.timeout(Math.ceil(Math.max(0, deadline - clock.monotonic()) * TIME_RATIO));
  return signal ? AbortSignal.any([signal, timeout2]) : timeout2;
}
__name(limitTime, "limitTime");
async function verify(context, jwt, { deadline, signal }) {
  const now2 = context.clock.monotonic();
  try {
    return { token: await verifyToken(context, jwt, { deadline: now2 + (deadline - now2) * TIME_RATIO, signal }) };
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind === "aborted") throw error;
    return { reason: error };
  }
}
__name(verify, "verify");
var TIME_TOLERANCE = 5e3;
async function updateAuthFile({ authRequest, clock }, path2, { file, content, server }, token, limits) {
  const expected = createAuthFileContent(authRequest, token, clock, server);
  const isClose = /* @__PURE__ */ __name((name) => content !== void 0 && Math.abs(content[name] - expected[name]) <= TIME_TOLERANCE, "isClose");
  if (content !== void 0 && isClose("jwtExpiresAt") && isClose("jwtLifetime")) {
    const { jwtExpiresAt, jwtLifetime } = content;
    if (file?.text === serializeAuthFile({ ...expected, jwtExpiresAt, jwtLifetime })) return true;
  }
  const isUnchanged = /* @__PURE__ */ __name(async () => (await readPrivateFile(path2))?.text === file?.text, "isUnchanged");
  return writeFileAtomic(path2, serializeAuthFile(expected), isUnchanged, limits);
}
__name(updateAuthFile, "updateAuthFile");
async function removeTokenServer(path2, { clientSecret }, tokenUrl, limits) {
  const file = await readPrivateFile(path2, limits);
  const content = file && parseAuthFile(file.text);
  if (content?.clientSecret !== clientSecret) return;
  const text2 = serializeAuthFile({ ...content, clientSecret: PLACEHOLDER_SECRET, authUrl: tokenUrl.href });
  await writeFileAtomic(path2, text2, async () => (await readPrivateFile(path2))?.text === file?.text, limits);
}
__name(removeTokenServer, "removeTokenServer");

// shared/auth-file/ensure-auth-file.ts
var LOCK_WAIT_RATIO = 2 / 3;
var STALE_TEMP_AGE = 6e4;
async function removeAuthFile(path2, identity) {
  return removeManagedFile(resolveAuthFilePath(path2), (text2) => {
    const content = parseAuthFile(text2);
    return content !== void 0 && isManaged(content) && (identity === void 0 || matchesIdentity(content, identity));
  });
}
__name(removeAuthFile, "removeAuthFile");
async function ensureTokenFile(context, tokens, options) {
  const { clock, random } = context;
  const { minTtl: minTtl2, limits, onlyIfExists = false, ownServer } = options;
  const path2 = resolveAuthFilePath(options.path);
  const warnings = await (onlyIfExists ? checkPrivateDirectory : ensurePrivateDirectory)(path2, limits);
  const isUsable3 = /* @__PURE__ */ __name((token) => token !== void 0 && hasMinRemaining(token, minTtl2, clock), "isUsable");
  const update = /* @__PURE__ */ __name(async (getToken2) => {
    const existing = await readAuthFile(context, path2, limits, { ownServer });
    const reused = isUsable3(existing.token) ? existing.token : void 0;
    if (onlyIfExists && existing.file === void 0) throw authFileError(path2, "was removed", "auth_file_invalid_path");
    const token = reused ?? await getToken2?.();
    if (token === void 0) return void 0;
    const served = ownServer === void 0 ? existing : { server: ownServer, ...existing };
    if (!await updateAuthFile(context, path2, served, token, limits)) return void 0;
    if (reused && (reused.remaining(clock) ?? 0) > (tokens.current?.remaining(clock) ?? 0)) tokens.adopt(reused);
    return { path: path2, token, reused: reused !== void 0, server: existing.server, warnings };
  }, "update");
  const found = await update();
  if (found !== void 0) return found;
  const now2 = clock.monotonic();
  const deadline = now2 + (limits.deadline - now2) * LOCK_WAIT_RATIO;
  return withFileLock(path2, { clock, random, deadline, signal: limits.signal }, async () => {
    await removeTempFiles(path2, STALE_TEMP_AGE);
    await checkWritable(path2, limits);
    for (; ; ) {
      const file = await update(
        async () => isUsable3(tokens.current) ? tokens.current : tokens.refresh({ signal: limits.signal })
      );
      if (file !== void 0) return file;
    }
  });
}
__name(ensureTokenFile, "ensureTokenFile");
var checkWritable = /* @__PURE__ */ __name((path2, limits) => runFileOperation(path2, "written", limits, () => (0, import_promises5.access)((0, import_node_path4.dirname)(path2), import_promises5.constants.W_OK)), "checkWritable");
var UNEXPANDED = /^~([\w-]*[/\\]|$)|\$[\w{(]/;
var UNEXPANDED_ON_WINDOWS = /%[a-z_]\w*%/i;
function resolveAuthFilePath(path2, field = "path", platform = process.platform) {
  const isWindows = platform === "win32";
  const paths = isWindows ? import_node_path4.win32 : import_node_path4.posix;
  const fail = /* @__PURE__ */ __name((message2, hint) => {
    throw configError([{ field, message: `${message2}: "${printablePath(path2)}"`, hint }]);
  }, "fail");
  if (typeof path2 !== "string")
    throw configError([{ field, message: "must be a file path", hint: "Set it to a file path." }]);
  if (path2.trim() === "") fail("is empty", "Set it to a file path, for example .scm/auth.json.");
  if (/[\p{Cc}\p{Cs}]/u.test(path2))
    fail("contains a control character or a lone surrogate", "Remove line breaks and other control characters.");
  if (UNEXPANDED.test(path2) || isWindows && UNEXPANDED_ON_WINDOWS.test(path2))
    fail(
      "contains ~ or a variable, which only a shell expands",
      "Write the path itself: in a workflow with an expression such as ${{ runner.temp }}/auth.json, in a program with os.homedir() or process.env."
    );
  if (/^(["']).*\1$/.test(path2)) fail("is in quotes", "Remove the quotes.");
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(path2))
    fail("is a URL", "Write a path. In a program, fileURLToPath() converts a file URL.");
  if (!isWindows && path2.includes("\\"))
    fail("contains a backslash, which is part of a name on this system", "Separate directories with /.");
  if (/[/\\]$/.test(path2) || /^\.{0,2}$/.test(paths.basename(path2)))
    fail("refers to a directory", "Add a file name, for example .scm/auth.json.");
  try {
    return paths.resolve(path2);
  } catch {
    return fail("is relative, but the working directory was removed", "Use an absolute path.");
  }
}
__name(resolveAuthFilePath, "resolveAuthFilePath");

// provider/service-accounts.ts
var ServiceAccounts = class {
  static {
    __name(this, "ServiceAccounts");
  }
  #accounts = /* @__PURE__ */ new Map();
  get({ authRequest, timeout: timeout2, maxRetries: maxRetries2 }) {
    const fields = { ...authRequest.toInput(), scope: normalizeScope(authRequest.scope) };
    const key = JSON.stringify([fields, timeout2, maxRetries2]);
    const known = this.#accounts.get(key);
    if (known !== void 0) return known;
    const context = createSignInContext(authRequest, {
      policy: { maxRetries: maxRetries2 },
      userAgent: `scm-auth-pulumi/${VERSION}`,
      // Refreshing in the background must not keep a program alive. Callers that wait use `holdProcess`.
      clock: backgroundClock
    });
    const { clock, random } = context;
    let rejection;
    const request = /* @__PURE__ */ __name(async (signal) => {
      if (rejection !== void 0) throw rejection;
      try {
        return await requestToken(createSeparateContext(context), { ...createLimits(timeout2), signal });
      } catch (error) {
        if (AuthError.isAuthError(error) && isPermanentRejection(error) && !tokens.current) rejection = error;
        throw error;
      }
    }, "request");
    const tokens = new TokenSource(request, { clock, random });
    const account = { context, timeout: timeout2, tokens };
    this.#accounts.set(key, account);
    return account;
  }
};
var createLimits = /* @__PURE__ */ __name((timeout2) => ({
  deadline: backgroundClock.monotonic() + timeout2 * 1e3
}), "createLimits");
var getToken = /* @__PURE__ */ __name(({ tokens }, minTtl2) => tokens.getToken({ minTtl: getMinRemaining(minTtl2, tokens.current?.lifetime ?? 0) / 1e3 }), "getToken");
var toResult = /* @__PURE__ */ __name(({ value, expiresAt, scope, tsgId = "" }) => ({
  accessToken: value,
  expiresAt: expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope,
  tsgId
}), "toResult");

// provider/sign-in-args.ts
var { path, timeout, maxRetries, minTtl } = optionSchemas;
var REQUEST_ARGS = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl", "jwksUrl", "ca"];
var OPTIONS = { timeout, maxRetries, minTtl };
var OPTION_SCHEMAS = {
  AuthFile: { path, ...OPTIONS },
  AccessToken: OPTIONS,
  getAccessToken: { authFile: path, ...OPTIONS }
};
var getArgNames = /* @__PURE__ */ __name((owner) => [...Object.keys(OPTION_SCHEMAS[owner]), ...REQUEST_ARGS], "getArgNames");
var pickArgs = /* @__PURE__ */ __name((args, owner) => pick2(args, getArgNames(owner)), "pickArgs");
function findUnknownArgs(args, owner) {
  const names = getArgNames(owner);
  const unknown2 = Object.keys(args).filter((name) => isSet(args[name]) && !names.includes(name));
  return unknown2.map((name) => unknownNameIssue(name, names, "argument"));
}
__name(findUnknownArgs, "findUnknownArgs");
var isSet = /* @__PURE__ */ __name((value) => value !== void 0 && value !== null, "isSet");
var CREDENTIALS = { clientId: "SCM_CLIENT_ID", clientSecret: "SCM_CLIENT_SECRET" };
var findMissingVariables = /* @__PURE__ */ __name((args, env = process.env) => Object.entries(CREDENTIALS).filter(([field, variable]) => (args[field] ?? "") === "" && (env[variable] ?? "").trim() === "").map(([, variable]) => variable), "findMissingVariables");
var hasSecret = /* @__PURE__ */ __name((args, env) => !findMissingVariables(args, env).includes(CREDENTIALS.clientSecret), "hasSecret");
var hasCredentials = /* @__PURE__ */ __name((args, env) => findMissingVariables(args, env).length === 0, "hasCredentials");
function parseSignInArgs(args, owner, env = process.env) {
  const schemas = OPTION_SCHEMAS[owner];
  const options = pick2(args, Object.keys(schemas));
  const fields = pick2(args, REQUEST_ARGS);
  const ca = readCaCertificates(fields.ca, "the program's directory");
  const request = collectIssues(() => AuthRequest.fromArgs({ ...fields, ca: ca.pem }, env));
  const issues = [
    ...findOptionIssues(options, schemas, owner === "AuthFile" ? ["path"] : []),
    ...ca.issue === void 0 ? [] : [ca.issue],
    ...request.issues,
    ...findUnknownArgs(args, owner)
  ];
  if (request.value === void 0 || issues.length > 0) throw configError(issues);
  const { timeout: timeout2 = DEFAULTS.timeout, maxRetries: maxRetries2 = DEFAULTS.maxRetries, minTtl: minTtl2 } = options;
  return { authRequest: request.value, timeout: timeout2, maxRetries: maxRetries2, minTtl: minTtl2 };
}
__name(parseSignInArgs, "parseSignInArgs");
function collectIssues(parse2) {
  try {
    return { value: parse2(), issues: [] };
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind !== "config") throw error;
    return { issues: error.issues };
  }
}
__name(collectIssues, "collectIssues");
var pick2 = /* @__PURE__ */ __name((args, names) => Object.fromEntries(names.filter((name) => isSet(args[name])).map((name) => [name, args[name]])), "pick");

// provider/auth-files.ts
var MIN_GAIN = 1;
var PULUMI_JOB_ID = "pulumi";
var AuthFiles = class {
  static {
    __name(this, "AuthFiles");
  }
  #isEngineConnected;
  #servers;
  /** By absolute path. */
  #refreshers = /* @__PURE__ */ new Map();
  /**
   * @param isEngineConnected - checked before each refresh; once it returns false, refreshing stops
   * @param servers - the token servers of this process. Default: none
   */
  constructor(isEngineConnected = () => true, servers) {
    this.#isEngineConnected = isEngineConnected;
    this.#servers = servers;
  }
  /**
   * Ensures that the file exists and contains a valid token, and refreshes it from then on.
   *
   * @param path - relative to the working directory, or absolute
   * @returns warnings for the user
   * @throws AuthError
   */
  async ensure(path2, account, minTtl2) {
    const limits = createLimits(account.timeout);
    const ownServer = await this.#getServer(resolveAuthFilePath(path2), account);
    const file = await ensureTokenFile(account.context, account.tokens, { path: path2, minTtl: minTtl2, limits, ownServer });
    if (file.server === void 0 || file.server.jobId === PULUMI_JOB_ID)
      this.#startRefresher(file.path, account, file.token);
    return file.warnings;
  }
  async #getServer(path2, account) {
    const getRefresher = /* @__PURE__ */ __name(() => this.#refreshers.get(path2)?.refresher, "getRefresher");
    const refresher = {
      get current() {
        return getRefresher()?.current;
      },
      get rejection() {
        return getRefresher()?.rejection;
      },
      requestRenewal: /* @__PURE__ */ __name(() => getRefresher()?.requestRenewal(), "requestRenewal")
    };
    return this.#servers?.get(path2, account, refresher);
  }
  #startRefresher(path2, account, token) {
    const active = this.#refreshers.get(path2);
    if (active?.account === account && active.refresher.rejection === void 0) return;
    active?.refresher.stop();
    const options = { clock: backgroundClock, random: Math.random };
    const tokens = new TokenSource((signal) => this.#refresh(path2, account, tokens, signal), options);
    tokens.adopt(token);
    const refresher = new TokenRefresher(tokens, { ...options, write: /* @__PURE__ */ __name(() => Promise.resolve(), "write") });
    this.#refreshers.set(path2, { account, refresher });
    refresher.start();
  }
  /**
   * Returns a newer token in the file, written by another process or by this one. A file that was removed is not
   * created again.
   */
  async #refresh(path2, account, file, signal) {
    const { context, tokens, timeout: timeout2 } = account;
    if (!this.#isEngineConnected()) {
      this.#refreshers.get(path2)?.refresher.stop();
      this.#refreshers.delete(path2);
      throw abortedError();
    }
    const minTtl2 = Math.max(0, file.current?.remaining(backgroundClock) ?? 0) / 1e3 + MIN_GAIN;
    const limits = { ...createLimits(timeout2), signal };
    const ownServer = await this.#getServer(path2, account);
    return (await ensureTokenFile(context, tokens, { path: path2, minTtl: minTtl2, limits, ownServer, onlyIfExists: true })).token;
  }
};
async function ensureAuthFileFromArgs(args, { accounts, files }) {
  const { path: path2 } = args;
  if (isPath(path2) && !hasCredentials(args)) {
    const { warnings: warnings2 } = await reuseToken("path", path2, args, accounts);
    return { authRequest: void 0, warnings: warnings2 };
  }
  const config2 = parseSignInArgs(args, "AuthFile");
  const warnings = await files.ensure(path2, accounts.get(config2), config2.minTtl);
  return { authRequest: config2.authRequest, warnings };
}
__name(ensureAuthFileFromArgs, "ensureAuthFileFromArgs");
async function getTokenFromArgs(args, accounts) {
  const { authFile } = args;
  if (isPath(authFile) && !hasCredentials(args)) return (await reuseToken("authFile", authFile, args, accounts)).token;
  const config2 = parseSignInArgs(args, "getAccessToken");
  const account = accounts.get(config2);
  const { context, timeout: timeout2 } = account;
  const { token } = isPath(authFile) ? await readAuthFile(context, resolveAuthFilePath(authFile, "authFile"), createLimits(timeout2)) : {};
  if (token !== void 0 && hasMinRemaining(token, config2.minTtl, context.clock)) return token;
  return getToken(account, config2.minTtl);
}
__name(getTokenFromArgs, "getTokenFromArgs");
var isPath = /* @__PURE__ */ __name((value) => typeof value === "string" && value.trim() !== "", "isPath");
var REFRESH_HINT = "Refresh the file where it was created, or provide credentials.";
var NO_FILE_HINT = "Create the file or provide credentials. Relative paths are resolved from the program's directory.";
async function reuseToken(field, givenPath, args, accounts) {
  const owner = field === "path" ? "AuthFile" : "getAccessToken";
  const path2 = resolveAuthFilePath(givenPath, field);
  const unusable2 = /* @__PURE__ */ __name((reason2, hint = REFRESH_HINT) => {
    const message2 = `refers to an auth file with no usable token (${path2}: ${reason2})`;
    const { issues } = collectIssues(() => parseSignInArgs(args, owner));
    const others = issues.map((issue2) => issue2.code === "required" ? { ...issue2, hint } : issue2);
    return configError([{ field, message: message2, hint }, ...others]);
  }, "unusable");
  const { timeout: timeout2 } = args;
  const limits = createLimits(typeof timeout2 === "number" && timeout2 > 0 ? timeout2 : DEFAULTS.timeout);
  const file = await readPrivateFile(path2, limits);
  if (file === void 0) throw unusable2("no such file", NO_FILE_HINT);
  const warnings = await checkPrivateDirectory(path2, limits);
  const content = parseAuthFile(file.text);
  if (content === void 0) throw unusable2("it was not created by scm-auth");
  const clientId = args["clientId"] ?? content.clientId;
  const scope = args["scope"] ?? (args["tsgId"] === void 0 ? content.scope : void 0);
  const config2 = parseSignInArgs({ ...args, clientId, scope, clientSecret: PLACEHOLDER_SECRET }, owner);
  const { context } = accounts.get(config2);
  const { token, reason } = await readAuthFile(context, path2, limits);
  if (token === void 0) {
    const hint = reason?.code === "token_expired" ? void 0 : reason?.hint;
    throw unusable2(reason?.description.replace(/\.$/, "") ?? "it is for another identity", hint);
  }
  if (!hasMinRemaining(token, config2.minTtl, context.clock))
    throw unusable2(`it expires in ${formatDuration(token.remaining(context.clock) ?? 0)}`);
  const isKnownUrl = content.authUrl === context.authRequest.tokenUrl.href || parseTokenServerPort(content.authUrl) !== void 0;
  if (!isCanonical(file.text) || !isKnownUrl) throw unusable2("it contains values that scm-auth does not write");
  return { token, warnings };
}
__name(reuseToken, "reuseToken");

// provider/plugin-host/engine-log.ts
var pulumi = __toESM(require("@pulumi/pulumi"), 1);
var EngineLog = class {
  static {
    __name(this, "EngineLog");
  }
  #shown = /* @__PURE__ */ new Set();
  /** @param address - the address of the engine, which is the last argument of the plugin */
  constructor(address) {
    if (address !== void 0) pulumi.runtime.resetOptions("", "", 1, address, "", false, "");
  }
  /** Shows a message at once. Resolves once the engine has received it. Never rejects. */
  async note(message2) {
    await pulumi.log.info(message2);
  }
  /** Resolves once the engine has received the warning. Never rejects. */
  async warn(message2) {
    if (this.#shown.has(message2)) return;
    this.#shown.add(message2);
    await pulumi.log.warn(message2);
  }
};

// provider/error-message.ts
function formatError(error) {
  if (AuthError.isAuthError(error)) return `${error.message}
${error.hint}
See ${error.docs}`;
  const name = error instanceof Error ? error.name : typeof error;
  return `Authentication error: unexpected error (${sanitize(name, 60)}).
${HINTS.internal_error}
See ${getErrorPage("internal_error")}`;
}
__name(formatError, "formatError");

// provider/custom-resources/custom-resource.ts
var KINDS = { "auth-file": "AuthFile", "access-token": "AccessToken" };
var UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

// provider/custom-resources/diff.ts
var DIFF_PROPS = ["path", "clientId", "tsgId", "scope", "tokenUrl"];
var hasUnknown = /* @__PURE__ */ __name((value) => value === UNKNOWN_VALUE || typeof value === "object" && value !== null && Object.values(value).some(hasUnknown), "hasUnknown");
var diffProps = /* @__PURE__ */ __name((olds, news) => DIFF_PROPS.filter((name) => news[name] === UNKNOWN_VALUE || (olds[name] ?? "") !== (news[name] ?? "")), "diffProps");
var toKey = /* @__PURE__ */ __name((inputs) => JSON.stringify(Object.entries(inputs).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)), "toKey");
var CheckCache = class {
  static {
    __name(this, "CheckCache");
  }
  #checked = /* @__PURE__ */ new Map();
  /**
   * Stores the secret here, because the engine would store it in the state.
   *
   * @param olds - the inputs from the last run; empty for a resource that is being created or replaced
   * @returns the inputs without the secret
   */
  remember(olds, { clientSecret, ...inputs }) {
    this.#checked.set(toKey(inputs), { clientSecret, hasChanged: diffProps(olds, inputs).length > 0 });
    return inputs;
  }
  /** Returns checked inputs together with the secret that was passed to `check`. */
  withSecret(inputs) {
    return { ...inputs, clientSecret: this.#checked.get(toKey(inputs))?.clientSecret };
  }
  /**
   * Returns whether `check` found changed inputs. The answer is given only once, because a refresh calls `diff` without
   * `check`.
   *
   * @returns undefined if `check` has not been called since the last call
   */
  consume(inputs) {
    const key = toKey(inputs);
    const checked = this.#checked.get(key);
    if (checked !== void 0) this.#checked.set(key, { ...checked, hasChanged: void 0 });
    return checked?.hasChanged;
  }
};

// provider/custom-resources/access-token.ts
var IGNORED_SECRET_HINT = "Set SCM_CLIENT_SECRET, or pass clientSecret without ignoreChanges: Pulumi takes an ignored argument from the state, which never contains the secret.";
function createAccessTokenResource(cache2, accounts) {
  const parse2 = /* @__PURE__ */ __name((inputs) => parseSignInArgs(pickArgs(inputs, "AccessToken"), "AccessToken"), "parse");
  const createOutputs = /* @__PURE__ */ __name(async (inputs) => {
    const config2 = parse2(cache2.withSecret(inputs));
    const token = await getToken(accounts.get(config2), config2.minTtl);
    return { ...inputs, ...toResult(token), lifetimeSeconds: (token.lifetime ?? 0) / 1e3 };
  }, "createOutputs");
  return {
    check: /* @__PURE__ */ __name((olds, news) => {
      const inputs = cache2.remember(olds, news);
      if (hasUnknown(news)) return inputs;
      const { issues } = collectIssues(() => parse2(news));
      if (issues.length === 0) return inputs;
      const isIgnored = Object.keys(olds).length > 0 && !hasSecret(news);
      throw configError(
        issues.map(
          (issue2) => isIgnored && issue2.field.startsWith("clientSecret") ? { ...issue2, hint: IGNORED_SECRET_HINT } : issue2
        )
      );
    }, "check"),
    diff: /* @__PURE__ */ __name((olds, news) => {
      const hasChanged = cache2.consume(news);
      return { changes: hasChanged !== void 0 && (hasChanged || needsRenewal(olds, news)) };
    }, "diff"),
    create: /* @__PURE__ */ __name(async (inputs) => {
      const outs = await createOutputs(inputs);
      return { id: `${String(inputs["name"])} ${String(outs["scope"])}`, outs };
    }, "create"),
    update: createOutputs,
    read: /* @__PURE__ */ __name(() => void 0, "read"),
    delete: /* @__PURE__ */ __name(() => void 0, "delete")
  };
}
__name(createAccessTokenResource, "createAccessTokenResource");
function needsRenewal({ expiresAt, lifetimeSeconds }, { minTtl: minTtl2 }) {
  const remaining = Date.parse(String(expiresAt)) - systemClock.now();
  const minRemaining = getMinRemaining(toNumber(minTtl2), (toNumber(lifetimeSeconds) ?? 0) * 1e3);
  return !(remaining > minRemaining);
}
__name(needsRenewal, "needsRenewal");
var toNumber = /* @__PURE__ */ __name((value) => typeof value === "number" ? value : void 0, "toNumber");

// provider/custom-resources/auth-file.ts
var import_node_path5 = require("node:path");
function createAuthFileResource(cache2, state, onEnsured) {
  const activePaths = /* @__PURE__ */ new Set();
  const ensure = /* @__PURE__ */ __name((inputs) => ensureAuthFileFromArgs(pickArgs(inputs, "AuthFile"), state), "ensure");
  const ensureActive = /* @__PURE__ */ __name((inputs) => {
    activePaths.add((0, import_node_path5.resolve)(getPath(inputs)));
    return ensure(inputs);
  }, "ensureActive");
  const createOutputs = /* @__PURE__ */ __name(async (inputs) => {
    const { authRequest } = await ensureActive(cache2.withSecret(inputs));
    const identity = authRequest && { clientId: authRequest.clientId, scope: authRequest.scope };
    return { ...inputs, ...identity && { identity } };
  }, "createOutputs");
  return {
    check: /* @__PURE__ */ __name(async (olds, news) => {
      const inputs = cache2.remember(olds, news);
      if (hasUnknown(news)) return { ...inputs, path: UNKNOWN_VALUE };
      const { warnings } = await ensureActive(news);
      await onEnsured?.(getPath(news), warnings);
      return inputs;
    }, "check"),
    diff: /* @__PURE__ */ __name((olds, news) => {
      const changed = diffProps(olds, news);
      return { changes: changed.length > 0, replaces: changed.filter((name) => name === "path") };
    }, "diff"),
    create: /* @__PURE__ */ __name(async (inputs) => ({ id: getPath(inputs), outs: await createOutputs(inputs) }), "create"),
    update: createOutputs,
    read: /* @__PURE__ */ __name(async (outputs) => {
      if (hasCredentials(outputs)) await ensure(outputs);
    }, "read"),
    delete: /* @__PURE__ */ __name(async (outputs) => {
      const path2 = getPath(outputs);
      if (collectIssues(() => resolveAuthFilePath(path2)).issues.length > 0) return;
      if (activePaths.has((0, import_node_path5.resolve)(path2))) return;
      const config2 = collectIssues(() => parseSignInArgs(pickArgs(outputs, "AuthFile"), "AuthFile")).value;
      const identities = [outputs["identity"], config2?.authRequest];
      for (const identity of identities) if (identity !== void 0) await removeAuthFile(path2, identity);
    }, "delete")
  };
}
__name(createAuthFileResource, "createAuthFileResource");
var getPath = /* @__PURE__ */ __name(({ path: path2 }) => typeof path2 === "string" ? path2 : "", "getPath");

// provider/custom-resources/resource-provider.ts
function createCustomResources(state, onEnsured) {
  const cache2 = new CheckCache();
  return {
    "auth-file": createAuthFileResource(cache2, state, onEnsured),
    "access-token": createAccessTokenResource(cache2, state.accounts)
  };
}
__name(createCustomResources, "createCustomResources");
var isKind = /* @__PURE__ */ __name((kind) => typeof kind === "string" && Object.hasOwn(KINDS, kind), "isKind");
var HOST_PROPERTIES = ["__provider", "urn", "name", "kind"];
function createResourceProvider(resources, { isCompatible, warn }) {
  const getKind2 = /* @__PURE__ */ __name(({ kind }) => {
    if (isCompatible(kind)) return kind;
    throw new AuthError("this resource was created by an incompatible version of scm-auth.", {
      kind: "config",
      code: "invalid_config",
      hint: "Install the version that created it."
    });
  }, "getKind");
  return {
    check: /* @__PURE__ */ __name(async (olds, news) => {
      try {
        const kind = getKind2(news);
        const { own: own2, args } = split(news);
        for (const { field, message: message2 } of findUnknownArgs(args, KINDS[kind]))
          warn(`scm-auth resource '${String(news["name"])}': ${field} ${message2}; it is ignored.`);
        const inputs = { ...own2, ...pickArgs(args, KINDS[kind]) };
        return { inputs: await resources[kind].check(olds, inputs), failures: [] };
      } catch (error) {
        return { inputs: {}, failures: [{ property: "", reason: formatError(error) }] };
      }
    }, "check"),
    diff: /* @__PURE__ */ __name((_id, olds, news) => withUserErrors(() => resources[getKind2(news)].diff(olds, news)), "diff"),
    create: /* @__PURE__ */ __name((inputs) => withUserErrors(() => resources[getKind2(inputs)].create(inputs)), "create"),
    update: /* @__PURE__ */ __name((_id, _olds, news) => withUserErrors(async () => ({ outs: await resources[getKind2(news)].update(news) })), "update"),
    read: /* @__PURE__ */ __name((id, outputs = {}) => withUserErrors(async () => {
      await resources[getKind2(outputs)].read(outputs);
      return { id, props: outputs };
    }), "read"),
    delete: /* @__PURE__ */ __name((_id, outputs) => withUserErrors(async () => {
      const { kind } = outputs;
      if (isCompatible(kind)) await resources[kind].delete(outputs);
    }), "delete")
  };
}
__name(createResourceProvider, "createResourceProvider");
function split(properties) {
  const isOwn = /* @__PURE__ */ __name((name) => HOST_PROPERTIES.includes(name), "isOwn");
  const select = /* @__PURE__ */ __name((own2) => Object.fromEntries(Object.entries(properties).filter(([name]) => isOwn(name) === own2)), "select");
  return { own: select(true), args: select(false) };
}
__name(split, "split");
async function withUserErrors(work) {
  try {
    return await work();
  } catch (failure2) {
    const error = new Error(formatError(failure2));
    error.stack = "see the resource's error";
    throw error;
  }
}
__name(withUserErrors, "withUserErrors");

// provider/path-warnings.ts
var import_node_path6 = require("node:path");
async function getPathWarnings(path2) {
  return [...getAbsolutePathWarnings(path2), ...await getGitWarnings((0, import_node_path6.resolve)(path2))];
}
__name(getPathWarnings, "getPathWarnings");
function getAbsolutePathWarnings(path2) {
  if (!(0, import_node_path6.isAbsolute)(path2)) return [];
  const relativePath = (0, import_node_path6.relative)(process.cwd(), path2);
  if ((0, import_node_path6.isAbsolute)(relativePath) || relativePath.split(import_node_path6.sep)[0] === "..") return [];
  const suggestion = relativePath.split(import_node_path6.sep).join("/");
  return [`AuthFile: the path is absolute and will differ between machines; use "${suggestion}".`];
}
__name(getAbsolutePathWarnings, "getAbsolutePathWarnings");

// provider/plugin-host/missing-files.ts
var import_node_path7 = require("node:path");

// provider/plugin-host/start-up.ts
var DEFAULT_PATH = ".scm/auth.json";
var MAX_WAIT = 3e4;
var NOTE_AFTER = 5e3;
function getStartPath({ SCM_AUTH_FILE: path2 = "" }) {
  return path2.trim() === "" ? DEFAULT_PATH : path2;
}
__name(getStartPath, "getStartPath");
async function ensureAtStart(state, note, env = process.env) {
  if (!hasCredentials({}, env)) return { failure: void 0 };
  const path2 = getStartPath(env);
  const toFailure = /* @__PURE__ */ __name((error) => ({
    subject: `the auth file ${path2} is not available`,
    text: formatError(error)
  }), "toFailure");
  const startUp = { failure: toFailure(createTimeoutError()) };
  const ensured = new AbortController();
  const settle = /* @__PURE__ */ __name((failure2) => {
    startUp.failure = failure2;
    ensured.abort();
  }, "settle");
  ensureAuthFileFromArgs({ path: path2 }, state).then(
    () => {
      settle();
    },
    (error) => {
      settle(toFailure(error));
    }
  );
  await sleep(systemClock, NOTE_AFTER, ensured.signal);
  if (!ensured.signal.aborted) note(`scm-auth: waiting for the auth server, to create the auth file ${path2}`);
  await sleep(systemClock, MAX_WAIT - NOTE_AFTER, ensured.signal);
  return startUp;
}
__name(ensureAtStart, "ensureAtStart");
var createTimeoutError = /* @__PURE__ */ __name(() => new AuthError(`the sign-in did not complete within ${MAX_WAIT / 1e3} s.`, {
  kind: "timeout",
  code: "response_timeout",
  hint: "Check the connection to the auth server, or run again."
}), "createTimeoutError");

// provider/plugin-host/missing-files.ts
var LIST = new Intl.ListFormat("en");
var MissingFiles = class {
  static {
    __name(this, "MissingFiles");
  }
  #env;
  /** As in the state. */
  #paths = /* @__PURE__ */ new Set();
  #isIdle = true;
  #isDismissed = false;
  constructor(env = process.env) {
    this.#env = env;
  }
  /** Call this for a request that shows that no explanation is needed, for example because the program runs. */
  dismiss() {
    this.#isDismissed = true;
  }
  /**
   * Call this before a resource is read.
   *
   * @param path - the path of an AuthFile. Anything but a string is ignored, for example a secret
   */
  async onRead(path2) {
    this.#isIdle = false;
    if (typeof path2 === "string" && await isMissing(path2)) this.#paths.add(path2);
  }
  /** Returns the explanations, at the end of an operation. */
  async getWarnings() {
    if (this.#isDismissed) return [];
    const missing = findMissingVariables({}, this.#env);
    const startPath = getStartPath(this.#env);
    if (this.#isIdle) return missing.length === 1 && await isMissing(startPath) ? [explain(startPath, missing)] : [];
    const isStartPath = /* @__PURE__ */ __name((path2) => (0, import_node_path7.resolve)(path2) === (0, import_node_path7.resolve)(startPath), "isStartPath");
    return [...this.#paths].flatMap((path2) => {
      const settings = [...missing, ...isStartPath(path2) ? [] : [`SCM_AUTH_FILE=${printablePath(path2)}`]];
      return settings.length > 0 ? [explain(path2, settings)] : [];
    });
  }
};
var isMissing = /* @__PURE__ */ __name((path2) => readPrivateFile((0, import_node_path7.resolve)(path2)).then(
  (file) => file === void 0,
  () => false
), "isMissing");
var explain = /* @__PURE__ */ __name((path2, settings) => `scm-auth: the auth file ${printablePath(path2)} did not exist when the operation started.
For refresh and destroy, set ${LIST.format(settings)}, or create the file first.
See ${DOCS_URL}/pulumi.md#how-the-plugin-does-it`, "explain");

// provider/plugin-host/secrets.ts
var pulumi2 = __toESM(require("@pulumi/pulumi"), 1);
var { isRpcSecret, specialSecretSig, specialSigKey, unwrapRpcSecret } = pulumi2.runtime;
var toSecret = /* @__PURE__ */ __name((value) => ({ [specialSigKey]: specialSecretSig, value }), "toSecret");
function unwrapSecrets(value) {
  if (isRpcSecret(value)) return unwrapSecrets(unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, unwrapSecrets(part)]));
}
__name(unwrapSecrets, "unwrapSecrets");
var markSecrets = /* @__PURE__ */ __name((received, properties, names = []) => Object.fromEntries(
  Object.entries(properties).map(([name, value]) => [
    name,
    isRpcSecret(received[name]) || names.includes(name) ? toSecret(value) : value
  ])
), "markSecrets");

// provider/plugin-host/plugin-provider.ts
var TYPES = {
  "scm-auth:index:AuthFile": "auth-file",
  "scm-auth:index:AccessToken": "access-token"
};
var GET_ACCESS_TOKEN = "scm-auth:index:getAccessToken";
var SECRET_OUTPUTS = ["accessToken"];
function createPluginProvider({ schema: schema2, state, startUp, warn, onEnd }) {
  const resources = createCustomResources(state, async (path2, warnings) => {
    for (const warning of [...warnings, ...await getPathWarnings(path2)]) void warn(warning);
  });
  const methods = createResourceProvider(resources, { isCompatible: isKind, warn: /* @__PURE__ */ __name((message2) => void warn(message2), "warn") });
  const missingFiles = new MissingFiles();
  let isReported = false;
  const onReport = /* @__PURE__ */ __name((text2) => {
    if (text2 === startUp.failure?.text) isReported = true;
  }, "onReport");
  return {
    version: VERSION,
    getSchema: /* @__PURE__ */ __name(() => {
      isReported = true;
      missingFiles.dismiss();
      return Promise.resolve(schema2);
    }, "getSchema"),
    check: /* @__PURE__ */ __name(async (urn, olds, news) => {
      missingFiles.dismiss();
      const { inputs, failures } = await methods.check(receive(urn, olds), receive(urn, news));
      for (const { reason } of failures) onReport(reason);
      return { inputs: send(news, inputs), failures };
    }, "check"),
    diff: /* @__PURE__ */ __name((id, urn, olds, news) => methods.diff(id, receive(urn, olds), receive(urn, news)), "diff"),
    create: /* @__PURE__ */ __name(async (urn, inputs) => {
      const { id, outs } = await methods.create(receive(urn, inputs));
      return { id, outs: send(inputs, outs) };
    }, "create"),
    update: /* @__PURE__ */ __name(async (id, urn, olds, news) => {
      const { outs } = await methods.update(id, receive(urn, olds), receive(urn, news));
      return { outs: send(news, outs) };
    }, "update"),
    read: /* @__PURE__ */ __name(async (id, urn, outputs) => {
      await missingFiles.onRead(getKind(urn) === "auth-file" ? outputs["path"] : void 0);
      const { props } = await methods.read(id, receive(urn, outputs)).catch((error) => {
        onReport(error.message);
        throw error;
      });
      return { id, props: send(outputs, props) };
    }, "read"),
    delete: /* @__PURE__ */ __name((id, urn, outputs) => {
      missingFiles.dismiss();
      return methods.delete(id, receive(urn, outputs));
    }, "delete"),
    invoke: /* @__PURE__ */ __name((token, args) => withUserErrors(async () => {
      missingFiles.dismiss();
      if (token !== GET_ACCESS_TOKEN) throw new Error("unknown function");
      const result = toResult(await getTokenFromArgs(unwrapSecrets(args), state.accounts));
      return { outputs: { ...result, accessToken: toSecret(result.accessToken) } };
    }), "invoke"),
    // The engine calls this at the end of each operation, and when a user interrupts it.
    cancel: /* @__PURE__ */ __name(async () => {
      await onEnd();
      const { failure: failure2 } = startUp;
      if (failure2 !== void 0 && !isReported) await warn(`scm-auth: ${failure2.subject}. ${failure2.text}`);
      isReported = true;
      for (const warning of await missingFiles.getWarnings()) await warn(warning);
    }, "cancel")
  };
}
__name(createPluginProvider, "createPluginProvider");
function parseUrn(urn) {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.replace(/^.*\$/, ""), name: name.join("::") };
}
__name(parseUrn, "parseUrn");
var getKind = /* @__PURE__ */ __name((urn) => TYPES[parseUrn(urn).type], "getKind");
var receive = /* @__PURE__ */ __name((urn, properties) => ({
  ...unwrapSecrets(properties),
  ...{ urn, name: parseUrn(urn).name, kind: getKind(urn) }
}), "receive");
var send = /* @__PURE__ */ __name((received, properties) => markSecrets(received, split(properties).args, SECRET_OUTPUTS), "send");

// provider/plugin-host/token-servers.ts
var import_node_crypto4 = require("node:crypto");

// shared/auth-file/token-server.ts
var import_node_crypto3 = require("node:crypto");
var import_node_events4 = require("node:events");
var import_node_http3 = require("node:http");
var import_consumers = require("node:stream/consumers");
var RENEWAL_WAIT = 25e3;
var RENEWAL_POLL = 50;
var MIN_REMAINING = 9e4;
var MIN_REMAINING_RATIO = 1 / 2;
var REQUEST_TIMEOUT = 5e3;
var MAX_BODY_BYTES2 = 16 * 1024;
var MAX_CONNECTIONS = 500;
var FORBIDDEN_HEADERS = ["origin", "referer", "sec-fetch-site", "via", "forwarded", "x-forwarded-for"];
var BASE_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  pragma: "no-cache",
  connection: "close"
};
var BASIC_CHALLENGE = { "www-authenticate": 'Basic realm="scm-auth", charset="UTF-8"' };
var INVALID_CLIENT = "the client ID or secret matches neither the auth file nor the service account. hint: check SCM_CLIENT_ID and SCM_CLIENT_SECRET in the environment, which take precedence over the file.";
var UNAVAILABLE2 = "the auth server has not issued a new token yet; the request is being retried.";
var TokenServer = class _TokenServer {
  static {
    __name(this, "TokenServer");
  }
  address;
  port;
  /** Resolves once the server has closed. */
  closed;
  #server;
  #options;
  #clientDigests;
  #jobDigest;
  constructor(server, options) {
    const { clientId, jobSecret, clientSecret } = options;
    this.#server = server;
    this.#options = options;
    this.#clientDigests = [jobSecret, clientSecret].map((secret) => digest(joinCredentials(clientId, secret)));
    this.#jobDigest = digest(jobSecret);
    this.port = server.address().port;
    this.address = { authUrl: toTokenServerUrl(this.port), clientSecret: jobSecret };
    this.closed = new Promise((resolve5) => server.once("close", resolve5));
    server.on("request", (request, response) => void this.#respond(request, response));
    server.on("error", () => void 0);
  }
  /** Listens on a free port on 127.0.0.1. @throws an error from Node if no port is free */
  static async listen(options) {
    const server = (0, import_node_http3.createServer)({
      headersTimeout: REQUEST_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: 1e3,
      maxHeaderSize: MAX_BODY_BYTES2
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.maxRequestsPerSocket = 1;
    await (0, import_node_events4.once)(server.listen(0, TOKEN_SERVER_HOST), "listening");
    return new _TokenServer(server, options);
  }
  /** False once {@link TokenServer.close} has been called. */
  get isOpen() {
    return this.#server.listening;
  }
  /** Closes all connections and frees the port. */
  close() {
    this.#server.close();
    this.#server.closeAllConnections();
    return this.closed;
  }
  async #respond(request, response) {
    try {
      const { status, content, headers } = await this.#handle(request, response);
      const body = JSON.stringify(content);
      response.writeHead(status, { ...BASE_HEADERS, ...headers, "content-length": Buffer.byteLength(body) });
      response.end(body);
    } catch {
      response.destroy();
    }
  }
  async #handle(request, response) {
    const { method, url, headers } = request;
    if (headers.host !== `${TOKEN_SERVER_HOST}:${this.port}`) return invalidRequest(421, "unexpected Host header");
    if (FORBIDDEN_HEADERS.some((name) => headers[name] !== void 0))
      return invalidRequest(403, "requests from web pages and through proxies are not allowed");
    if (url === TOKEN_SERVER_JWKS_PATH && method === "GET") return this.#serveKeys();
    if (url !== TOKEN_SERVER_PATH && url !== SHUTDOWN_PATH) return invalidRequest(404, "not found");
    if (method !== "POST") return { ...invalidRequest(405, "only POST is allowed"), headers: { allow: "POST" } };
    if (headers["transfer-encoding"] !== void 0 || Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES2)
      return invalidRequest(413, "the body must have a Content-Length of at most 16 KiB");
    const body = await (0, import_consumers.text)(request);
    const authorization = headers.authorization ?? "";
    if (url === SHUTDOWN_PATH) return this.#shutDown(authorization, response);
    return this.#findRequestError(authorization, new URLSearchParams(body)) ?? this.#serveToken(response);
  }
  /** Serves the key that verified the current token, so that clients of this server can verify it, too. */
  #serveKeys() {
    const key = this.#options.refresher.current?.signingKey;
    return { status: 200, content: { keys: key === void 0 ? [] : [{ ...key, use: "sig", alg: "RS256" }] } };
  }
  async #shutDown(authorization, response) {
    const secret = /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1] ?? "";
    if (!(0, import_node_crypto3.timingSafeEqual)(digest(secret), this.#jobDigest))
      return errorResponse(401, "invalid_token", "the secret does not match the one in the auth file", {
        "www-authenticate": "Bearer"
      });
    response.once("close", () => void this.close());
    return { status: 200, content: await this.#options.onShutdown() };
  }
  /**
   * Returns the error response for an invalid request. Checks the client first, so that others learn nothing. A request
   * without a scope implies the scope in the file.
   */
  #findRequestError(authorization, form) {
    const secret = form.get("client_secret") ?? "";
    const credentials = authorization === "" ? [joinCredentials(form.get("client_id") ?? "", secret)] : parseBasicCredentials(authorization);
    if (!this.#isClient(credentials)) return errorResponse(401, "invalid_client", INVALID_CLIENT, BASIC_CHALLENGE);
    if (form.get("grant_type") !== "client_credentials")
      return errorResponse(400, "unsupported_grant_type", "only client_credentials is supported");
    const scope = normalizeScope(form.get("scope") ?? "");
    if (scope !== "" && scope !== normalizeScope(this.#options.scope))
      return errorResponse(400, "invalid_scope", `the available token has a different scope: ${this.#options.scope}`);
    return void 0;
  }
  #isClient(credentials) {
    const matches = credentials.flatMap(
      (given) => this.#clientDigests.map((expected) => (0, import_node_crypto3.timingSafeEqual)(digest(given), expected))
    );
    return matches.includes(true);
  }
  async #serveToken(response) {
    const { refresher, clock, jobId } = this.#options;
    const isPending = /* @__PURE__ */ __name(() => !isUsable2(refresher.current, clock) && refresher.rejection === void 0, "isPending");
    if (isPending()) refresher.requestRenewal();
    const end = clock.elapsed() + RENEWAL_WAIT;
    while (isPending() && clock.elapsed() < end && !response.destroyed) await sleep(clock, RENEWAL_POLL);
    const { current, rejection } = refresher;
    if (isUsable2(current, clock)) {
      const expiresIn = Math.floor((current.remaining(clock) ?? 0) / 1e3);
      const { value, scope } = current;
      const content = { access_token: value, token_type: "Bearer", expires_in: expiresIn, scope, job_id: jobId };
      return { status: 200, content };
    }
    if (rejection === void 0)
      return errorResponse(503, "temporarily_unavailable", UNAVAILABLE2, { "retry-after": "1" });
    const { oauthError = "invalid_client", message: message2, hint } = rejection;
    return errorResponse(401, oauthError, `${message2} hint: ${hint}`, BASIC_CHALLENGE);
  }
};
var isUsable2 = /* @__PURE__ */ __name((token, clock) => token !== void 0 && (token.remaining(clock) ?? 0) >= Math.min(MIN_REMAINING, (token.lifetime ?? Infinity) * MIN_REMAINING_RATIO), "isUsable");
var digest = /* @__PURE__ */ __name((text2) => (0, import_node_crypto3.createHash)("sha256").update(text2).digest(), "digest");
var joinCredentials = /* @__PURE__ */ __name((id, secret) => `${id}:${secret}`, "joinCredentials");
function parseBasicCredentials(authorization) {
  const encoded = /^basic +([\w+/=-]+)$/i.exec(authorization)?.[1] ?? "";
  const plain = Buffer.from(encoded, "base64").toString("utf8");
  return [plain, new URLSearchParams(`v=${plain.replaceAll("&", "%26")}`).get("v") ?? ""];
}
__name(parseBasicCredentials, "parseBasicCredentials");
var errorResponse = /* @__PURE__ */ __name((status, error, description, headers = {}) => ({
  status,
  headers,
  content: { error: toOAuthChars(error, 60), error_description: toOAuthChars(description, 1200) }
}), "errorResponse");
var invalidRequest = /* @__PURE__ */ __name((status, description) => errorResponse(status, "invalid_request", description), "invalidRequest");
var toOAuthChars = /* @__PURE__ */ __name((text2, maxLength) => sanitize(text2, maxLength).replaceAll('"', "'").replaceAll("\\", "/").replace(/[^\x20-\x7e]/g, "?"), "toOAuthChars");

// provider/plugin-host/token-servers.ts
var RELEASE_TIMEOUT = 2;
var TokenServers = class {
  static {
    __name(this, "TokenServers");
  }
  #env;
  #servers = /* @__PURE__ */ new Map();
  #isReleased = false;
  constructor(env = process.env) {
    this.#env = env;
  }
  async get(path2, account, refresher) {
    const { clientSecret } = account.context.authRequest;
    if (this.#isReleased || clientSecret === this.#env["SCM_CLIENT_SECRET"]?.trim()) return void 0;
    const server = this.#servers.get(path2) ?? listen(path2, account, refresher).catch(() => void 0);
    this.#servers.set(path2, server);
    return (await server)?.address;
  }
  /**
   * Makes the files independent of this process, which is about to exit. The servers continue to run, because resource
   * operations in progress may need them. Never rejects.
   */
  async release() {
    this.#isReleased = true;
    await Promise.all([...this.#servers.values()].map(async (server) => (await server)?.detach()));
  }
};
async function listen(path2, { context }, refresher) {
  const { clientId, clientSecret, scope, tokenUrl } = context.authRequest;
  const jobSecret = (0, import_node_crypto4.randomBytes)(32).toString("base64url");
  const jobId = PULUMI_JOB_ID;
  const detach = /* @__PURE__ */ __name(() => removeTokenServer(path2, server.address, tokenUrl, createLimits(RELEASE_TIMEOUT)).catch(() => void 0), "detach");
  const onShutdown = /* @__PURE__ */ __name(async () => {
    await detach();
    return {};
  }, "onShutdown");
  const account = { clientId, clientSecret, scope, jobSecret, jobId };
  const server = await TokenServer.listen({ ...account, refresher, onShutdown, clock: backgroundClock });
  return { address: { ...server.address, jobId }, detach };
}
__name(listen, "listen");

// provider/plugin-host/main.ts
async function run(args) {
  const { ppid } = process;
  const servers = new TokenServers();
  const files = new AuthFiles(() => process.ppid === ppid, servers);
  const state = { accounts: new ServiceAccounts(), files };
  const log2 = new EngineLog(args.at(-1));
  const startUp = await ensureAtStart(state, (message2) => void log2.note(message2));
  const schema2 = (0, import_node_fs3.readFileSync)((0, import_node_path8.join)(__dirname, "schema.json"), "utf8");
  const onEnd = /* @__PURE__ */ __name(() => servers.release(), "onEnd");
  const options = { schema: schema2, state, startUp, warn: /* @__PURE__ */ __name((message2) => log2.warn(message2), "warn"), onEnd };
  await (0, import_provider.main)(createPluginProvider(options), args);
}
__name(run, "run");
void run(process.argv.slice(2));
