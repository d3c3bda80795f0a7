/** What a side is made to do: each has a function of this name in `scm-auth.ts` and in `pan_scm_sdk.py`. */
export type Act =
  | "build"
  | "signIn"
  | "branch"
  | "inspect"
  | "renew"
  | "coldCallers"
  | "lateCallers"
  | "call"
  | "list"
  | "debug"
  | "print";

/** One scene for one side, as it reads it from stdin. */
export interface Job {
  readonly act: Act;
  /** What the sign-in is made of, in the names of that side. */
  readonly fields: Readonly<Record<string, string>>;
  /** Origin of the API. */
  readonly apiUrl: string;
  /** Seconds to wait after the sign-in. */
  readonly wait: number;
  /** Seconds that the process's clocks are put forward after the sign-in. */
  readonly ahead: number;
}

/** What a side saw, as the last line that it writes to stdout. */
export interface Report {
  /** Short phrases, one an observation. */
  readonly seen: readonly string[];
  /** Secrets that may stand in them. */
  readonly tokens: readonly string[];
  /** Seconds that the act took. */
  readonly took: number;
}
