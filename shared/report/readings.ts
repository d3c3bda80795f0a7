/**
 * The ways a text may be read by someone who looks for a secret in it: what programs write to a log in one
 * encoding, a reader's program turns back.
 */

/** What terminals obey instead of showing it (ECMA-48 control sequences). */
const CONTROL_SEQUENCE = /\x1b\[[0-?]*[ -/]*[@-~]/g;

/** Without all that a log does not show or shows as a gap, and without the case of letters. */
export const bare = (text: string): string =>
  text
    .replace(CONTROL_SEQUENCE, "")
    .replace(/[\p{C}\p{Z}\s]+/gu, "")
    .toUpperCase();

const character = (code: string, radix: number): string => {
  const point = Number.parseInt(code, radix);
  return point <= 0x10_ffff ? String.fromCodePoint(point) : "";
};

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** One decoding each. Whatever does not decode stays as it is. */
const DECODERS: readonly ((text: string) => string)[] = [
  (text) => text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString()),
  (text) => text.replaceAll("+", " "),
  (text) =>
    text.replace(
      /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi,
      (all, decimal?: string, hex?: string, name?: string) => {
        if (decimal !== undefined) return character(decimal, 10);
        return hex === undefined ? (NAMED[(name ?? "").toLowerCase()] ?? all) : character(hex, 16);
      },
    ),
  (text) =>
    text.replace(
      /\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|(["'\\/]))/gi,
      (_all, unit?: string, byte?: string, itself?: string) =>
        itself ?? String.fromCharCode(Number.parseInt(unit ?? byte ?? "", 16)),
    ),
];

/** As often as a text may have been encoded, and how many readings are worth the time. */
const DEPTH = 4;
const MOST = 256;

/** The text and all that up to four decodings in any order make of it, each bare. */
export function readingsOf(text: string): ReadonlySet<string> {
  const readings = new Set([text]);
  let newest: readonly string[] = [text];
  for (let round = 0; round < DEPTH && newest.length > 0; round++) {
    const decoded = newest.flatMap((reading) => DECODERS.map((decode) => decode(reading)));
    newest = [...new Set(decoded)].filter((reading) => !readings.has(reading)).slice(0, MOST - readings.size);
    for (const reading of newest) readings.add(reading);
  }
  return new Set([...readings].map(bare));
}
