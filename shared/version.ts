/** The version of this package, as in package.json (a test holds them together). */
export const version = "1.0.0";

/** What requests call themselves (RFC 9110 section 10.1.5). */
export const userAgent = `scm-auth/${version}`;

/** Where the documentation of this version is. (`npm run generate` writes the owner.) */
export const docs = "https://github.com/OWNER/scm-auth/blob/v1/docs";
