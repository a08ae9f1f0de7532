// What the page of /docs makes of documents and forms, without a browser. Run by DocsScriptTests, or: node docs-test.js
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { test } = require("node:test");
const { runInThisContext, Script } = require("node:vm");

const folder = join(__dirname, "../../Sources/App/REST/Docs");
const read = (name) => readFileSync(join(folder, `docs-${name}.js`), "utf8");
runInThisContext(read("model") + read("request"));

const text = { type: "string" };
const nasty = [
    "it's", "''", "$HOME `id` $(id)", "line 1\nline 2\n", "\\ \\n \"quoted\"", "-x", "@file",
    "🛒 ü", "a%b!c*?[d]{e}~",
];

test("all parts are one script without a fault of syntax", () => {
    assert.ok(new Script(["model", "request", "view", "answer", "try", "page"].map(read).join("")));
});

test("references are followed, with what stands beside them, and end", () => {
    const root = {
        a: { $ref: "#/b", description: "near" }, b: { $ref: "#/c~1d/e%20f" },
        "c/d": { "e f": { type: "x", description: "far" } },
        loop: { $ref: "#/pool" }, pool: { $ref: "#/loop" }, list: [{ type: "first" }],
    };
    assert.deepEqual(resolve(root, root.a), { type: "x", description: "near" });
    assert.deepEqual(resolve(root, { $ref: "#/list/0" }), { type: "first" });
    for (const reference of ["#/loop", "#/nowhere", "#/a/toString", "other.json#/a", "#/%", ""]) {
        assert.match(resolve(root, { $ref: reference }).description, /is not in this document/);
    }
});

test("allOf is one schema, also when it holds itself", () => {
    const root = {
        A: { allOf: [{ $ref: "#/A" }, { $ref: "#/B" }, { properties: { b: text }, required: ["b"] }] },
        B: { type: "object", properties: { a: text }, required: ["a"] },
    };
    const flat = flatten(root, { $ref: "#/A" });
    assert.deepEqual([Object.keys(flat.properties), flat.required, flat.type], [["a", "b"], ["a", "b"], "object"]);
    assert.deepEqual(flatten(root, true), {});
    assert.deepEqual(flatten(root, false), { not: {} });
});

test("examples fit their schemas, and endless schemas have finite ones", () => {
    const tree = { $ref: "#/Tree" };
    const root = {
        Tree: { type: "object", properties: { name: text, left: tree, leaves: { type: "array", items: tree } } },
        One: { oneOf: [{ $ref: "#/One" }, { type: "integer", minimum: 3 }] }, Only: { oneOf: [{ $ref: "#/Only" }] },
    };
    assert.deepEqual(exampleOf(root, tree), { name: "text", leaves: [] });
    assert.equal(exampleOf(root, { $ref: "#/One" }), 3);
    assert.equal(exampleOf(root, { $ref: "#/Only" }), undefined);
    root.Part = { type: "object", properties: { name: text, part: { allOf: [{ $ref: "#/Part" }] } } };
    assert.deepEqual(exampleOf(root, { $ref: "#/Part" }), { name: "text" });
    const cases = [
        [{ type: "string", minLength: 6 }, "text t"], [{ type: "string", maxLength: 2 }, "te"],
        [{ type: ["null", "boolean"] }, true], [{ type: "number", maximum: -2 }, -2],
        [{ type: "string", enum: ["a"], default: "d" }, "d"], [{ enum: ["a"] }, "a"], [{ const: 0 }, 0],
        [{ examples: [false] }, false], [{ type: "array" }, []], [{ type: "null" }, null], [{}, null],
    ];
    for (const [schema, value] of cases) assert.deepEqual(exampleOf({}, schema), value);
    const media = { examples: { x: { $ref: "#/e", summary: "Two" }, y: {} }, schema: text };
    assert.deepEqual(examplesOf({ e: { value: 2 } }, media), [{ name: "Two", value: 2 }]);
});

test("schemas that hold each other in every way take no time", () => {
    const names = Array.from({ length: 40 }, (_, index) => `S${index}`);
    const all = names.map((name) => ({ $ref: `#/${name}` }));
    const properties = Object.fromEntries(names.map((name, index) => [name, all[index]]));
    const shapes = [{ type: "object", properties }, { allOf: all }, { oneOf: all }, { type: "array", items: all[1] }];
    for (const shape of shapes) {
        const root = Object.fromEntries(names.map((name) => [name, shape]));
        exampleOf(root, all[0]);
        assert.ok(typeText(root, all[0]).length < 1000);
    }
});

test("types and limits are said in words", () => {
    const todo = { $ref: "#/components/schemas/Todo" };
    const loop = { $ref: "#/components/schemas/Loop" };
    const root = { components: { schemas: { Todo: { type: "object" }, Loop: { type: "array", items: loop } } } };
    const types = [
        [{ type: ["string", "null"] }, "string or null"], [{ type: "array", items: todo }, "array of Todo"],
        [{ anyOf: [todo, { type: "null" }] }, "Todo or null"], [{ type: "string", format: "date" }, "string · date"],
        [{ enum: ["a", 1, null] }, "string or number or null"], [{}, "any"],
        [loop, "array of array of array of array of array"],
    ];
    for (const [schema, words] of types) assert.equal(typeText(root, schema), words);
    const limits = [
        [{ minLength: 1, maxLength: 80 }, "1 to 80 characters"], [{ minLength: 1 }, "at least 1 character"],
        [{ maxItems: 2 }, "at most 2 items"], [{ minimum: 1, maximum: 9 }, "1 to 9"], [{ minimum: 0 }, "≥ 0"],
        [{ exclusiveMinimum: 0 }, "> 0"], [{ pattern: "^a$" }, "matches ^a$"], [{ default: null }, "default null"],
        [{ additionalProperties: false }, "no other properties"],
        [JSON.parse('{"format":"int64","minimum":1,"maximum":9223372036854775807}'), "≥ 1"],
    ];
    for (const [schema, words] of limits) assert.deepEqual(limitsOf(schema), [words]);
});

test("operations come in the order of the document, with the parameters of their paths", () => {
    const bearer = { type: "http", scheme: "Bearer" };
    const root = {
        tags: [{ name: "z" }, { name: "empty" }], security: [{ token: [] }],
        components: {
            securitySchemes: { token: bearer, other: { type: "apiKey" } },
            parameters: { id: { name: "id", in: "path", schema: text } },
        },
        paths: { "/a/{id}": {
            parameters: [{ $ref: "#/components/parameters/id" }, { name: "q", in: "query", description: "outer" }],
            delete: { tags: ["a"], security: [] },
            get: {
                operationId: "get-a", tags: ["z"], parameters: [{ name: "q", in: "query", description: "inner" }],
                responses: { default: {}, 200: { content: { "text/plain": {}, "application/json": { schema: text } } } },
            },
        } },
    };
    const [get, remove] = operationsOf(root);
    assert.deepEqual([get.id, get.method, get.takesToken], ["get-a", "GET", true]);
    assert.deepEqual([remove.id, remove.takesToken], ["delete-a-id", false]);
    assert.deepEqual(get.parameters.map(({ name, place, note, isRequired }) => [name, place, note, isRequired]),
        [["id", "path", undefined, true], ["q", "query", "inner", false]]);
    assert.deepEqual(get.answers.map(({ status }) => status), ["200", "default"]);
    assert.deepEqual(get.answers[0].content.map(({ type }) => type), ["application/json", "text/plain"]);
    assert.deepEqual(groupsOf(root, [get, remove]).map(({ name }) => name), ["z", "a"]);
    assert.deepEqual(operationsOf({}), []);
});

const operation = { method: "PUT", path: "/a/{id}/{id2}", parameters: [
    { name: "id", place: "path", isRequired: true }, { name: "id2", place: "path", isRequired: true },
    { name: "q&", place: "query" }, { name: "list", place: "query", isList: true, isExploded: true },
    { name: "If-Match", place: "header" },
] };
const filled = (more) => new Map(Object.entries({ "path id": "1", "path id2": "2", ...more }));

test("values are percent-encoded, and empty ones left out", () => {
    const values = filled({ "path id": "{id2}/ü?#%", "query q&": "a b&c=d+e", "query list": "1, 2" });
    const request = makeRequest(operation, values, { text: "{}", type: "application/json" }, "http://x");
    assert.equal(request.url, "http://x/a/%7Bid2%7D%2F%C3%BC%3F%23%25/2?q%26=a%20b%26c%3Dd%2Be&list=1&list=2");
    assert.deepEqual([request.headers, request.body], [[["Content-Type", "application/json"]], "{}"]);
    const bare = makeRequest(operation, filled({}), { text: "", type: "application/json" }, "");
    assert.deepEqual([bare.url, bare.headers, bare.body, bare.hasDots], ["/a/1/2", [], undefined, false]);
});

test("what cannot be sent is said, with its field", () => {
    const fault = (values) => {
        try {
            makeRequest(operation, filled(values), undefined, "");
        } catch (fault) {
            return fault instanceof RequestFault && fault.field;
        }
        return "none";
    };
    assert.equal(fault({ "path id2": "" }), "path id2");
    assert.equal(fault({ "path id": "\ud800" }), "path id");
    assert.equal(fault({ "header If-Match": "a\r\nb: c" }), "header If-Match");
    assert.equal(fault({ "header If-Match": "ü" }), "header If-Match");
    assert.equal(fault({}), "none");
    for (const [id, hasDots] of [[".", true], ["..", true], ["...", false], ["%2e.", false]]) {
        assert.equal(makeRequest(operation, filled({ "path id": id }), undefined, "").hasDots, hasDots);
    }
});

test("a shell gives curl the very texts", () => {
    const words = (command) => execFileSync("/bin/sh", ["-c", `curl() { printf '%s\\0' "$@"; }\n${command}`],
        { encoding: "utf8", env: { TOKEN: "se cret" } }).split("\0").slice(0, -1);
    for (const value of nasty) {
        const request = {
            method: "PUT", url: `http://x/${value}`, headers: [["If-Match", value]], body: value, takesToken: true,
        };
        assert.deepEqual(words(curlCommand(request)), [
            "-X", "PUT", `http://x/${value}`, "-H", "Authorization: Bearer se cret", "-H", `If-Match: ${value}`,
            "--data-raw", value,
        ]);
    }
    const dots = { method: "GET", url: "http://x/..", headers: [], hasDots: true };
    assert.deepEqual(words(curlCommand(dots)), ["--path-as-is", "http://x/.."]);
    assert.deepEqual(words(curlCommand({ method: "HEAD", url: "u", headers: [] })), ["--head", "u"]);
});

test("JSON is laid out without changing it", () => {
    const long = '{"b":12345678901234567890.10,"a":[],"b2":{},"c":[1,{"d":null}],"e":"{\\"x\\":[,]}","f":true}';
    const pieces = layOut(long);
    assert.equal(pieces.map(([, piece]) => piece).join(""), `{
  "b": 12345678901234567890.10,
  "a": [],
  "b2": {},
  "c": [
    1,
    {
      "d": null
    }
  ],
  "e": "{\\"x\\":[,]}",
  "f": true
}`);
    assert.deepEqual(new Set(pieces.map(([kind]) => kind)), new Set(["plain", "key", "number", "word", "string"]));
    for (const value of nasty) {
        const shown = layOut(JSON.stringify([value])).map(([, piece]) => piece).join("");
        assert.deepEqual(JSON.parse(shown), [value]);
    }
    const deep = "[".repeat(5000) + "]".repeat(5000);
    for (const wrong of ["", "{", "<html>", "[1,]", deep]) assert.equal(layOut(wrong), null);
});
