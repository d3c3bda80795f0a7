import type { AuthErrorCauses } from "./cause.ts";

/** The causes of errors with tokens and with the files and programs that use them. */

const rejected = (error: string): string => `token request rejected (status <status>): ${error}: <description>.`;

export const REJECTION = {
  invalid_client: {
    kind: "rejected",
    oauthError: "invalid_client",
    message: "token request rejected (status <status>): invalid_client: <description> (client ID <client ID>).",
    cause: "The auth server does not accept this client ID with this secret.",
    more: "Compare the client ID in the message with the one in Strata Cloud Manager. SCM shows a secret only once: if it was not stored, create a new one there.",
  },
  invalid_scope: {
    kind: "rejected",
    oauthError: "invalid_scope",
    message: "token request rejected (status <status>): invalid_scope: <description> (requested <scope>).",
    cause: "The client ID and the secret are correct, but the account cannot get a token for this tenant.",
  },
  unauthorized_client: {
    kind: "rejected",
    oauthError: "unauthorized_client",
    message: rejected("unauthorized_client"),
    cause: "The server knows the client, but the client is not a service account.",
  },
  access_denied: {
    kind: "rejected",
    oauthError: "access_denied",
    message: rejected("access_denied"),
    cause: "The server knows the client, but denies it a token.",
  },
  oauth_error: {
    kind: "rejected",
    oauthError: "invalid_request",
    message: rejected("<error>"),
    cause:
      "The server rejected the token request with an OAuth error that is not listed above. The message contains the error.",
  },
} satisfies AuthErrorCauses;

export const VERIFICATION = {
  opaque_token: {
    kind: "verification",
    message: "the access token is opaque (not a JWT).",
    cause: "SCM issues JWTs, which consist of three parts. This token does not.",
  },
  malformed_token: {
    kind: "verification",
    message: "the token is not a compact JWS.",
    cause: "The token looks like a JWT, but its header or its payload cannot be decoded.",
  },
  algorithm_not_allowed: {
    kind: "verification",
    message: "the token is not signed with RS256.",
    cause: "The header of the token names another algorithm.",
  },
  signing_key_not_found: {
    kind: "verification",
    message: "no key in the JWKS matches the token's key ID (kid).",
    cause:
      "The keys from the JWKS URL do not include the one that signed the token. They were requested again several times within about seven seconds.",
  },
  invalid_signature: {
    kind: "verification",
    message: "the token's signature could not be verified with the JWKS.",
    cause: "The key was found, but the signature does not match the token.",
  },
  missing_claim: {
    kind: "verification",
    message: "the <name> claim is missing.",
    cause: "The token does not contain a claim that SCM's tokens have: `aud`, `exp`, or `iat`.",
  },
  invalid_claim: {
    kind: "verification",
    message: "the <name> claim is invalid.",
    cause: "A claim of the token has a value that is not allowed, for example a date in milliseconds.",
  },
  audience_mismatch: {
    kind: "verification",
    message: "the aud claim does not contain the client ID.",
    cause: "The token is for another service account than the one that is configured.",
  },
  issuer_mismatch: {
    kind: "verification",
    message: "the iss claim is not the expected issuer.",
    cause:
      "The program set `issuer`, and the token has another one. SCM's issuer contains a port: `https://auth.apps.paloaltonetworks.com:443/am/oauth2`.",
  },
  tenant_mismatch: {
    kind: "verification",
    message: "the token's scope does not grant tenant <TSG ID>.",
    cause:
      "The auth server issued a token, but not for the requested tenant. SCM does this if the account has no role there.",
  },
  token_expired: {
    kind: "verification",
    message: "the token expired <time> ago (exp).",
    cause: "The token's expiration time has passed according to this machine's clock.",
  },
  token_not_yet_valid: {
    kind: "verification",
    message: "the token does not become valid until <time> from now (iat, nbf).",
    cause: "The token was issued more than 30 seconds in the future according to this machine's clock.",
  },
  clock_skew: {
    kind: "verification",
    message: "this machine's clock is <time> behind the server's (clock skew).",
    cause: "The token is valid according to the server's clock, but not according to this machine's clock.",
    more: "The row Clock of a [check](check.md#steps) shows the difference.",
  },
  token_lifetime_unknown: {
    kind: "protocol",
    message: "the token's lifetime is unknown, so it cannot be stored in an auth file.",
    cause: "The token is opaque, and the token response contains no `expires_in`.",
  },
} satisfies AuthErrorCauses;

export const AUTH_FILE = {
  auth_file_invalid_path: {
    kind: "file",
    message: "the auth file <path> cannot be written: <reason>.",
    cause: "The path does not exist and cannot be created, or it is a directory.",
  },
  auth_file_not_managed: {
    kind: "file",
    message: "the auth file <path> already exists and was not created by scm-auth.",
    cause: "There is a file at this path, and its content is not an auth file that scm-auth wrote.",
  },
  auth_file_in_use: {
    kind: "file",
    message: "the auth file <path> contains a valid token for another identity (client ID or scope).",
    cause:
      "Another job or another step uses this file with a different account or tenant, or a background process keeps it fresh.",
  },
  auth_file_insecure: {
    kind: "file",
    message: "the auth file <path> is accessible to other users.",
    cause:
      "What is at this path is a symbolic link, belongs to another user, has another hard link, or can be read or written by other users.",
  },
  auth_file_dir_insecure: {
    kind: "file",
    message: "the directory <path> can be written to by every user.",
    cause:
      "Other users could replace the file, because its directory or one above it belongs to them or can be written to by them.",
    more: "[auth-file.md](auth-file.md#path-and-removal) says which directories are accepted.",
  },
  auth_file_permission_denied: {
    kind: "file",
    message: "the auth file <path> cannot be written: permission denied.",
    cause: "The operating system denied access, or the file system is read-only (`read-only file system`).",
  },
  auth_file_disk_full: {
    kind: "file",
    message: "the auth file <path> cannot be written: no space left on device.",
    cause: "The disk, the quota, or the maximum file size has been reached.",
  },
  auth_file_io_error: {
    kind: "file",
    message: "the auth file <path> cannot be written: the file system does not respond.",
    cause:
      "The file system reported an error or did not respond within 10 seconds, or another process removed the file.",
  },
  refresher_failed: {
    kind: "file",
    message: "the auth file cannot be refreshed: <reason>.",
    cause:
      "The background process that keeps the token fresh did not start. Without it, an apply that takes longer than 15 minutes would fail.",
    more: "[auth-file.md](auth-file.md#how-the-token-is-kept-fresh) describes the process.",
  },
} satisfies AuthErrorCauses;

export const SEALED_TOKEN = {
  sealed_token_expired: {
    kind: "verification",
    message: "the sealed token is valid for only <time>, less than the required minimum of <time>.",
    cause:
      "The job started too long after the sign-in, for example after a re-run or an approval. The minimum is `min-ttl` or, by default, 5 minutes.",
  },
  sealed_token_malformed: {
    kind: "verification",
    message: "the value is not a sealed token, or it was truncated.",
    cause: "The value is not a sealed token. It may have been cut off, or it may be the access token itself.",
  },
  sealed_token_decryption_failed: {
    kind: "verification",
    message: "the sealed token cannot be decrypted: it was sealed with a different client secret, or was modified.",
    cause: "The two jobs have different client secrets, or the value was changed on its way.",
  },
  sealed_token_too_large: {
    kind: "verification",
    message: "the sealed token is longer than <size> KiB.",
    cause: "The value is too long to be a sealed token.",
  },
  sealed_token_not_jwt: {
    kind: "verification",
    message: "only JWTs can be sealed.",
    cause: "The token to be sealed is opaque.",
  },
} satisfies AuthErrorCauses;

export const PROGRAM = {
  output_write_failed: {
    kind: "file",
    message: "the output <name> cannot be written: the file that <variable> refers to is not writable (<error>).",
    cause: "In the action, one of the runner's files cannot be written. In the command, stdout cannot be written.",
    more: "`EPIPE` from the command means that the program that reads its output has ended.",
  },
  aborted: {
    kind: "aborted",
    message: "the caller's signal was aborted.",
    cause: "The `signal` that a program passed to the library was aborted, or the job was canceled.",
  },
  internal_error: {
    kind: "protocol",
    message: "unexpected failure: <error>.",
    cause: "Something failed that scm-auth does not expect, or the step did not end within its time limit.",
    more: "Report it at <https://github.com/OWNER/scm-auth/issues>. The [summary of a check](check.md) contains the versions and no secrets.",
  },
} satisfies AuthErrorCauses;
