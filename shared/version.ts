/** The version of this package. A test compares it with package.json. */
export const VERSION = "1.0.0";

/** The User-Agent of the library and the action (RFC 9110 section 10.1.5). */
export const USER_AGENT = `scm-auth/${VERSION}`;

/** The documentation of this major version. */
export const DOCS_URL = "https://github.com/OWNER/scm-auth/blob/v1/docs";

/** Returns the URL of the section about an error. `anchor` is the code of the error. */
export const getErrorPage = (anchor: string): string => `${DOCS_URL}/troubleshooting.md#${anchor}`;
