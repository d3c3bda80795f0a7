import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";

/** A request sent directly by a test, not by the code under test. */
export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The CA certificate to trust, in PEM format. */
  readonly ca?: string;
}

/** A complete response. */
export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const TIMEOUT_MS = 5000;

/**
 * Sends one request on a new connection.
 *
 * @throws Error if the connection breaks, or if the response is truncated or takes more than 5 seconds
 */
export function httpRequest(
  url: string,
  { method = "GET", headers, body, ca }: TestRequest = {},
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const read = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks).toString() });
      });
    };
    const options = { method, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS), ...(headers && { headers }) };
    const request = url.startsWith("https:")
      ? requestHttps(url, { ...options, ...(ca !== undefined && { ca }) }, read)
      : requestHttp(url, options, read);
    request.on("error", reject);
    request.end(body);
  });
}

/** Creates a POST request with a form, as sent by an OAuth client. */
export const formRequest = (fields: Readonly<Record<string, string>>): TestRequest => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams(fields).toString(),
});
