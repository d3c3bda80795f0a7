import { INSPECT_MAX_BYTES } from "node:buffer";
import { secretForms } from "../../shared/report/secrets.ts";

/**
 * What a secret looks like wherever a program may have put it. A table of the tests' own, beside the product's
 * (`shared/report/secrets.ts`): a form that stood in one table alone would be missed by masks and search alike.
 */

type Encoder = (text: string) => readonly string[];

/** Shorter ones stand in innocent text. In characters. */
export const SHORTEST_FORM = 8;
/** The end of a form tells it as surely as all of it, and the forms of thousands of tokens stay small. In characters. */
const LONGEST_FORM = 64;
/** As much of a secret is too much to show. In characters. */
const PIECE = 16;

const bytesAs = (bytes: Uint8Array, write: (byte: number) => string, between: string): string =>
  [...bytes].map(write).join(between);
const units = (text: string, write: (code: number) => string): string =>
  text.replace(/[^]/g, (unit) => write(unit.charCodeAt(0)));
const points = (text: string, write: (code: number) => string): string =>
  text.replace(/./gsu, (character) => write(character.codePointAt(0) ?? 0));
const hex =
  (digits: number) =>
  (code: number): string =>
    code.toString(16).padStart(digits, "0");
const escaped = (text: string, which: RegExp, by: (character: string) => string): string => text.replace(which, by);

/** The characters that stand in base64 for `bytes` alone, behind 0, 1 or 2 others (RFC 4648 section 4). */
function base64Pieces(bytes: Buffer): readonly string[] {
  const pieces = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const [first, end] = [Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3)];
    return text.slice(first, end);
  });
  return pieces.flatMap((piece) => [piece, piece.replaceAll("+", "-").replaceAll("/", "_")]);
}

const JSON_TEXT = (text: string): string => JSON.stringify(text).slice(1, -1);
const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** THE table. All is searched for in either case of letters, and with all white space and NUL bytes left out. */
const ENCODERS: Readonly<Record<string, Encoder>> = {
  plain: (text) => [text, text.trim(), ...text.split(/[\r\n]+/)],
  base64: (text) => base64Pieces(Buffer.from(text)),
  "base64 of UTF-16": (text) => base64Pieces(Buffer.from(text, "utf16le")),
  "base64 twice": (text) => base64Pieces(Buffer.from(Buffer.from(text).toString("base64"))),
  hex: (text) => [
    ...["", ":", "-", ","].map((between) => bytesAs(Buffer.from(text), hex(2), between)),
    // As much of a Buffer as node shows.
    bytesAs(Buffer.from(text).subarray(0, INSPECT_MAX_BYTES), hex(2), ""),
  ],
  "hex numbers": (text) =>
    [", ", ","].map((between) => bytesAs(Buffer.from(text), (byte) => `0x${hex(2)(byte)}`, between)),
  "decimal numbers": (text) => [bytesAs(Buffer.from(text), String, ",")],
  "characters apart": (text) => ["'", '"'].map((quote) => [...text].map((one) => `${quote}${one}${quote}`).join(",")),
  "a URL": (text) => [
    encodeURIComponent(text),
    escaped(encodeURIComponent(text), /[!'()*]/g, (one) => `%${hex(2)(one.charCodeAt(0))}`),
    encodeURI(text),
    bytesAs(Buffer.from(text), (byte) => `%${hex(2)(byte)}`, ""),
  ],
  "a URL twice": (text) => [encodeURIComponent(encodeURIComponent(text))],
  "a form": (text) => [new URLSearchParams([["", text]]).toString().slice(1)],
  JSON: (text) => [
    JSON_TEXT(text),
    escaped(JSON_TEXT(text), /\//g, () => "\\/"),
    escaped(JSON_TEXT(text), /[^ -~]|[<>&'+]/g, (one) => `\\u${hex(4)(one.charCodeAt(0))}`),
    JSON_TEXT(JSON_TEXT(text)),
  ],
  "escapes of source code": (text) => [
    units(text, (code) => `\\u${hex(4)(code)}`),
    points(text, (code) => `\\u{${code.toString(16)}}`),
    bytesAs(Buffer.from(text), (byte) => `\\x${hex(2)(byte)}`, ""),
    bytesAs(Buffer.from(text), (byte) => `\\${byte.toString(8).padStart(3, "0")}`, ""),
    escaped(text, /[\\']/g, (one) => `\\${one}`),
    escaped(text, /[\\`$"]/g, (one) => `\\${one}`),
  ],
  "HTML entities": (text) => [
    points(text, (code) => `&#${code};`),
    points(text, (code) => `&#x${code.toString(16)};`),
    ...["&#39;", "&#x27;", "&apos;", "'"].map((quote) =>
      escaped(text, /[&<>"']/g, (one) => (one === "'" ? quote : (ENTITIES[one] ?? one))),
    ),
    escaped(
      escaped(text, /[&<>"]/g, (one) => ENTITIES[one] ?? one),
      /[^ -~]/gu,
      (one) => `&#${one.codePointAt(0) ?? 0};`,
    ),
  ],
  "quotes of a shell": (text) => [
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", "'\"'\"'"),
    text.replaceAll("'", "''"),
    escaped(text, /[^\w@%+=:,./-]/g, (one) => `\\${one}`),
    escaped(text, /[&|<>^]/g, (one) => `^${one}`),
  ],
  "quotes of Markdown": (text) => [escaped(text, /[!-/:-@[-`{-~]/g, (one) => `\\${one}`)],
  "UTF-8 read as Latin-1": (text) => [Buffer.from(text).toString("latin1")],
  "UTF-16 in memory": (text) => [
    Buffer.from(text, "utf16le").toString("latin1"),
    Buffer.from(text, "utf16le").swap16().toString("latin1"),
  ],
  // What of these is not above is a gap of this table's, and found all the same.
  "a form that the product knows": secretForms,
};

const CONTROL_SEQUENCES = /\x1b\[[0-?]*[ -/]*[@-~]/g;
const UNSEEN = /[\s\0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+/g;

/** A text as it is searched: without what breaks it up, and in lower case. */
export const folded = (text: string): string => text.replace(CONTROL_SEQUENCES, "").replace(UNSEEN, "").toLowerCase();

/** One form of a secret, folded. */
export interface SecretForm {
  /** What it is, as in "base64". */
  readonly name: string;
  readonly text: string;
}

/** All that a secret may look like, each once: the last 64 characters of it. Empty for a secret that is too short. */
export function formsOf(secret: string): readonly SecretForm[] {
  const forms = new Map<string, string>();
  for (const [name, encode] of Object.entries(ENCODERS)) {
    for (const form of encode(secret.toWellFormed())) {
      const text = folded(form).slice(-LONGEST_FORM);
      if (text.length >= SHORTEST_FORM && !forms.has(text)) forms.set(text, name);
    }
  }
  return [...forms].map(([text, name]) => ({ name, text }));
}

/** Its beginning and its end, which would be too much to show, too. None of a short one. */
export const piecesOf = (secret: string): readonly SecretForm[] =>
  [secret.slice(0, PIECE), secret.slice(-PIECE)]
    .map((piece) => ({ name: "a piece", text: folded(piece) }))
    .filter(({ text }) => secret.length >= PIECE * 1.5 && text.length >= SHORTEST_FORM);

/** Longer ones are images of memory, where nobody has escaped anything. In characters. */
const LONGEST_TEXT = 1024 * 1024;

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const character = (code: number): string => (code <= 0x10_ffff ? String.fromCodePoint(code) : "");

/** What programs write in place of a character or its bytes, each with what turns it back. */
const DECODERS: readonly ((text: string) => string)[] = [
  (text) => text.replace(/(?:%[0-9a-f]{2})+/gi, (all) => Buffer.from(all.replaceAll("%", ""), "hex").toString()),
  (text) =>
    text.replace(
      /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi,
      (_all, inHex?: string, decimal?: string, name?: string) => {
        if (name !== undefined) return NAMED[name.toLowerCase()] ?? "";
        return character(inHex === undefined ? Number(decimal) : Number.parseInt(inHex, 16));
      },
    ),
  (text) =>
    text.replace(
      /((?:\\x[0-9a-f]{2})+)|((?:\\[0-3][0-7]{2})+)|\\u\{([0-9a-f]{1,6})\}|\\u([0-9a-f]{4})|\\([^\w])/gi,
      (_all, bytes?: string, octal?: string, point?: string, unit?: string, itself?: string) => {
        if (bytes !== undefined) return Buffer.from(bytes.replace(/\\x/gi, ""), "hex").toString();
        if (octal !== undefined)
          return Buffer.from(
            octal
              .slice(1)
              .split("\\")
              .map((digits) => Number.parseInt(digits, 8)),
          ).toString();
        return itself ?? character(Number.parseInt(point ?? unit ?? "", 16));
      },
    ),
];

/** The text, and what one or two decodings make of it. */
export function readingsOf(text: string): readonly string[] {
  if (text.length > LONGEST_TEXT) return [text];
  const once = DECODERS.map((decode) => decode(text));
  const twice = [...new Set(once)].flatMap((reading) => DECODERS.map((decode) => decode(reading)));
  return [...new Set([text, ...once, ...twice])];
}
