import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Whom the endpoint knows. */
export interface KnownSecrets {
  readonly clientId: string;
  /** The job's own, which the file holds. */
  readonly jobSecret: string;
  /** The real one: the providers prefer one that stands in their environment to the file's. */
  readonly clientSecret: string;
}

/**
 * Judges credentials without keeping the secrets: texts are compared by digests under a key of this process, in
 * constant time, and each with all that are right, so that the time taken tells nothing.
 */
export class LoopbackCredentials {
  readonly #key = randomBytes(32);
  readonly #clients: readonly Buffer[];
  readonly #job: Buffer;

  constructor({ clientId, jobSecret, clientSecret }: KnownSecrets) {
    this.#clients = [jobSecret, clientSecret].map((secret) => this.#digest(pair(clientId, secret)));
    this.#job = this.#digest(jobSecret);
  }

  /** Whether one of the readings of what a client sent is its id with one of its secrets. */
  isClient(readings: readonly string[]): boolean {
    return this.#matches(readings, this.#clients);
  }

  /** Whether this is the job's own secret. */
  isJob(secret: string): boolean {
    return this.#matches([secret], [this.#job]);
  }

  #matches(given: readonly string[], right: readonly Buffer[]): boolean {
    const digests = given.map((text) => this.#digest(text));
    return digests
      .map((digest) => right.filter((one) => timingSafeEqual(digest, one)).length)
      .some((count) => count > 0);
  }

  #digest(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

/** Id and secret as one text, as Basic writes them (RFC 7617 section 2). */
export const pair = (id: string, secret: string): string => `${id}:${secret}`;

/**
 * What an `Authorization: Basic` may mean: as it is (RFC 7617, what Go and curl send), and with both parts
 * form-encoded (RFC 6749 section 2.3.1). Empty when it is no such header.
 */
export function basicReadings(authorization: string): readonly string[] {
  const encoded = /^basic +([\w+/=-]+)$/i.exec(authorization)?.[1];
  if (encoded === undefined) return [];
  const plain = Buffer.from(encoded, "base64").toString("utf8");
  const colon = plain.indexOf(":");
  if (colon === -1) return [];
  return [plain, pair(formDecoded(plain.slice(0, colon)), formDecoded(plain.slice(colon + 1)))];
}

/** The token of an `Authorization: Bearer` (RFC 6750 section 2.1). */
export const bearerOf = (authorization: string): string | undefined =>
  /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1];

/** One value of a form; what is no encoding stays as it is. */
const formDecoded = (text: string): string => new URLSearchParams(`v=${text.replaceAll("&", "%26")}`).get("v") ?? "";
