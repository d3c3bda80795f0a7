import assert from "node:assert/strict";
import { test } from "node:test";

import { isSecure } from "../../../shared/http/secure-url.ts";

const URLS: Readonly<Record<string, boolean>> = {
  "https://scm.test/": true,
  "http://localhost:8080/": true,
  "http://127.0.0.1/": true,
  "http://127.1.22.254/": true,
  "http://[::1]/": true,
  "http://scm.test/": false,
  "http://localhost.scm.test/": false,
  "http://not-localhost/": false,
  "http://127.0.0.1.scm.test/": false,
  "http://128.0.0.1/": false,
  "http://[::2]/": false,
  "ftp://localhost/": false,
  "file://localhost/": false,
};
for (const [url, secure] of Object.entries(URLS)) {
  test(`a secret ${secure ? "may" : "may not"} travel to ${url}`, () => {
    assert.equal(isSecure(new URL(url)), secure);
  });
}
