import assert from "node:assert/strict";
import { test } from "node:test";

import { secretForms } from "../../../shared/report/secrets.ts";
import * as fc from "../../support/fuzzing.ts";
import { anySecret, foreignText } from "../../support/texts.ts";

const fromHtml = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|apos|#39|#x27);/g, (entity) => {
    const table: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"' };
    return table[entity] ?? "'";
  });

/** What each encoding says when it is read again; base64 also from the second and third place of a group. */
const DECODERS: readonly ((form: string) => string | Buffer)[] = [
  (form) => form,
  (form) => decodeURIComponent(form),
  (form) => decodeURIComponent(form.replaceAll("+", " ")),
  (form) => JSON.parse(`"${form}"`) as string,
  fromHtml,
  (form) => Buffer.from(form, "hex"),
  // Where a piece begins within a group of four, the bytes before its first whole one are unknown.
  ...[0, 2, 3].map((lead) => (form: string) => Buffer.from("A".repeat(lead) + form, "base64").subarray(lead)),
];

function decoded(form: string): readonly Buffer[] {
  return DECODERS.flatMap((decode) => {
    try {
      return [Buffer.from(decode(form))];
    } catch {
      return [];
    }
  });
}

test("each form says the secret or a piece of it", () => {
  fc.assert(
    fc.property(anySecret, (secret) => {
      const bytes = Buffer.from(secret.toWellFormed());
      for (const form of secretForms(secret)) {
        assert.ok(
          decoded(form).some((piece) => piece.length > 0 && bytes.includes(piece)),
          form,
        );
      }
    }),
  );
});

test("forms stand once each, longest first, and none is blank", () => {
  fc.assert(
    fc.property(fc.oneof(anySecret, foreignText), (secret) => {
      const forms = secretForms(secret);
      assert.equal(new Set(forms).size, forms.length);
      assert.ok(forms.every((form) => form.trim() !== ""));
      assert.ok(forms.every((form, n) => n === 0 || form.length <= (forms[n - 1] ?? "").length));
      assert.equal(forms.includes(secret.toWellFormed()), secret.trim() !== "");
    }),
  );
});

/** What each encoding makes of a secret in which it finds something to do. */
const ALL_FORMS = [
  String.raw`\u004b\u0027\u0022\u003c\u0026\u003e\u00e9\u002f\u007e\u002a`,
  String.raw`K\u0027\"\u003c\u0026\u003e\u00e9/~*`,
  String.raw`%4b%27%22%3c%26%3e%c3%a9%2f%7e%2a`,
  String.raw`%4B%27%22%3C%26%3E%C3%A9%2F%7E%2A`,
  String.raw`K&#x27;&quot;&lt;&amp;&gt;é/~*`,
  String.raw`K&apos;&quot;&lt;&amp;&gt;é/~*`,
  String.raw`K%27%22%3C%26%3E%C3%A9%2F~%2A`,
  String.raw`K%27%22%3c%26%3e%c3%a9%2f~%2a`,
  String.raw`K%27%22%3C%26%3E%C3%A9%2F%7E*`,
  String.raw`K%27%22%3c%26%3e%c3%a9%2f%7e*`,
  String.raw`K&#39;&quot;&lt;&amp;&gt;é/~*`,
  String.raw`K'\"\u003c\u0026\u003eé/~*`,
  String.raw`K'%22%3C%26%3E%C3%A9%2F~*`,
  String.raw`K'%22%3c%26%3e%c3%a9%2f~*`,
  String.raw`K'&quot;&lt;&amp;&gt;é/~*`,
  String.raw`4b27223c263ec3a92f7e2a`,
  String.raw`4B27223C263EC3A92F7E2A`,
  String.raw`K'\"<&>\u00e9/~*`,
  String.raw`SyciPCY+w6kvfio=`,
  String.raw`SyciPCY-w6kvfio`,
  String.raw`SyciPCY+w6kvfi`,
  String.raw`snIjwmPsOpL34q`,
  String.raw`LJyI8Jj7DqS9+K`,
  String.raw`SyciPCY-w6kvfi`,
  String.raw`LJyI8Jj7DqS9-K`,
  String.raw`K'\"<&>é\/~*`,
  String.raw`K'\"<&>é/~*`,
  String.raw`K'"<&>é/~*`,
];
test("the forms of a secret are these and no others", () => {
  assert.deepEqual(secretForms("K'\"<&>é/~*"), ALL_FORMS);
});

test("a secret of several lines, or with white space around it, is hidden without as well", () => {
  assert.ok(secretForms(" \ts3cret-value\n").includes("s3cret-value"));
  for (const line of ["first-line", "second-line"])
    assert.ok(secretForms("first-line\r\n\r\nsecond-line").includes(line), line);
});

test("of base64 in a longer text eight characters are enough, and fewer are not", () => {
  const pieceOf = (lead: number, secret: string, ...cut: [number, number]): string =>
    Buffer.from("\0".repeat(lead) + secret)
      .toString("base64")
      .slice(...cut);
  assert.ok(secretForms("abcdefg").includes(pieceOf(1, "abcdefg", 2, 10)));
  assert.ok(!secretForms("abcdef").includes(pieceOf(1, "abcdef", 2, 9)));
});

/** What of a text proves a token, since the rest can be guessed. */
const SIGNED: Readonly<Record<string, readonly string[]>> = {
  "he_ad.cla-ims.sig-nature": ["cla-ims.sig-nature", "sig-nature"],
  "h.c.12345678": ["c.12345678", "12345678"],
  "head.claims.1234567": [],
  "head.cla ims.signature": [],
  "he ad.claims.signature": [],
  "head.claims.signa=ture": [],
  ".claims.signature": [],
  "head..signature": [],
  "head.claims.signature.more": [],
  "head.claims.signature ": ["claims.signature", "signature"],
};
for (const [text, parts] of Object.entries(SIGNED)) {
  test(`the parts of ${JSON.stringify(text)} that prove a token are ${parts.length}`, () => {
    const dotted = secretForms(text).filter((form) => text.includes(form) && form !== text && form !== text.trim());
    assert.deepEqual(dotted, parts);
  });
}
