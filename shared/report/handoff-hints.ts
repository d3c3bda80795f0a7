/**
 * What to do about failures of handing a token on, as {@link hints} for those of a sign-in. A table of its own, since most
 * steps of a workflow hand nothing on: their bundle goes without.
 */
export const handoffHints = Object.freeze({
  unknown_life: "Use the token itself, or let the server send expires_in (RFC 6749 section 5.1).",
  auth_file_path: "Give {authFile} the path of a file in a folder that is there or can be made.",
  auth_file_foreign:
    "What lies there is not overwritten, since scm-auth did not write it. Give {authFile} another path, or remove that file yourself.",
  auth_file_in_use: "Give each identity and each job an auth file of its own: another {authFile}.",
  auth_file_unsafe:
    "Remove it, or give {authFile} another path. The auth file must be a regular file of this user alone, since the providers believe what it says.",
  auth_folder_unsafe:
    "Give {authFile} a path in a folder of this user that nobody else can write (chmod go-w), since who writes there decides what the providers believe.",
  auth_file_denied: "Give {authFile} a path in a folder that this user can write.",
  auth_file_no_space: "Make room (bytes and inodes), or give {authFile} a path on another disk.",
  auth_file_io: "Look at that path and its disk, or give {authFile} another path.",
  sealed_stale: "Sign in anew. A token that is sealed lives no longer for it: minutes, from its sign-in on.",
  sealed_damaged: "Hand the sealed token on whole and unchanged, without white space; or sign in anew.",
  sealed_foreign:
    "Seal and open with the same client id, secret, scope (tenant) and token URL, and hand the text on unchanged; or sign in anew.",
  sealed_version: "Seal and open with the same version of scm-auth; or sign in anew.",
  sealed_too_long:
    "Give the sealed token alone. A token that is too long to be sealed can't be handed on so: sign in anew.",
  sealed_opaque: "Only a JWT can be sealed, since who opens it proves it. Sign in where the token is needed.",
  keeper_failed:
    "Without the background process a long apply would end half-way. Run again; or set {keepFresh} to false if one token's life is enough.",
});
