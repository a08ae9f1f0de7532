"use strict";

// What an OpenAPI 3.1 document says, in the form in which the page shows it. Nothing here needs a browser.

const httpMethods = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value) {
    return Array.isArray(value) ? value : [];
}

/** What a reference within the document points at; undefined: nothing. */
function lookUp(root, reference) {
    if (!reference.startsWith("#")) return undefined;
    let place = root;
    try {
        for (const part of decodeURIComponent(reference.slice(1)).split("/").slice(1)) {
            const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
            if (typeof place !== "object" || place === null || !Object.hasOwn(place, key)) return undefined;
            place = place[key];
        }
    } catch {
        return undefined;  // No percent-encoding.
    }
    return place;
}

/** `value`, or what it refers to, with what stands beside the reference. References that end nowhere say so. */
function resolve(root, value, followed = new Set()) {
    const passed = new Set();
    let beside = {};
    while (isObject(value) && typeof value.$ref === "string") {
        const { $ref, ...own } = value;
        beside = { ...own, ...beside };
        const target = passed.has($ref) ? undefined : lookUp(root, $ref);
        if (target === undefined) return { description: `${$ref} is not in this document.`, ...beside };
        passed.add($ref);
        followed.add($ref);
        value = target;
    }
    return isObject(value) ? { ...value, ...beside } : value;
}

/** The last part of a schema's reference, if it is one. */
function nameOf(schema) {
    return typeof schema?.$ref === "string" ? schema.$ref.split("/").pop().replaceAll("~1", "/") : undefined;
}

/**
 * A schema without references at its top, and with the parts of `allOf` in one. The references that were followed are
 * added to `followed`; each part is taken once, so that schemas that are parts of themselves end.
 */
function flatten(root, schema, followed = new Set()) {
    const flat = resolve(root, schema, followed);
    if (!isObject(flat)) return flat === false ? { not: {} } : {};
    if (!Array.isArray(flat.allOf)) return flat;
    const { allOf, ...own } = flat;
    const pieces = allOf.filter((part) => !followed.has(part?.$ref)).map((part) => flatten(root, part, followed));
    const merged = {};
    for (const piece of [...pieces, own]) {
        Object.assign(merged, piece, {
            properties: { ...merged.properties, ...piece.properties },
            required: [...listOf(merged.required), ...listOf(piece.required)],
        });
    }
    return merged;
}

/** The alternatives of a schema; none when it is one shape. */
function alternatives(flat) {
    return [...listOf(flat.oneOf), ...listOf(flat.anyOf)];
}

/** A schema's type in words: `string or null`, `array of Todo`. */
function typeText(root, schema, depth = 0) {
    const flat = flatten(root, schema);
    const types = [flat.type ?? []].flat().filter((type) => type !== "array");
    const words = types.map((type) => (type === "object" && nameOf(schema)) || flat.title || type);
    if ([flat.type].flat().includes("array") || (!flat.type && flat.items)) {
        words.unshift(depth < 4 && flat.items ? `array of ${typeText(root, flat.items, depth + 1)}` : "array");
    }
    if (!words.length && depth > 0 && nameOf(schema) !== undefined) words.push(nameOf(schema));
    if (!words.length) {
        words.push(...alternatives(flat).map((one) => typeText(root, one, depth + 1)));
    }
    if (!words.length) words.push(...listOf(flat.enum).map((value) => (value === null ? "null" : typeof value)));
    if (!words.length) words.push(nameOf(schema) ?? (flat.properties ? "object" : "any"));
    const text = [...new Set(words)].join(" or ");
    return flat.format ? `${text} · ${flat.format}` : text;
}

/** `1 to 80 characters`, `at least 1 item`; undefined: no bounds. */
function rangeText(low, high, unit = "") {
    const counted = (count) => `${count}${unit && ` ${unit}${count === 1 ? "" : "s"}`}`;
    if (low !== undefined && high !== undefined) return low === high ? counted(low) : `${low} to ${counted(high)}`;
    if (low !== undefined) return unit ? `at least ${counted(low)}` : `≥ ${low}`;
    return high === undefined ? undefined : unit ? `at most ${counted(high)}` : `≤ ${high}`;
}

/** What a schema asks of a value besides its type, each in words. */
function limitsOf(flat) {
    // What the format says already; numbers here have not enough digits for it.
    const isImplied = (bound) => flat.format === "int64" && Math.abs(bound) >= 2 ** 63;
    const [low, high] = [flat.minimum, flat.maximum].map((bound) => (isImplied(bound) ? undefined : bound));
    const limits = [
        rangeText(low, high),
        flat.exclusiveMinimum !== undefined && `> ${flat.exclusiveMinimum}`,
        flat.exclusiveMaximum !== undefined && `< ${flat.exclusiveMaximum}`,
        flat.multipleOf !== undefined && `multiple of ${flat.multipleOf}`,
        rangeText(flat.minLength, flat.maxLength, "character"),
        rangeText(flat.minItems, flat.maxItems, "item"),
        flat.uniqueItems && "all different",
        flat.pattern !== undefined && `matches ${flat.pattern}`,
        flat.const !== undefined && `always ${JSON.stringify(flat.const)}`,
        flat.default !== undefined && `default ${JSON.stringify(flat.default)}`,
        flat.additionalProperties === false && "no other properties",
        flat.readOnly && "read only",
        flat.writeOnly && "write only",
        flat.deprecated && "deprecated",
    ];
    return limits.filter(Boolean);
}

/** The properties that a value may have, with those that a map's names stand for. */
function propertiesOf(flat) {
    const required = new Set(listOf(flat.required));
    const properties = Object.entries(flat.properties ?? {}).map(([name, schema]) => (
        { name, schema, isRequired: required.has(name) }));
    if (isObject(flat.additionalProperties)) properties.push({ name: "*", schema: flat.additionalProperties });
    return properties;
}

/**
 * A value that fits the schema, from its own examples where it has some. Undefined: only endless ones would.
 *
 * `outer` are the references that this stands within. The budget is for schemas that hold each other in so many ways
 * that all of them would take for ever.
 */
function exampleOf(root, schema, outer = new Set(), budget = { left: 1000 }) {
    budget.left -= 1;
    const followed = new Set();
    const flat = flatten(root, schema, followed);
    if (budget.left < 0 || [...followed].some((reference) => outer.has(reference))) return undefined;
    const within = new Set([...outer, ...followed]);
    for (const given of [flat.example, listOf(flat.examples)[0], flat.const, flat.default, listOf(flat.enum)[0]]) {
        if (given !== undefined) return given;
    }
    const type = [flat.type].flat().find((type) => type !== "null") ?? (flat.properties ? "object" : undefined);
    switch (type) {
        case "object": {
            const members = propertiesOf(flat).filter((property) => property.name !== "*")
                .map(({ name, schema }) => [name, exampleOf(root, schema, within, budget)]);
            return Object.fromEntries(members.filter(([, value]) => value !== undefined));
        }
        case "array": {
            const item = flat.items === undefined ? undefined : exampleOf(root, flat.items, within, budget);
            return item === undefined ? [] : [item];
        }
        case "string": return stringExample(flat);
        case "integer":
        case "number": return flat.minimum ?? Math.min(0, flat.maximum ?? 0);
        case "boolean": return true;
    }
    for (const one of alternatives(flat)) {
        const value = exampleOf(root, one, within, budget);
        if (value !== undefined) return value;
    }
    return alternatives(flat).length ? undefined : null;
}

function stringExample(flat) {
    const formats = {
        "date-time": "2026-01-02T03:04:05.678Z", date: "2026-01-02", time: "03:04:05Z", email: "someone@example.org",
        uuid: "00000000-0000-4000-8000-000000000000", uri: "urn:example:text", ipv4: "192.0.2.1", ipv6: "2001:db8::1",
    };
    const text = formats[flat.format] ?? "text".padEnd(Math.min(flat.minLength ?? 0, 1000), " text");
    return text.slice(0, Math.max(flat.maxLength ?? text.length, 0));
}

/** The examples of a media type or parameter; where there are none, one that is made from the schema. */
function examplesOf(root, holder) {
    if (holder.example !== undefined) return [{ name: "Example", value: holder.example }];
    const named = Object.entries(isObject(holder.examples) ? holder.examples : {})
        .map(([name, example]) => [name, resolve(root, example)]).filter(([, example]) => example?.value !== undefined)
        .map(([name, example]) => ({ name: example.summary ?? name, value: example.value }));
    if (named.length || holder.schema === undefined) return named;
    const value = exampleOf(root, holder.schema);
    return value === undefined ? [] : [{ name: "Example", value }];
}

/** Media types with their schemas and examples; JSON first. */
function contentOf(root, content) {
    return Object.entries(content ?? {})
        .map(([type, media]) => ({ type, schema: media.schema, examples: examplesOf(root, media) }))
        .sort((one, other) => /json/.test(other.type) - /json/.test(one.type));
}

function parameterOf(root, raw) {
    const parameter = resolve(root, raw);
    const schema = parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema ?? {};
    const flat = flatten(root, schema);
    const given = parameter.example ?? examplesOf(root, { examples: parameter.examples })[0]?.value
        ?? flat.example ?? listOf(flat.examples)[0];
    return {
        name: parameter.name, place: parameter.in, schema, example: given, note: parameter.description,
        isRequired: parameter.required === true || parameter.in === "path",
        isList: [flat.type].flat().includes("array"), isExploded: parameter.explode !== false,
    };
}

function answerOf(root, status, raw) {
    const answer = resolve(root, raw);
    const headers = Object.entries(answer.headers ?? {}).map(([name, header]) => {
        const { schema, description, required } = resolve(root, header);
        return { name, schema: schema ?? {}, note: description, isRequired: required === true };
    });
    return { status, note: answer.description, headers, content: contentOf(root, answer.content) };
}

/** Names of the security schemes that are bearer tokens. */
function bearerSchemes(root) {
    const schemes = Object.entries(root.components?.securitySchemes ?? {});
    return schemes.filter(([, raw]) => {
        const scheme = resolve(root, raw);
        return scheme?.type === "http" && String(scheme.scheme).toLowerCase() === "bearer";
    }).map(([name]) => name);
}

/** All operations of the document, in its order. */
function operationsOf(root) {
    const schemes = bearerSchemes(root);
    const operations = [];
    for (const [path, raw] of Object.entries(root.paths ?? {})) {
        const item = resolve(root, raw);
        for (const method of httpMethods) {
            if (!isObject(item?.[method])) continue;
            const own = item[method];
            const parameters = new Map();
            for (const parameter of [...listOf(item.parameters), ...listOf(own.parameters)]) {
                const read = parameterOf(root, parameter);
                if (read.name !== undefined) parameters.set(`${read.place} ${read.name}`, read);
            }
            const body = own.requestBody && resolve(root, own.requestBody);
            operations.push({
                id: own.operationId ?? `${method}-${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "")}`,
                method: method.toUpperCase(), path, tag: listOf(own.tags)[0] ?? "other", summary: own.summary ?? path,
                note: own.description, isDeprecated: own.deprecated === true, parameters: [...parameters.values()],
                body: body && {
                    note: body.description, isRequired: body.required === true, content: contentOf(root, body.content),
                },
                answers: Object.entries(own.responses ?? {}).map(([status, answer]) => answerOf(root, status, answer)),
                takesToken: listOf(own.security ?? root.security)
                    .some((need) => Object.keys(need).some((name) => schemes.includes(name))),
            });
        }
    }
    return operations;
}

/** The operations by tag: the document's order of tags, then that of the operations. */
function groupsOf(root, operations) {
    const groups = new Map(listOf(root.tags).map((tag) => [tag.name, { ...tag, operations: [] }]));
    for (const operation of operations) {
        if (!groups.has(operation.tag)) groups.set(operation.tag, { name: operation.tag, operations: [] });
        groups.get(operation.tag).operations.push(operation);
    }
    return [...groups.values()].filter((group) => group.operations.length);
}
