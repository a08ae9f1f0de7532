// The page: what the document says, in order, and ways to find it.

class Page {
    constructor(root) {
        this.root = root;
        this.session = new Session(root);
        this.view = new DocumentView(root);
        this.groups = groupsOf(root, operationsOf(root));
        this.schemas = Object.entries(root.components?.schemas ?? {});
        this.links = [];
    }

    show() {
        const { title = "API", version = "" } = this.root.info ?? {};
        document.title = title;
        byID("title").textContent = title;
        byID("version").textContent = version;
        const main = byID("main");
        main.append(this.intro(title), ...this.groups.map((group) => this.group(group)));
        if (this.schemas.length) {
            main.append(make("h2", { id: "page-schemas" }, "Schemas"),
                ...this.schemas.map(([name, schema]) => this.view.schema(name, schema)));
        }
        byID("list").append(...this.navigation());
        this.connect();
        this.goToHash();
    }

    intro(title) {
        const info = this.root.info ?? {};
        return make("section", { class: "intro", id: "page-top", "aria-label": "Overview" },
            make("h1", {}, title), prose(info.summary), prose(info.description),
            make("dl", { class: "headers" },
                make("dt", {}, "Requests go to"), make("dd", {}, this.session.base),
                make("dt", {}, "Described by"), make("dd", {},
                    make("a", { href: "/openapi.json" }, "/openapi.json"), `, OpenAPI ${this.root.openapi ?? ""}`),
                info.license && [make("dt", {}, "Licence"), make("dd", {}, info.license.name)]),
            this.tokenField());
    }

    tokenField() {
        const [name] = bearerSchemes(this.root);
        if (name === undefined) return undefined;
        const scheme = resolve(this.root, this.root.components.securitySchemes[name]);
        // A form, as browsers ask of such fields; there is nothing to submit.
        const attributes = { class: "field token", autocomplete: "off", onsubmit: (event) => event.preventDefault() };
        return make("form", attributes,
            make("label", { for: "page-token" }, "Bearer token"),
            make("input", {
                id: "page-token", type: "password", autocomplete: "off", spellcheck: "false",
                oninput: (event) => this.session.set({ token: event.target.value.trim() }),
            }),
            prose(scheme.description),
            make("p", { class: "note" }, "Kept in this page's memory, until it is closed."));
    }

    group(group) {
        return make("section", { "aria-label": group.name },
            make("h2", {}, group.name), prose(group.description),
            group.operations.map((operation) => this.operation(operation)));
    }

    operation(operation) {
        const titleID = `${operation.id}-title`;
        return make("section", { class: "operation", id: operation.id, "aria-labelledby": titleID },
            make("h3", { id: titleID }, make("a", { href: `#${operation.id}`, class: "title" }, operation.summary),
                operation.isDeprecated && make("span", { class: "need" }, "deprecated")),
            make("p", { class: "line" }, methodBadge(operation.method), make("code", {}, pathNodes(operation.path)),
                make("span", { class: "id" }, operation.id)),
            make("div", { class: "columns" },
                this.view.operation(operation), new TryPanel(this.root, operation, this.session).element));
    }

    navigation() {
        const link = (id, words, ...children) => {
            const anchor = make("a", { href: `#${id}`, onclick: () => this.openMenu(false) }, children);
            const item = make("li", {}, anchor);
            this.links.push({ id, item, anchor, words: words.join(" ").toLowerCase() });
            return item;
        };
        const list = (title, items) => (
            make("div", { class: "group" }, make("h2", {}, title), make("ul", {}, items)));
        const lists = this.groups.map((group) => list(group.name, group.operations.map((operation) => link(
            operation.id, [operation.id, operation.method, operation.path, operation.summary, group.name],
            methodBadge(operation.method), make("span", { class: "name" }, operation.id)))));
        if (this.schemas.length) {
            lists.push(list("Schemas", this.schemas.map(([name]) => (
                link(`schema-${name}`, [name, "schema"], make("span", { class: "name" }, name))))));
        }
        this.nothing = make("p", { class: "note", hidden: true }, "Nothing has these words.");
        return [...lists, this.nothing];
    }

    /** Listens to the filter, the keys, and to where the reader is. */
    connect() {
        const filter = byID("filter");
        filter.addEventListener("input", () => this.filter(filter.value));
        filter.addEventListener("keydown", (event) => {
            if (event.key === "Enter") this.links.find(({ item }) => !item.hidden)?.anchor.click();
        });
        document.addEventListener("keydown", (event) => {
            if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
            event.preventDefault();
            this.openMenu(true);
            filter.focus();
        });
        byID("menu").addEventListener("click", () => this.openMenu(!byID("nav").classList.contains("open")));
        addEventListener("hashchange", () => this.goToHash());
        const seen = new IntersectionObserver((entries) => {
            for (const { target, isIntersecting } of entries) {
                if (isIntersecting) this.mark(target.id);
            }
        }, { rootMargin: "-20% 0px -75% 0px" });
        for (const section of document.querySelectorAll(".operation, .schema")) seen.observe(section);
    }

    filter(text) {
        const words = text.toLowerCase().split(/\s+/).filter(Boolean);
        for (const link of this.links) link.item.hidden = !words.every((word) => link.words.includes(word));
        for (const group of byID("list").querySelectorAll(".group")) {
            group.hidden = !group.querySelector("li:not([hidden])");
        }
        this.nothing.hidden = this.links.some(({ item }) => !item.hidden);
    }

    openMenu(isOpen) {
        byID("nav").classList.toggle("open", isOpen);
        byID("menu").setAttribute("aria-expanded", String(isOpen));
    }

    mark(id) {
        for (const link of this.links) {
            if (link.id === id) link.anchor.setAttribute("aria-current", "true");
            else link.anchor.removeAttribute("aria-current");
        }
        this.links.find((link) => link.id === id)?.anchor.scrollIntoView({ block: "nearest" });
    }

    /** The place that the URL names; it was made after the browser looked for it. */
    goToHash() {
        let id = location.hash.slice(1);
        try {
            id = decodeURIComponent(id);
        } catch {}
        document.getElementById(id)?.scrollIntoView();
    }
}

function byID(name) {
    return document.getElementById(`page-${name}`);
}

new Page(JSON.parse(byID("document").textContent)).show();
