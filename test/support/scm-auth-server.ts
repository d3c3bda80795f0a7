import type { IncomingHttpHeaders } from "node:http";
import { createSigner, validClaims, type Signer } from "./tokens.ts";

/** The path of SCM's token endpoint. */
export const TOKEN_PATH = "/am/oauth2/access_token";
/** The path of SCM's JSON Web Key Set. */
export const JWKS_PATH = "/am/oauth2/connect/jwk_uri";

/** A response that has not been sent yet. */
export interface ServerResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

/** Options for the auth server. */
export interface ScmAuthServerOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The tenants that the client may request. */
  readonly tsgIds: readonly string[];
  /** The `iss` claim of tokens. */
  readonly issuer: string;
  /** Token lifetime in seconds. */
  readonly ttl: number;
  readonly signer: Signer;
}

/** Behaves like SCM's auth server. Supports the client credentials grant and provides a JWK Set. */
export class ScmAuthServer {
  readonly #options: ScmAuthServerOptions;
  #clientSecret: string;
  /** All signers. The first one signs new tokens. */
  #signers: readonly Signer[];
  /** The expiration time, in seconds since 1970, and the scope of each token. */
  readonly #issued = new Map<string, { readonly exp: number; readonly scope: readonly string[] }>();

  constructor(options: ScmAuthServerOptions) {
    this.#options = options;
    this.#clientSecret = options.clientSecret;
    this.#signers = [options.signer];
  }

  /** All issued tokens, in order. */
  get issued(): readonly string[] {
    return [...this.#issued.keys()];
  }

  /** Returns the scope of a token, or undefined unless this server issued it and it has not expired. */
  findScope(token: string): readonly string[] | undefined {
    const { exp = 0, scope } = this.#issued.get(token) ?? {};
    return Date.now() / 1000 < exp ? scope : undefined;
  }

  /** Uses a new signing key from now on. The key set retains the old keys. Resolves to the new `kid`. */
  async rotateKeys(): Promise<string> {
    const signer = await createSigner();
    this.#signers = [signer, ...this.#signers];
    return signer.kid;
  }

  changeSecret(clientSecret: string): void {
    this.#clientSecret = clientSecret;
  }

  getJwks(): ServerResponse {
    return { status: 200, body: { keys: this.#signers.map(({ jwk }) => jwk) } };
  }

  /** Handles a token request (RFC 6749 sections 4.4 and 5) with client credentials in HTTP Basic or in the form. */
  requestToken(form: URLSearchParams, { authorization }: IncomingHttpHeaders): ServerResponse {
    const [, basic] = /^Basic (\S+)$/i.exec(authorization ?? "") ?? [];
    const [id, secret] = basic === undefined ? [form.get("client_id"), form.get("client_secret")] : parseBasic(basic);
    if (basic !== undefined && form.has("client_secret"))
      return oauthError("invalid_request", "Two client credentials");
    if (id !== this.#options.clientId || secret !== this.#clientSecret) {
      return {
        ...oauthError("invalid_client", "Client authentication failed", 401),
        ...(basic !== undefined && { headers: { "www-authenticate": 'Basic realm="/"' } }),
      };
    }
    const grantType = form.get("grant_type");
    if (grantType === null) return oauthError("invalid_request", "Missing parameter: grant_type");
    if (grantType !== "client_credentials") return oauthError("unsupported_grant_type", "Grant type is not supported");
    const allowed = ["email", "profile", ...this.#options.tsgIds.map((tsgId) => `tsg_id:${tsgId}`)];
    const scope = (form.get("scope") ?? "").split(" ").filter((token) => token !== "");
    const unknown = scope.filter((token) => !allowed.includes(token));
    if (unknown.length > 0) return oauthError("invalid_scope", `Unknown/invalid scope(s): [${unknown.join(", ")}]`);
    return { status: 200, headers: { "cache-control": "no-store" }, body: this.#issue(scope) };
  }

  #issue(scope: readonly string[]) {
    const { clientId, issuer, ttl } = this.#options;
    const claims = { ...validClaims({ clientId, tsgId: "", issuer, ttl }), scope };
    const token = this.#signers[0]?.sign(claims) ?? "";
    this.#issued.set(token, claims);
    // SCM reports 899 for a lifetime of 900 seconds, because the first second has already begun.
    return { access_token: token, scope: scope.join(" "), token_type: "Bearer", expires_in: ttl - 1 };
  }
}

/** Parses HTTP Basic credentials, whose parts are form-encoded (RFC 6749 section 2.3.1). */
function parseBasic(credentials: string): readonly [id: string, secret: string] {
  const [id = "", secret = ""] = Buffer.from(credentials, "base64")
    .toString()
    .split(/:(.*)/s)
    .map((part) => new URLSearchParams(`=${part}`).get("") ?? "");
  return [id, secret];
}

const oauthError = (error: string, description: string, status = 400): ServerResponse => ({
  status,
  body: { error, error_description: description },
});
