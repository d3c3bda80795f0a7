import { X509Certificate } from "node:crypto";
import * as z from "zod/mini";
import { isSecure } from "../http/secure-url.ts";
import { badScopeWords, scopeWords } from "./scope.ts";

/**
 * The shape of each field of a sign-in, as far as it can be judged alone. An issue's message is
 * `reason | hint`, written for the person who set the field; no message quotes a value.
 */

/** The token endpoint of SCM (pan.dev, "Get Started with Strata Cloud Manager APIs"). */
export const DEFAULT_TOKEN_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";

/** What to do about a URL that can't be used. */
export const WRITE_URL = `Write it like ${DEFAULT_TOKEN_URL}.`;

const fail = (reason: string, hint: string): string => `${reason} | ${hint}`;

/** Control characters, those of Unicode included. */
const CONTROL = /\p{Cc}/u;

const present = z
  .string()
  .check(
    z.minLength(
      1,
      fail("is missing or blank", "Give it a value: a variable or secret that is not set reads as blank."),
    ),
  );

const clientId = present.check(
  z.refine(
    (text) => !/[\p{Cc}\s]/u.test(text),
    fail(
      "holds white space or control characters",
      "Write the id alone, as Strata Cloud Manager shows it: name@<TSG id>.iam.panserviceaccount.com.",
    ),
  ),
);

const clientSecret = present.check(
  z.refine(
    (text) => !CONTROL.test(text),
    fail(
      "holds a line break or a control character",
      "Paste the secret anew as one line; if it is written in a file, take the file's line only.",
    ),
  ),
);

const tsgId = z.pipe(
  z
    .string()
    .check(
      z.regex(
        /^(tsg_id:)?\d{1,20}$/,
        fail(
          "is not digits alone",
          'Write the tenant service group\'s id in digits, in YAML with quotes: "1234567890".',
        ),
      ),
    ),
  z.transform((text) => text.replace(/^tsg_id:/, "")),
);

/** The first thing wrong with the text of a URL, `undefined` if nothing is. */
function urlFault(text: string): string | undefined {
  if (/[\p{Cc}\s]/u.test(text)) return fail("holds white space or control characters", WRITE_URL);
  if (!URL.canParse(text)) return fail("is no URL", WRITE_URL);
  const url = new URL(text);
  const { username, password } = url;
  if (!isSecure(url)) {
    return fail(
      "is not an https URL",
      "Begin it with https:// (http:// is for loopback alone), since the secret travels to it.",
    );
  }
  if (username !== "" || password !== "")
    return fail("holds a user name or password", "Leave out the part before the @.");
  if (text.includes("?")) return fail("holds a query", "Leave out the ? and all behind it.");
  if (text.includes("#")) return fail("holds a fragment", "Leave out the # and all behind it.");
  return undefined;
}

const url = z.pipe(
  z.string().check((context) => {
    const message = urlFault(context.value);
    if (message !== undefined) context.issues.push({ code: "custom", message, input: context.value });
  }),
  z.transform((text) => new URL(text)),
);

const MARK = /-----(BEGIN|END) CERTIFICATE-----/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates of a PEM text (RFC 7468), each as it stands there; none when one of them is cut or can't be read. */
function certificatesIn(pem: string): readonly string[] {
  const blocks: readonly string[] = pem.match(CERTIFICATE) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return [];
  }
  return pem.match(MARK)?.length === blocks.length * 2 ? blocks : [];
}

const ca = z.pipe(
  // OpenSSL goes by lines: of the text as it was given it would leave out, without a word, what begins within one.
  z.pipe(
    z.string(),
    z.transform((text) => certificatesIn(text).join("\n")),
  ),
  z
    .string()
    .check(
      z.minLength(
        1,
        fail(
          "holds no certificate that can be read",
          "Give one or more certificates in PEM form, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.",
        ),
      ),
    ),
);

const issuer = z
  .string()
  .check(
    z.refine((text) => !CONTROL.test(text), fail("holds control characters", "Write the token's iss claim as it is.")),
  );

const scope = z
  .string()
  .check(
    z.refine(
      (text) => badScopeWords(scopeWords(text)).length === 0,
      fail(
        "holds a word that no scope may hold (RFC 6749 section 3.3)",
        "Write words of printable ASCII with a space between them, a tenant as tsg_id:<digits>.",
      ),
    ),
  );

/** One schema a field. Blank is absent before these are asked; values are trimmed. */
export const requestFields = Object.freeze({
  clientId,
  clientSecret,
  tsgId,
  scope,
  tokenUrl: url,
  jwksUrl: url,
  issuer,
  ca,
});
