import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";

import { assertNoCanary, assertNoSecret, keepSecret, type Places } from "./canaries.ts";

/** Of characters that every encoder changes. */
const SECRET = `p'ä"ss <w>&rd+/%\\ ${randomUUID()} €`;
keepSecret("client secret", SECRET);

const bytes = Buffer.from(SECRET);
const between = (before: string, after: string): Buffer => Buffer.from(`${before}${SECRET}${after}`);
const lines = (text: string, length: number): string => text.replace(new RegExp(`.{${length}}`, "g"), "$&\n");
const each = (write: (byte: number) => string): string => [...bytes].map(write).join("");

/** What programs make of a secret, each by what they make it with. */
const SIGHTS: Readonly<Record<string, string | Uint8Array>> = {
  "as it is": SECRET,
  "in capitals": SECRET.toUpperCase(),
  "broken over lines": lines(SECRET, 20),
  "coloured by a terminal": `\x1b[31m${SECRET.slice(0, 7)}\x1b[0m${SECRET.slice(7)}`,
  "with invisible characters": [...SECRET].join("\u200b"),
  "in base64 of 64 characters a line": lines(bytes.toString("base64"), 64),
  "in base64 behind one byte": between("x", ":y").toString("base64"),
  "in base64 behind two bytes": between("xy", ":").toString("base64"),
  "in base64url behind a user's name": between("client:", "").toString("base64url"),
  "in base64 of a PowerShell command": Buffer.from(`echo ${SECRET}`, "utf16le").toString("base64"),
  "in base64 of base64": Buffer.from(bytes.toString("base64")).toString("base64"),
  "in hex": bytes.toString("hex"),
  "in hex of capitals with colons": (bytes.toString("hex").toUpperCase().match(/../g) ?? []).join(":"),
  "as node shows a Buffer": inspect(bytes),
  "as JSON of a Buffer": JSON.stringify(bytes),
  "as node shows its characters": inspect([...SECRET], { maxArrayLength: null }),
  "as JSON of its characters": JSON.stringify([...SECRET]),
  "as node shows a string": inspect({ secret: SECRET }),
  "as node shows it inside JSON": inspect(JSON.stringify({ secret: SECRET })),
  "in a URL": `https://scm.test/?secret=${encodeURIComponent(SECRET)}`,
  "in a URL, twice": encodeURIComponent(encodeURIComponent(SECRET)),
  "in a URL of a program that escapes all": each((byte) => `%${byte.toString(16).padStart(2, "0")}`),
  "in a form": new URLSearchParams({ client_secret: SECRET }).toString(),
  "in JSON": JSON.stringify({ secret: SECRET }),
  "in JSON of ASCII, as Python writes it": JSON.stringify(SECRET).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ),
  "in JSON, partly escaped": JSON.stringify(SECRET).replaceAll("s", "\\u0073"),
  "in HTML": SECRET.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`),
  "in HTML of entities alone": [...SECRET].map((one) => `&#x${(one.codePointAt(0) ?? 0).toString(16)};`).join(""),
  "in source code": each((byte) => `\\x${byte.toString(16).padStart(2, "0")}`),
  "as strace shows it": each((byte) =>
    byte > 126 ? `\\${byte.toString(8)}` : String.fromCharCode(byte).replace(/[\\"]/, "\\$&"),
  ),
  "in a shell's quotes": `'${SECRET.replaceAll("'", "'\\''")}'`,
  "as bash's printf %q": SECRET.replace(/[^\w%+/€ä-]/g, "\\$&"),
  "in memory as UTF-8": Buffer.concat([randomBytes(1000), bytes, randomBytes(1000)]),
  "in memory as UTF-16": Buffer.concat([randomBytes(999), Buffer.from(SECRET, "utf16le"), randomBytes(1000)]),
  "in memory as UTF-16 of big ends": Buffer.concat([randomBytes(999), Buffer.from(SECRET, "utf16le").swap16()]),
  "in an image of megabytes": Buffer.concat([Buffer.alloc(3_000_001), bytes, Buffer.alloc(9)]),
};

for (const [how, sight] of Object.entries(SIGHTS)) {
  test(`a secret is found ${how}`, () => {
    const places: Places = { there: sight };
    const searches = [
      (): void => {
        assertNoSecret(places);
      },
      (): void => {
        assertNoCanary([SECRET], places);
      },
    ];
    for (const search of searches)
      assert.throws(search, ({ message }: Error) => {
        assert.match(message, /^A secret leaked: [a-z ]+ \d+, as [\w -]+, in there\.$/);
        return true;
      });
  });
}

test("text without a secret passes, and so does a sort of secrets that may be seen", () => {
  const innocent = { text: "The token request was answered with status 401.", bytes: randomBytes(100_000) };
  assertNoSecret(innocent);
  assertNoCanary([SECRET], innocent);
  assertNoSecret({ there: SECRET }, { "client secret": "this test shows it" });
  assert.throws(() => {
    assertNoSecret({ there: SECRET }, { token: "another sort" });
  }, /A secret leaked/);
});

test("a piece of a secret is found, from either end", () => {
  for (const piece of [SECRET.slice(0, 20), SECRET.slice(-20)])
    assert.throws(() => {
      assertNoSecret({ there: `it begins with ${piece}...` });
    }, /^Error: A secret leaked: client secret \d+, as a piece, in there\.$/);
});

test("a token is known by its signature, and not by the words that all tokens begin with", () => {
  const [head, claims, signature] = ["eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJhIn0", randomBytes(256).toString("base64url")];
  keepSecret("token", `${head}.${claims}.${signature}`);
  assertNoSecret({ there: `${head}.${claims}.` });
  assert.throws(() => {
    assertNoSecret({ there: Buffer.from(signature).toString("hex") });
  }, /^Error: A secret leaked: token \d+, as hex, in there\.$/);
});
