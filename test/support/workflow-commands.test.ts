import assert from "node:assert/strict";
import { test } from "node:test";
import { makeRunnerMasks } from "./runner-masks.ts";
import { linesOf, obey, parseCommand, type WorkflowCommand } from "./workflow-commands.ts";

const command = (name: string, data: string, properties: WorkflowCommand["properties"] = {}): WorkflowCommand => ({
  name,
  properties,
  data,
});

const commands: readonly (readonly [line: string, parsed: WorkflowCommand | undefined])[] = [
  ["::error::it failed", command("error", "it failed")],
  ["  \t::error::after white space", command("error", "after white space")],
  ["x ::error::not at the start", undefined],
  ["::unknown::text", undefined],
  ["::error no end", undefined],
  ["::ERROR::in capitals", command("error", "in capitals")],
  ["::error title=a,line=1::b", command("error", "b", { title: "a", line: "1" })],
  ["::error title=,line::b", command("error", "b")],
  ["::error title=a%3Ab%2Cc%0Ad%25::b", command("error", "b", { title: "a:b,c\nd%" })],
  ["::error::a%0Ab%0Dc%25d%3A", command("error", "a\nb\rc%d%3A")],
  ["::error::%250A", command("error", "%0A")],
  ["::error::a::b", command("error", "a::b")],
  ["text before ##[error]the rest", command("error", "the rest")],
  ["##[error a=b;c=d%5D%3B]e%0Af", command("error", "e\nf", { a: "b", c: "d];" })],
  ["##[unknown]text", undefined],
  ["##[error", undefined],
  ["::unknown::##[warning]the second form counts", command("warning", "the second form counts")],
];
for (const [line, parsed] of commands) {
  test(`${JSON.stringify(line)} is ${parsed ? `the command ${parsed.name}` : "text"}`, () => {
    assert.deepEqual(parseCommand(line), parsed);
  });
}

const read = (output: string, debug = false) => obey(linesOf(output), makeRunnerMasks(), debug);

test("every line end ends a line, so none can hide a command", () => {
  assert.deepEqual(linesOf("a\r\nb\rc\nd\n"), ["a", "b", "c", "d"]);
  assert.deepEqual(linesOf("a\n\n"), ["a", ""]);
  assert.deepEqual(linesOf(""), []);
});

test("the log shows errors, warnings, notices and groups, and hides masks and debug messages", () => {
  const { lines, annotations } = read(
    "hello\n::add-mask::hunter22\n::group::g\n::error title=t::e\n::endgroup::\n::warning::w\n::notice::n\n::debug::d\n",
  );
  assert.deepEqual(lines, ["hello", "##[group]g", "Error: e", "##[endgroup]", "Warning: w", "Notice: n"]);
  assert.deepEqual(annotations, [
    { level: "error", title: "t", message: "e" },
    { level: "warning", title: undefined, message: "w" },
    { level: "notice", title: undefined, message: "n" },
  ]);
});

test("with debug logging the log shows debug messages", () => {
  assert.deepEqual(read("::debug::a%0Ab", true).lines, ["##[debug]a", "##[debug]b"]);
});

test("a mask hides what comes after it and not what came before", () => {
  const { lines, annotations } = read("hunter22\n::add-mask::hunter22\nhunter22!\n::error::x hunter22");
  assert.deepEqual(lines, ["hunter22", "***!", "Error: x ***"]);
  assert.equal(annotations[0]?.message, "x ***");
});

test("a title is not masked", () => {
  assert.equal(read("::add-mask::hunter22\n::error title=hunter22::x").annotations[0]?.title, "hunter22");
});

test("an empty mask is warned of", () => {
  assert.match(read("::add-mask:: ").lines[0] ?? "", /^Warning: Can't add secret mask/);
});

test("stopped commands are text until the token comes, and the token is masked", () => {
  const { lines } = read("::stop-commands::resume-me\n::error::text\n##[error]text\n::resume-me::\n::error::obeyed");
  assert.deepEqual(lines, ["::stop-commands::***", "::error::text", "##[error]text", "::***::", "Error: obeyed"]);
});

test("the old commands set outputs and state, and those that are switched off fail", () => {
  const { outputs, state, annotations } = read("::set-output name=a::b\n::save-state name=c::d\n::set-env name=e::f");
  assert.deepEqual([outputs, state], [{ a: "b" }, { c: "d" }]);
  assert.match(annotations[0]?.message ?? "", /^Unable to process command/);
});
