import { randomUUID } from "node:crypto";

/** A request to the API. */
export interface ApiCall {
  readonly method: string;
  /** The path and the query. */
  readonly target: string;
  /** The body, or an empty string if there is none. */
  readonly body: string;
  /** Whether the request has a valid token. */
  readonly authorized: boolean;
}

/** A response of the API with a body that is not serialized yet. */
export interface ApiResponse {
  readonly status: number;
  readonly body: object;
}

/** A configuration object, such as a tag or an address. */
export type Item = Readonly<Record<string, unknown>> & { readonly id: string };

/** Objects by ID, in order of creation. */
type Collection = Map<string, Item>;

/** The path of the tags. */
export const TAGS_PATH = "/config/objects/v1/tags";
/** The path of the addresses. */
export const ADDRESSES_PATH = "/config/objects/v1/addresses";

/** The tags of the first tenant. */
const TAGS: readonly Item[] = [
  { id: "f2a6a1f0-8d1e-4d0c-9d5b-0a9f3f1c7e11", name: "production", folder: "All", color: "Red" },
  { id: "0c4a3d52-7a2b-4a39-8b53-4f1d6b7a9e22", name: "staging", folder: "All", color: "Blue" },
];

/** Creates the tags of another tenant, so that a client can see which tenant it signed in to. */
export const createTags = (tsgId: string): readonly Item[] => [
  { id: randomUUID(), name: "production", folder: "All", color: "Red" },
  { id: randomUUID(), name: `tenant-${tsgId}`, folder: "All", color: "Green" },
];

/** The default number of objects per page. */
const DEFAULT_LIMIT = 200;

/**
 * Creates a small configuration API that responds as SCM's does. Without a valid token, it responds 401.
 *
 * @param addresses - the addresses of the tenant
 * @param tags - the tags of the tenant. Default: those of the first tenant
 */
export function createScmApi(addresses: readonly Item[] = [], tags = TAGS): (call: ApiCall) => ApiResponse {
  const collections: Readonly<Record<string, Collection>> = {
    [TAGS_PATH]: new Map(tags.map((tag) => [tag.id, tag])),
    [ADDRESSES_PATH]: new Map(addresses.map((address) => [address.id, address])),
  };
  return ({ method, target, body, authorized }) => {
    const url = new URL(target, "https://api.invalid");
    if (!authorized) return failure(401, "E016", "Authentication failed: the token is missing, unknown or expired");
    const [, path = "", id] = /^(\/config\/\w+\/v1\/[\w-]+)(?:\/([\w-]+))?$/.exec(url.pathname) ?? [];
    const collection = collections[path];
    if (!collection) return failure(404, "API_I00013", "Your configuration is not valid: no such path");
    if (id === undefined) {
      if (method === "GET") return list(collection, url.searchParams);
      if (method === "POST") return put(collection, { ...read(body), id: randomUUID() }, 201);
      return failure(405, "E003", "Method not allowed");
    }
    const item = collection.get(id);
    if (!item) return failure(404, "E005", "Object Not Present");
    if (method === "GET") return { status: 200, body: item };
    if (method === "PUT") return put(collection, { ...read(body), id }, 200);
    if (method !== "DELETE") return failure(405, "E003", "Method not allowed");
    collection.delete(id);
    return { status: 200, body: item };
  };
}

/** Returns a page of the objects in one SCM folder. */
function list(collection: Collection, query: URLSearchParams): ApiResponse {
  const folder = query.get("folder");
  if (folder === null) return failure(400, "E003", "Missing query parameter: folder");
  const offset = Number(query.get("offset") ?? 0);
  const limit = Number(query.get("limit") ?? DEFAULT_LIMIT);
  const name = query.get("name");
  const found = [...collection.values()].filter((item) => item["folder"] === folder);
  // If a name is given, the SCM API returns a single object instead of a list.
  if (name !== null) {
    const [item] = found.filter((one) => one["name"] === name);
    return item ? { status: 200, body: item } : failure(404, "E005", "Object Not Present");
  }
  const data = found.slice(offset, offset + limit);
  return { status: 200, body: { data, offset, total: found.length, limit } };
}

/** Stores a new or changed object. */
function put(collection: Collection, item: Item, status: number): ApiResponse {
  const { id, name, folder } = item;
  if (typeof name !== "string" || typeof folder !== "string")
    return failure(400, "E003", "Invalid Object: name and folder are required");
  const others = [...collection.values()].filter((one) => one.id !== id && one["folder"] === folder);
  if (others.some((one) => one["name"] === name)) return failure(409, "E006", "Name Not Unique");
  collection.set(id, item);
  return { status, body: item };
}

/** Parses the object in a body. If there is none, returns an empty object, which no collection accepts. */
function read(body: string): object {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Creates an error response in the SCM API's format. */
const failure = (status: number, code: string, message: string): ApiResponse => ({
  status,
  body: { _errors: [{ code, message, details: {} }], _request_id: randomUUID() },
});
