import { generateKeyPair, randomUUID, type JsonWebKey } from "node:crypto";
import { promisify } from "node:util";
import { errors, Provider, type Adapter, type Context, type Jwt } from "oidc-provider";
import { newKeyId } from "./tokens.ts";

/** Paths of SCM's auth server. */
export const TOKEN_PATH = "/am/oauth2/access_token";
/** Where SCM's auth server shows its signing keys. */
export const KEYS_PATH = "/am/oauth2/connect/jwk_uri";

/** What the auth server knows. */
export interface ScmProviderSettings {
  readonly origin: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** TSG ids that the client may ask for. */
  readonly tenants: readonly string[];
  /** The `iss` of tokens. */
  readonly issuer: string;
  /** Life of a token in seconds. */
  readonly ttl: number;
  /** Private keys, the signing one first. */
  readonly keys: readonly SigningKey[];
  /** Called with each POST's form once it is read. */
  readonly onForm: (context: Context, form: Readonly<Record<string, string>>) => void;
  /** Called with each token that is given out. */
  readonly onToken: (token: string) => void;
}

/** A private key with the name it goes by in the key set (RFC 7517). */
export type SigningKey = Readonly<JsonWebKey & { kid: string }>;

/** Makes a private RS256 key for the server to sign with. */
export async function makeSigningKey(): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: newKeyId(), use: "sig", alg: "RS256" };
}

/** A certified OpenID provider, configured until its answers look like those of SCM's auth server. */
export function makeScmProvider(settings: ScmProviderSettings): Provider {
  const provider = new Provider(settings.origin, {
    adapter: forgetfulAdapter,
    clients: [
      {
        client_id: settings.clientId,
        client_secret: settings.clientSecret,
        // Lets the client use HTTP Basic or the form, as SCM does.
        token_endpoint_auth_method: "client_secret_basic",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    clientAuthMethods: ["client_secret_basic", "client_secret_post"],
    jwks: { keys: settings.keys },
    // None of its own: which scopes exist is for the resource server below to say.
    scopes: [],
    routes: { token: TOKEN_PATH, jwks: KEYS_PATH },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // SCM's clients name no resource, and what they get has their own id as audience.
        defaultResource: () => "urn:scm:api",
        getResourceServerInfo: (context, _resource, client) => ({
          scope: grantedScope(context.oidc?.params?.["scope"], settings.tenants),
          audience: client.clientId,
          accessTokenTTL: settings.ttl,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256", kid: settings.keys[0]?.kid ?? "" } },
        }),
      },
    },
    ttl: { ClientCredentials: settings.ttl },
    formats: {
      customizers: { jwt: (_context, _token, jwt) => Object.assign(jwt, shapedLikeScm(jwt, settings.issuer)) },
    },
  });
  provider.use(async (context, next) => {
    await next();
    if (context.oidc?.body) settings.onForm(context, asForm(context.oidc.body));
    const answer = context.body as { access_token?: string; expires_in?: number } | undefined;
    if (context.path !== TOKEN_PATH || answer?.access_token === undefined) return;
    // SCM counts the second that has begun: 899 of 900.
    answer.expires_in = settings.ttl - 1;
    settings.onToken(answer.access_token);
  });
  return provider;
}

/** The scope asked for, when the client may have it. */
function grantedScope(asked: string | undefined, tenants: readonly string[]): string {
  const allowed = new Set(["email", "profile", ...tenants.map((tsgId) => `tsg_id:${tsgId}`)]);
  const words = (asked ?? "").split(" ").filter((word) => word !== "");
  const refused = words.find((word) => !allowed.has(word));
  if (refused !== undefined) throw new errors.InvalidScope("Unknown/invalid scope(s)", refused);
  return words.join(" ");
}

/** Claims and header as in the one published sample of an SCM token: `scope` is an array and `sub` not the client. */
function shapedLikeScm({ header, payload }: Jwt, issuer: string) {
  const { iat, exp, scope, ...claims } = payload;
  const subject = randomUUID();
  return {
    header: { ...header, typ: "JWT" },
    payload: {
      ...claims,
      client_id: undefined,
      sub: subject,
      subname: subject,
      iss: issuer,
      scope: scope?.split(" ") ?? [],
      iat,
      nbf: iat,
      exp,
      cts: "OAUTH2_STATELESS_GRANT",
      tokenName: "access_token",
      token_type: "Bearer",
      grant_type: "client_credentials",
      auth_time: iat,
      realm: "/",
      expires_in: exp - iat,
    },
  };
}

/** A form as it came; of a field that came twice both values, so that nobody overlooks it. */
const asForm = (body: Readonly<Record<string, string | readonly string[]>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(body).map(([name, value]) => [name, typeof value === "string" ? value : value.join()]),
  );

/** A token that is a JWT needs no memory on the server's side. */
const forgetfulAdapter = (): Adapter => ({
  upsert: () => Promise.resolve(),
  find: () => Promise.resolve(undefined),
  destroy: () => Promise.resolve(),
});
