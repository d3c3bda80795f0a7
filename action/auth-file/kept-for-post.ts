/** Names under which the main step keeps what post needs to take the auth file away. No value is a secret. */

/** Its absolute path; empty when it is another step's to look after. */
export const PATH = "auth-file";
/** Which file there is ours; empty while none is. */
export const OWNERSHIP = "auth-file-ownership";
/** Whether a keeper was begun for it. */
export const KEPT = "auth-file-kept";
/** Whether the main step came so far that the file stood. */
export const STOOD = "auth-file-stood";
