import { badAddresses } from "./scenes/bad-addresses.ts";
import { badInput } from "./scenes/bad-input.ts";
import { echoes } from "./scenes/echoes.ts";
import { endings } from "./scenes/endings.ts";
import { forgedTokens } from "./scenes/forged-tokens.ts";
import { hosts } from "./scenes/hosts.ts";
import { keyAnswers } from "./scenes/key-answers.ts";
import { leaks } from "./scenes/leaks.ts";
import { lyingClaims } from "./scenes/lying-claims.ts";
import { malformedTokens } from "./scenes/malformed-tokens.ts";
import { networks } from "./scenes/networks.ts";
import { proxies } from "./scenes/proxies.ts";
import { rightAnswers } from "./scenes/right-answers.ts";
import type { Scene } from "./scenes/scene.ts";
import { serverStatuses } from "./scenes/server-statuses.ts";
import { signingIn } from "./scenes/signing-in.ts";
import { surroundings } from "./scenes/surroundings.ts";
import { tokenAnswers } from "./scenes/token-answers.ts";

/** THE table of scenes, by topic: failures, tokens and canaries, each run against the real bundle. */
export const scenes: Readonly<Record<string, readonly Scene[]>> = Object.freeze({
  "Signing in": [...signingIn, ...rightAnswers],
  "Bad input": [...badInput, ...badAddresses, ...surroundings],
  "Servers and networks that fail": [...serverStatuses, ...tokenAnswers, ...keyAnswers, ...networks, ...hosts],
  Proxies: proxies,
  "Tokens that lie": [...forgedTokens, ...malformedTokens, ...lyingClaims],
  "Logs that leak nothing": [...echoes, ...leaks],
  "Ends that nobody thought of": endings,
});
