// The parts of the page that only show. Text goes in as text nodes, never as markup.

/** An element with attributes and children; a child that is text stays text. `on…` adds a listener. */
function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== false));
    return element;
}

function button(title, onclick, attributes = {}) {
    return make("button", { type: "button", onclick, ...attributes }, title);
}

/** Paragraphs, in which backticks mark code. */
function prose(text, name = "note") {
    return String(text ?? "").split(/\n\s*\n/).filter((paragraph) => paragraph.trim()).map((paragraph) => (
        make("p", { class: name }, paragraph.split("`").map((part, index) => (
            index % 2 ? make("code", {}, part) : part)))));
}

/** JSON in lines and colours, or the text as it is. */
function codeNodes(text) {
    // A node for each piece of a long text would take seconds.
    const pieces = text.length <= 64 * 1024 ? layOut(text) : null;
    if (!pieces) return [text];
    return pieces.map(([kind, piece]) => (kind === "plain" ? piece : make("span", { class: kind }, piece)));
}

function codeBlock(text, label) {
    return make("pre", { class: "code", tabindex: "0", role: "region", "aria-label": label }, codeNodes(text));
}

function exampleText(value) {
    return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function methodBadge(method) {
    return make("span", { class: `method ${method.toLowerCase()}` }, method);
}

/** A path with its parameters set off, and where it may be broken. */
function pathNodes(path) {
    return path.split(/(\{[^}]*\}|\/)/).map((part) => {
        if (part === "/") return [part, make("wbr")];
        return part.startsWith("{") ? make("span", { class: "variable" }, part) : part;
    });
}

/** What opens on demand; `fill` makes its content then, so that endless schemas end. */
function disclosure(title, fill, { name = "more", isOpen = false } = {}) {
    const content = () => [fill()].flat(Infinity).filter(Boolean);
    const details = make("details", { class: name, open: isOpen }, make("summary", {}, title), isOpen && content());
    details.addEventListener("toggle", () => {
        if (details.open && details.childElementCount === 1) details.append(...content());
    });
    return details;
}

/** Makes what documents schemas and operations. */
class DocumentView {
    constructor(root) {
        this.root = root;
    }

    /** The type in words, as a link where the document names it. */
    type(schema) {
        const named = nameOf(schema) ?? nameOf(flatten(this.root, schema).items);
        const text = typeText(this.root, schema);
        const isLinked = named !== undefined && Object.hasOwn(this.root.components?.schemas ?? {}, named);
        return make("span", { class: "type" }, isLinked ? make("a", { href: `#schema-${named}` }, text) : text);
    }

    /** One name with its type, limits and note: a term and its definition. */
    row({ name, schema, isRequired, note }) {
        const flat = flatten(this.root, schema);
        const values = listOf(flat.enum ?? flatten(this.root, flat.items ?? {}).enum);
        return [
            make("dt", {}, make("code", {}, name)),
            make("dd", {},
                make("div", { class: "facts" }, this.type(schema),
                    limitsOf(flat).map((limit) => make("span", { class: "limit" }, limit)),
                    isRequired && make("span", { class: "need" }, "required")),
                values.length > 0 && make("div", { class: "values" },
                    values.map((value) => make("code", {}, exampleText(value)))),
                prose(note ?? flat.description),
                this.inner(flat)),
        ];
    }

    rows(list) {
        return make("dl", { class: "rows" }, list.flatMap((item) => this.row(item)));
    }

    /** What is inside a property's value. */
    inner(flat) {
        const types = [flat.type].flat();
        const items = types.includes("array") || flat.items ? flatten(this.root, flat.items ?? {}) : undefined;
        const inside = items ?? flat;
        const hasProperties = propertiesOf(inside).length > 0;
        if (!hasProperties && alternatives(inside).length === 0) return undefined;
        const title = hasProperties ? "Properties" : "Alternatives";
        return disclosure(items ? `${title} of each item` : title, () => this.shape(inside));
    }

    /** The content of a schema: its properties, its alternatives, or its one row. */
    shape(schema) {
        const flat = flatten(this.root, schema);
        const parts = [];
        const properties = propertiesOf(flat);
        if (properties.length) parts.push(this.rows(properties));
        const others = alternatives(flat);
        if (others.length) {
            parts.push(make("p", { class: "note" }, flat.oneOf ? "One of:" : "Any of:"),
                this.rows(others.map((one, index) => ({ name: nameOf(one) ?? `${index + 1}`, schema: one }))));
        }
        if (!parts.length && flat.items) return this.shape(flat.items);
        if (!parts.length) {
            parts.push(make("p", { class: "facts" }, this.type(schema),
                limitsOf(flat).map((limit) => make("span", { class: "limit" }, limit)),
                listOf(flat.enum).map((value) => make("code", {}, exampleText(value)))));
        }
        return parts;
    }

    /** Media types: the type, its schema, its examples. */
    content(content) {
        return content.map(({ type, schema, examples }) => [
            make("p", { class: "media" }, make("code", {}, type), schema && [" ", this.type(schema)]),
            schema && this.shape(schema),
            examples.map(({ name, value }) => make("figure", {},
                make("figcaption", {}, name), codeBlock(exampleText(value), name))),
        ]);
    }

    answer(answer, isOpen) {
        const title = [
            make("span", { class: `status s${String(answer.status)[0]}` }, answer.status), " ",
            make("span", {}, (answer.note ?? "").split("\n")[0]),
        ];
        return disclosure(title, () => {
            const parts = [];
            if (answer.headers.length) parts.push(make("h5", {}, "Headers"), this.rows(answer.headers));
            if (answer.content.length) parts.push(make("h5", {}, "Body"), this.content(answer.content));
            return parts.length ? parts : make("p", { class: "note" }, "No body.");
        }, { name: "answer-row", isOpen });
    }

    /** All that the document says of an operation. */
    operation(operation) {
        const places = [["path", "Path"], ["query", "Query"], ["header", "Headers"], ["cookie", "Cookies"]];
        return make("div", { class: "reference" },
            prose(operation.note),
            places.map(([place, title]) => {
                const parameters = operation.parameters.filter((parameter) => parameter.place === place);
                return parameters.length > 0 && [make("h4", {}, title), this.rows(parameters)];
            }),
            operation.body && [
                make("h4", {}, "Body", operation.body.isRequired && make("span", { class: "need" }, "required")),
                prose(operation.body.note),
                operation.body.content.slice(0, 1).map(({ type, schema }) => [
                    make("p", { class: "media" }, make("code", {}, type), schema && [" ", this.type(schema)]),
                    schema && this.shape(schema),
                ]),
            ],
            make("h4", {}, "Answers"), operation.answers.map((answer, index) => this.answer(answer, index === 0)));
    }

    schema(name, schema) {
        const id = `schema-${name}`;
        const value = exampleOf(this.root, schema);
        return make("section", { class: "schema", id, "aria-labelledby": `${id}-title` },
            make("h3", { id: `${id}-title` }, make("a", { href: `#${id}`, class: "title" }, name)),
            make("div", { class: "columns" },
                make("div", { class: "reference" },
                    prose(flatten(this.root, schema).description), this.shape(schema)),
                value !== undefined && codeBlock(exampleText(value), `Example of ${name}`)));
    }
}
