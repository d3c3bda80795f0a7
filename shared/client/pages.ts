import { createHash } from "node:crypto";
import { ApiError } from "./api-error.ts";

/** One page of a list, as the SCM API writes it: `data` with `offset`, `limit` and `total` beside it. */
interface Page<T> {
  readonly data: readonly T[];
  readonly total: number | undefined;
}

/**
 * The items of a list, page after page: the offset grows by the items received, up to `total`, or to an empty page
 * where there is none. A bare array is the whole list.
 *
 * A page that came before ends the walk with an error, whether there is a total or not: the server does not heed
 * the offset, and its answers would go on for ever, or up to the total with every item given twice.
 *
 * @param start - the first offset
 * @param ask - gets the JSON body of the page at an offset; undefined for the first page, whose offset is the caller's
 * @throws ApiError for what is no list and for a page that came before, and what `ask` throws
 */
export async function* walkPages<T>(
  start: number,
  ask: (offset: number | undefined) => Promise<unknown>,
): AsyncGenerator<T, void, undefined> {
  const seen = new Set<string>();
  for (let received = 0; ;) {
    const body = await ask(received === 0 ? undefined : start + received);
    if (Array.isArray(body)) {
      yield* body as T[];
      return;
    }
    const { data, total } = asPage<T>(body);
    if (data.length === 0) return;
    const page = createHash("sha256").update(JSON.stringify(data)).digest("base64");
    if (seen.has(page)) {
      throw new ApiError(
        "the API gave a page of the list that it had given before: it does not heed the offset, so the list has no end.",
        { status: 200 },
      );
    }
    seen.add(page);
    yield* data;
    received += data.length;
    if (total !== undefined && start + received >= total) return;
  }
}

function asPage<T>(page: unknown): Page<T> {
  const { data, total } = (page ?? {}) as { readonly data?: unknown; readonly total?: unknown };
  if (!Array.isArray(data)) throw new ApiError("the API's answer is no list: it has no data.", { status: 200 });
  return { data: data as T[], total: typeof total === "number" ? total : undefined };
}
