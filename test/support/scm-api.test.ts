import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ADDRESSES_PATH, makeScmApi, TAGS_PATH } from "./scm-api.ts";

describe("The fake API", () => {
  const tag = { name: "edge", folder: "Shared", color: "Red" };
  const open = () => {
    const answer = makeScmApi();
    return (method: string, target: string, content?: object) => {
      const body = content === undefined ? "" : JSON.stringify(content);
      const { status, body: got } = answer({ method, target, body, authorised: true });
      return { status, body: got as Readonly<Record<string, unknown>> };
    };
  };
  const codeOf = (body: object): unknown => (body as { _errors: readonly { code: string }[] })._errors[0]?.code;

  test("keeps what is put into it, and forgets what is taken away", () => {
    const ask = open();
    const made = ask("POST", TAGS_PATH, tag);
    assert.equal(made.status, 201);
    const id = String(made.body["id"]);
    const path = `${TAGS_PATH}/${id}`;
    assert.deepEqual(ask("GET", path), { status: 200, body: { ...tag, id } });
    assert.deepEqual(ask("PUT", path, { ...tag, color: "Blue" }).body, { ...tag, color: "Blue", id });
    assert.deepEqual(ask("GET", path).body["color"], "Blue");
    assert.equal(ask("DELETE", path).status, 200);
    assert.equal(ask("GET", path).status, 404);
  });

  test("lists one folder of one collection, page by page, or the one item of a name", () => {
    const ask = open();
    for (const name of ["a", "b", "c"]) ask("POST", ADDRESSES_PATH, { name, folder: "Shared", fqdn: `${name}.test` });
    const names = (query: string): unknown =>
      (ask("GET", `${ADDRESSES_PATH}?${query}`).body["data"] as readonly { name: string }[]).map(({ name }) => name);
    assert.deepEqual(names("folder=Shared"), ["a", "b", "c"]);
    assert.deepEqual(names("folder=Shared&offset=1&limit=1"), ["b"]);
    assert.deepEqual(names("folder=All"), []);
    assert.equal(ask("GET", `${ADDRESSES_PATH}?folder=Shared&limit=1`).body["total"], 3);
    assert.equal(ask("GET", `${ADDRESSES_PATH}?folder=Shared&name=b`).body["fqdn"], "b.test");
    assert.equal(ask("GET", `${ADDRESSES_PATH}?folder=Shared&name=d`).status, 404);
  });

  test("refuses with SCM's statuses and codes", () => {
    const ask = open();
    ask("POST", TAGS_PATH, tag);
    const refusals = [
      [ask("POST", TAGS_PATH, tag), 409, "E006"],
      [ask("POST", TAGS_PATH, { name: "without a folder" }), 400, "E003"],
      [ask("POST", TAGS_PATH), 400, "E003"],
      [ask("GET", TAGS_PATH), 400, "E003"],
      [ask("PATCH", TAGS_PATH), 405, "E003"],
      [ask("DELETE", `${TAGS_PATH}/none`), 404, "E005"],
      [ask("GET", "/config/objects/v1/unknown?folder=All"), 404, "API_I00013"],
    ] as const;
    for (const [{ status, body }, expected, code] of refusals)
      assert.deepEqual([status, codeOf(body)], [expected, code]);
    const { status, body } = makeScmApi()({ method: "GET", target: TAGS_PATH, body: "", authorised: false });
    assert.deepEqual([status, codeOf(body)], [401, "E016"]);
  });

  test("is another one for each server", () => {
    const [one, other] = [open(), open()];
    one("POST", TAGS_PATH, tag);
    assert.equal(other("GET", `${TAGS_PATH}?folder=Shared`).body["total"], 0);
  });
});
