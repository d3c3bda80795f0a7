import { type JsonObject } from "../support/tokens.ts";
import { answerWith, giveKeys, signer } from "./cast.ts";
import { fails, PROVED_WRONG, type Part, type Requests, type Scene, type Stage } from "./scene.ts";

/** What is said of tokens that lie. */
export const FORGED = "Authentication error: the token's signature is not by the signing keys.";
export const ALGORITHM = "Authentication error: the token is signed by another algorithm than RS256.";
export const UNKNOWN = "Authentication error: no signing key has the token's key id (kid).";
export const ENCODING = "Authentication error: the token is not three parts in canonical base64url.";
export const HEADER = "Authentication error: the token has a header that is not as it must be (alg, kid).";
export const CRIT = "Authentication error: the token asks for an extension (crit) that is not understood.";
export const PAYLOAD = "Authentication error: the token has a body that is no JSON.";
export const CLAIMS = "Authentication error: the token's claims are no JSON object.";
export const OPAQUE = "Authentication error: the access_token is opaque (no JWT).";

/** What to do, by what is said. */
const HINTS: Readonly<Record<string, Part>> = {
  [FORGED]: "It was not handed out.",
  [ALGORITHM]: "Only RS256 is accepted.",
  [UNKNOWN]: "Check that key URL and token URL belong to one server.",
  [ENCODING]: "The token is not as RFC 7515 writes it. It was not handed out",
  [HEADER]: "The token is not as RFC 7515 writes it. It was not handed out",
  [CRIT]: "The token is not as RFC 7515 writes it. It was not handed out",
  [PAYLOAD]: "The token is not as RFC 7515 writes it. It was not handed out",
  [CLAIMS]: "It was not handed out",
  [OPAQUE]: "If your server does so on purpose, set verify to false.",
};

/** A token that is refused, in proof and in words. */
export const lie = (
  name: string,
  make: (stage: Stage) => string,
  cause: string,
  {
    requests = PROVED_WRONG,
    keys = giveKeys,
    ...more
  }: Partial<Omit<Scene, "name">> & {
    readonly requests?: Requests;
    readonly keys?: typeof giveKeys;
  } = {},
): Scene => ({
  name: `${name} is refused`,
  server: (stage) => ({ token: () => answerWith(make(stage)), keys }),
  expect: fails(cause, HINTS[cause] ?? /./, requests),
  ...more,
});

/** A header as SCM writes it, with some of it changed. */
export const headed = (header: JsonObject): JsonObject => ({ alg: "RS256", typ: "JWT", kid: signer.kid, ...header });
