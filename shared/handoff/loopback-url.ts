/** Where the endpoint answers token requests: the path of the real one on its default host. */
export const LOOPBACK_TOKEN_PATH = "/am/oauth2/access_token";
/** Where it is told to end. */
export const LOOPBACK_END_PATH = "/end";
/** The one address it listens at. */
export const LOOPBACK_ADDRESS = "127.0.0.1";

const FORM = /^http:\/\/127\.0\.0\.1:([1-9]\d{0,4})\/am\/oauth2\/access_token$/;

/** What stands as `auth_url` in the file while an endpoint serves at `port`. */
export const loopbackUrl = (port: number): string => `http://${LOOPBACK_ADDRESS}:${port}${LOOPBACK_TOKEN_PATH}`;

/** The port of an `auth_url` of exactly that form, and of no other spelling of it; undefined for anything else. */
export function loopbackPort(authUrl: string): number | undefined {
  const port = Number(FORM.exec(authUrl)?.[1]);
  return port <= 65_535 ? port : undefined;
}
