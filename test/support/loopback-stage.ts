import { randomBytes } from "node:crypto";
import { systemClock, type Clock } from "../../shared/clock.ts";
import type { HeldToken } from "../../shared/handoff/held-token.ts";
import { openLoopbackEndpoint, type LoopbackEndpoint } from "../../shared/handoff/loopback-endpoint.ts";
import type { AuthError } from "../../shared/report/errors.ts";
import { AccessToken } from "../../shared/token/access-token.ts";
import { assertNoCanary, keepSecret } from "./canaries.ts";
import { askRaw, type RawAnswer } from "./raw-http.ts";

/** What a test may change while an endpoint serves. */
export interface StagedToken {
  value: string;
  /** In milliseconds. */
  life: number;
  left: number;
  refusal: AuthError | undefined;
  /** What a renewal does. Default: it takes for ever. */
  renew: () => Promise<void>;
  renewals: number;
}

/** An endpoint on loopback with a token that a test sets. */
export interface LoopbackStage extends LoopbackEndpoint {
  readonly token: StagedToken;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly jobSecret: string;
  readonly scope: string;
  readonly job: string;
  /** How often the end was asked for. */
  readonly ends: () => number;
  /** A right token request as scm-go sends it, with what shall be different. */
  readonly request: (change?: Change) => string;
  /** Sends one; no secret but the token comes back. */
  readonly ask: (change?: Change) => Promise<RawAnswer>;
}

/** What a request shall have otherwise. A header that is undefined is left out. */
export interface Change {
  readonly line?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

export const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;

/** Opens one. */
export async function openLoopbackStage(
  options: {
    readonly clientId?: string;
    readonly clientSecret?: string;
    readonly scope?: string;
    readonly clock?: Clock;
    readonly onEnd?: () => Promise<object>;
  } = {},
): Promise<LoopbackStage> {
  const clientId = options.clientId ?? "ci@1234567890.iam.panserviceaccount.com";
  const clientSecret = options.clientSecret ?? "0f3c9e52-6f0b-4e1f-9d55-1f7d2a0b7c11";
  const scope = options.scope ?? "tsg_id:1234567890 email profile";
  const jobSecret = randomBytes(32).toString("base64url");
  keepSecret("client secret", clientSecret);
  keepSecret("job secret", jobSecret);
  const job = randomBytes(16).toString("hex");
  const token: StagedToken = {
    value: `eyJ.${randomBytes(24).toString("base64url")}.${randomBytes(24).toString("base64url")}`,
    life: 900_000,
    left: 600_500,
    refusal: undefined,
    renew: () => new Promise(() => undefined),
    renewals: 0,
  };
  const current = (): HeldToken => ({
    token: new AccessToken(token.value, {
      expiresAt: undefined,
      lifetime: token.left,
      life: token.life,
      scope: scope.split(" "),
      tenants: [],
    }),
    life: token.life,
    left: () => token.left,
  });
  const { onEnd = () => Promise.resolve({ renewals: 3, outages: 1, refused: false }) } = options;
  let ends = 0;
  const opened = await openLoopbackEndpoint({
    clientId,
    clientSecret,
    jobSecret,
    scope,
    job,
    renewals: {
      get current() {
        return current();
      },
      get refusal() {
        return token.refusal;
      },
      renew: async () => {
        token.renewals++;
        await token.renew();
        return current();
      },
    },
    onEnd: () => {
      ends++;
      return onEnd();
    },
    clock: options.clock ?? systemClock,
  });
  const request = ({ line, headers, body }: Change = {}): string => {
    const form = body ?? `grant_type=client_credentials&scope=${encodeURIComponent(scope)}`;
    const fields: Readonly<Record<string, string | undefined>> = {
      Host: `127.0.0.1:${opened.port}`,
      "User-Agent": "Go-http-client/1.1",
      "Content-Length": String(Buffer.byteLength(form)),
      Authorization: basic(clientId, jobSecret),
      "Content-Type": "application/x-www-form-urlencoded",
      "Accept-Encoding": "gzip",
      ...headers,
    };
    const shown = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
    return [line ?? "POST /am/oauth2/access_token HTTP/1.1", ...shown, "", form].join("\r\n");
  };
  return {
    ...opened,
    token,
    clientId,
    clientSecret,
    jobSecret,
    scope,
    job,
    ends: () => ends,
    request,
    ask: async (change) => {
      const answer = await askRaw(opened.port, request(change));
      const tokens = answer.status === 200 ? [] : [token.value];
      assertNoCanary([clientSecret, jobSecret, ...tokens], { "the answer": answer.text });
      return answer;
    },
  };
}
