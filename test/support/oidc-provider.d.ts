/** The small part of oidc-provider that scm-server.ts uses. The package ships no types. */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export interface Client {
    readonly clientId: string;
  }

  export interface Context {
    readonly path: string;
    readonly req: IncomingMessage;
    body: unknown;
    /** Absent where no route matched. */
    readonly oidc?: {
      readonly params?: Readonly<Record<string, string | undefined>>;
      readonly body?: Readonly<Record<string, string | readonly string[]>>;
    };
  }

  export interface Jwt {
    readonly header: Readonly<Record<string, unknown>>;
    readonly payload: Readonly<Record<string, unknown>> & {
      readonly iat: number;
      readonly exp: number;
      readonly scope?: string;
    };
  }

  export interface ResourceServer {
    readonly scope: string;
    readonly audience: string;
    readonly accessTokenTTL: number;
    readonly accessTokenFormat: "jwt" | "opaque";
    readonly jwt: { readonly sign: { readonly alg: string; readonly kid: string } };
  }

  export interface Adapter {
    upsert(id: string, payload: object, expiresIn: number): Promise<void>;
    find(id: string): Promise<object | undefined>;
    destroy(id: string): Promise<void>;
  }

  export interface Configuration {
    readonly adapter: (model: string) => Adapter;
    readonly clients: readonly object[];
    readonly clientAuthMethods: readonly string[];
    readonly jwks: { readonly keys: readonly object[] };
    readonly scopes: readonly string[];
    readonly routes: Readonly<Record<string, string>>;
    readonly features: Readonly<Record<string, unknown>> & {
      readonly resourceIndicators: {
        readonly enabled: true;
        readonly defaultResource: () => string;
        readonly getResourceServerInfo: (context: Context, resource: string, client: Client) => ResourceServer;
      };
    };
    readonly ttl: Readonly<Record<string, number>>;
    readonly formats: {
      readonly customizers: { readonly jwt: (context: Context, token: object, jwt: Jwt) => void };
    };
  }

  export class Provider {
    constructor(issuer: string, configuration: Configuration);
    proxy: boolean;
    silent: boolean;
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
  }

  export const errors: {
    readonly InvalidScope: new (description: string, scope: string) => Error;
  };
}
