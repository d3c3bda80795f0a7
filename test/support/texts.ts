import { fc } from "./fuzzing.ts";

/** Pieces of text that have a special meaning to the runner, a terminal, or an encoder. */
const PIECES = [
  "::", ":", "::error::", "::add-mask::", "::set-output name=a::", "##[", "##[group]", "#", "[", "]",
  "\n", "\r", "\r\n", "\t", " ", "  ", "\u0000", "\u001b[31m", "\u0085", "\u2028", "\u2029", "\ufeff", "\u00a0",
  "\u202e", "\u2066", "\u200b", "\u{e0001}", "\ue000", "\ud83d\ude00", "\ud800", "\udc00", "%", "%0A", "%25", "+", "*",
  "***", "&", "<", ">", '"', "'", "\\", "/", "\\u0041", "&amp;", "a", "B", "0", "error", "İ", "ß", "K",
]; // prettier-ignore

/** One user-perceived character. fast-check's built-in unit "grapheme" takes up to a second to initialize. */
export const grapheme: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }),
  fc.constantFrom(..."éßİıǅΩжעش日本한√€", "e\u0301", "नि", "🇩🇪", "😀", "👩‍👩‍👧", "Ａ", "ﬁ", "\u{1d54f}"),
);

/** Text that a hostile or broken server might send. */
export const foreignText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...PIECES) },
      { weight: 1, arbitrary: fc.string({ unit: grapheme, maxLength: 12 }) },
      {
        weight: 1,
        arbitrary: fc.array(fc.nat(0xffff), { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
      },
    ),
    { maxLength: 24 },
  )
  .map((pieces) => pieces.join(""));

/** Secrets like those of service accounts, with at least 8 characters. */
export const usualSecret: fc.Arbitrary<string> = fc
  .oneof(
    fc.uuid({ version: 4 }),
    fc.base64String({ minLength: 12, maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(..."abcXYZ123 +/=&%<>\"'\\~*!()é√😀"), minLength: 8, maxLength: 24 }),
  )
  .map((text) => text.trim())
  .filter((text) => text.length >= 8);
