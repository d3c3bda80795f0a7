/** Returns the cells of each row of the Markdown table whose first column has this heading. */
export function getTableRows(page: string, heading: string): readonly (readonly string[])[] {
  const table = page.split(`| ${heading} `)[1]?.split("\n\n")[0] ?? "";
  const rows = table.split("\n").slice(2);
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
