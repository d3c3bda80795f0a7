import assert from "node:assert/strict";

import { marked, type Token, type Tokens } from "marked";

/** One row of the summary's table, as it is read: marks of Markdown resolved. */
export interface SummaryRow {
  readonly result: string;
  readonly ms: string;
  readonly bar: string;
  readonly found: string;
}

/** A summary as GitHub would show it. */
export interface CheckSummary {
  readonly heading: string;
  /** By the text of the first column, in order. */
  readonly rows: ReadonlyMap<string, SummaryRow>;
}

/** All that a rendered summary is made of. */
const TAGS: ReadonlySet<string> = new Set(["h2", "table", "thead", "tbody", "tr", "th", "td", "code", "p", "a"]);
const OUR_LINK = "https://github.com/OWNER/scm-auth/blob/v1/docs/check.md";

/**
 * Reads a summary of the check by a renderer of GitHub Flavored Markdown. Fails unless it is a heading, one table of five
 * columns and one link of ours, and nothing in it is HTML, an image, a mention, a reference or a link of anybody's.
 */
export function readSummary(markdown: string): CheckSummary {
  const tokens = marked.lexer(markdown, { gfm: true });
  const kinds = tokens.map(({ type }) => type).filter((type) => type !== "space");
  assert.deepEqual(kinds, ["heading", "table", "paragraph"], markdown);
  const [heading, table] = tokens.filter(({ type }) => type !== "space") as [Tokens.Heading, Tokens.Table];
  assertTame(marked.parse(markdown, { gfm: true, async: false }));
  assert.deepEqual(table.header.map(readCell), ["Step", "Result", "ms", "Time line", "Found"]);
  const rows = new Map<string, SummaryRow>();
  for (const cells of table.rows) {
    assert.equal(cells.length, 5);
    const [name = "", result = "", ms = "", bar = "", found = ""] = cells.map(readCell);
    assert.ok(!rows.has(name), `two rows "${name}"`);
    rows.set(name, { result, ms, bar, found });
  }
  return { heading: readAll(heading.tokens), rows };
}

function assertTame(html: string): void {
  const tags = [...html.matchAll(/<\/?([^\s>]+)/g)].map(([, tag = ""]) => tag);
  assert.deepEqual(
    tags.filter((tag) => !TAGS.has(tag)),
    [],
  );
  assert.deepEqual(
    [...html.matchAll(/<a [^>]*>/g)].map(([link]) => link),
    [`<a href="${OUR_LINK}">`],
  );
  // In code GitHub looks for nothing. Elsewhere a name, a number or a hash becomes a link, `$` mathematics.
  const prose = html
    .replace(/<code>[^<]*<\/code>/g, "")
    .replace(/<[^>]*>/g, "")
    .replaceAll("&#39;", "'");
  assert.doesNotMatch(prose, /@|#\d|\$|\bGH-\d|:\w+:|\b[0-9a-f]{7,}\b/);
}

const readCell = ({ tokens }: Tokens.TableCell): string => readAll(tokens);

const readAll = (tokens: readonly Token[] | undefined = []): string =>
  tokens.map((token) => ("tokens" in token ? readAll(token.tokens) : readOne(token))).join("");

const readOne = (token: Token): string => ("text" in token && typeof token.text === "string" ? token.text : token.raw);
