import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Seconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { mint } from "../../shared/token/prove-token.ts";
import { makeCertificates, type Certificates } from "../support/certificate.ts";
import { startChaosProxy, type Faults } from "../support/chaos-proxy.ts";
import { areLong } from "../support/long-tests.ts";
import { startScriptedServer, type ScriptedServer } from "../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";

/**
 * The answers to both requests, cut off after each byte, in each way that a network cuts: what comes of it is a
 * failure that names its kind, in time, or the proved token. A cut may never pass for a whole answer.
 */

const CLIENT = { clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret: "canary-7c1f5a2e" };
const KINDS: ReadonlySet<string> = new Set(["network", "timeout", "protocol"]);

/** How a network cuts, and how to look: silence costs time and no work, so many can wait at once. */
interface Cut {
  readonly after: (bytes: number) => Faults;
  readonly timeout: Seconds;
  readonly atOnce: number;
}

const CUTS: Readonly<Record<string, Cut>> = {
  "a FIN": { after: (endAfter) => ({ endAfter }), timeout: 10, atOnce: 4 },
  "an RST": { after: (resetAfter) => ({ resetAfter }), timeout: 10, atOnce: 4 },
  silence: { after: (silentAfter) => ({ silentAfter }), timeout: 0.5, atOnce: 200 },
};

/** At every so many bytes; over TLS more seldom, since each costs a handshake. `npm run long` cuts at every byte. */
const STEP = areLong ? 1 : 13;
const TLS_STEP = areLong ? 61 : 397;

const ONCE = {
  policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
  verify: true,
  userAgent: "scm-auth/test",
};

interface Tally {
  readonly tries: number;
  readonly tokens: number;
  readonly kinds: ReadonlySet<string>;
  readonly longest: number;
}

/** Signs in once for each of `cuts`, the answers to one of the two requests cut so. */
async function sweep(
  server: ScriptedServer,
  { after: faultsAfter, timeout, atOnce }: Cut,
  cutAt: readonly number[],
  which: "token" | "keys",
  ca?: string,
): Promise<Tally> {
  const cuts = cutAt.map(faultsAfter);
  const proxy = await startChaosProxy(server.port, (n) => cuts[n] ?? {});
  const cut = (url: string): string => url.replace(`:${server.port}`, `:${proxy.port}`);
  const request = AuthRequest.parse({
    ...CLIENT,
    tokenUrl: which === "token" ? cut(server.tokenUrl) : server.tokenUrl,
    jwksUrl: which === "keys" ? cut(server.jwksUrl) : server.jwksUrl,
    ca,
  });
  const kinds = new Set<string>();
  let tokens = 0;
  let longest = 0;
  let next = 0;
  const signIn = async (): Promise<void> => {
    while (next++ < cuts.length) {
      const start = performance.now();
      try {
        const { value } = await mint(request, { ...ONCE, timeout });
        assert.match(value, /^ey/);
        tokens++;
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
        assert.ok(KINDS.has(error.kind), `${error.kind}: ${error.message}`);
        kinds.add(error.kind);
      }
      longest = Math.max(longest, performance.now() - start);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, signIn));
  } finally {
    await proxy.close();
  }
  return { tries: cuts.length, tokens, kinds, longest };
}

describe("An answer cut off", () => {
  let certificates: Certificates;
  let plain: ScriptedServer;
  let overTls: ScriptedServer;
  before(async () => {
    const signer = await makeSigner();
    const token = signer.sign(honestClaims({ clientId: CLIENT.clientId, tsgId: "1234567890" }));
    certificates = await makeCertificates();
    const script = {
      token: { body: { access_token: token, token_type: "Bearer", expires_in: 899 } },
      keys: { body: { keys: [signer.jwk] } },
    };
    plain = await startScriptedServer(script);
    overTls = await startScriptedServer({ ...script, tls: certificates });
  });
  after(async () => {
    await plain.close();
    await overTls.close();
  });

  /** Bytes of a whole answer, measured. */
  const lengthOf = async (server: ScriptedServer, which: "token" | "keys", ca?: string): Promise<number> => {
    const proxy = await startChaosProxy(server.port, {});
    const through = (url: string): string => url.replace(`:${server.port}`, `:${proxy.port}`);
    const urls =
      which === "token"
        ? { tokenUrl: through(server.tokenUrl), jwksUrl: server.jwksUrl }
        : { tokenUrl: server.tokenUrl, jwksUrl: through(server.jwksUrl) };
    await mint(AuthRequest.parse({ ...CLIENT, ...urls, ca }), { ...ONCE, timeout: 10 });
    const [connection] = proxy.connections;
    await proxy.close();
    assert.ok(connection && connection.replied > 100);
    return connection.replied;
  };

  for (const which of ["token", "keys"] as const) {
    for (const [name, cut] of Object.entries(CUTS)) {
      test(`by ${name} at any byte of the ${which} answer (step ${STEP}) is a failure, told in time`, async (context) => {
        const length = await lengthOf(plain, which);
        const { tries, tokens, kinds, longest } = await sweep(plain, cut, range(length, STEP), which);
        assert.equal(tokens, 0, "a cut answer passed for a whole one");
        context.diagnostic(`${tries} cuts, kinds: ${[...kinds].join(" ")}, longest ${Math.round(longest)} ms`);
      });
      test(`by ${name} over TLS, at any byte of the ${which} answer (step ${TLS_STEP}), is one too`, async () => {
        // Behind the answer comes TLS's own farewell: without it the answer is still whole.
        const length = (await lengthOf(overTls, which, certificates.ca)) - 200;
        const { tokens } = await sweep(overTls, cut, range(length, TLS_STEP), which, certificates.ca);
        assert.equal(tokens, 0, "a cut answer passed for a whole one");
      });
    }
  }

  test("after its last byte costs nothing", async () => {
    const length = await lengthOf(plain, "token");
    for (const name of ["a FIN", "silence"]) {
      const cut = CUTS[name];
      assert.ok(cut);
      assert.equal((await sweep(plain, cut, [length], "token")).tokens, 1);
    }
  });
});

const range = (end: number, step: number): readonly number[] =>
  Array.from({ length: Math.ceil(end / step) }, (_, n) => n * step);
