import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";

/** A request of a test's own, next to those of the code under test. */
export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM text of the authority to trust. */
  readonly ca?: string;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How long an answer may take, in milliseconds: no test shall hang. */
const PATIENCE = 5000;

/**
 * Sends one request over a connection of its own.
 *
 * @throws Error when the connection breaks, the answer is cut or takes more than 5 s
 */
export function ask(url: string, { method = "GET", headers, body, ca }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const read = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers: answered } = response;
        resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks).toString() });
      });
    };
    const options = { method, agent: false, signal: AbortSignal.timeout(PATIENCE), ...(headers && { headers }) };
    const request = url.startsWith("https:")
      ? requestHttps(url, { ...options, ...(ca !== undefined && { ca }) }, read)
      : requestHttp(url, options, read);
    request.on("error", reject);
    request.end(body);
  });
}

/** A form as a browser or an OAuth client posts it. */
export const form = (fields: Readonly<Record<string, string>>): Question => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams(fields).toString(),
});
