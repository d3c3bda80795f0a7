/** A URL's host as sockets want it: `::1`, where `URL.hostname` writes `[::1]` (RFC 3986 section 3.2.2). */
export const socketHost = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1");
