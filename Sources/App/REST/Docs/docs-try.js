// Sending a request from the page.

/** What the operations of the page share. Tells with `change` that the token or the entity tag is another. */
class Session extends EventTarget {
    /** Kept in memory only. */
    token = "";
    /** Of the last answer that had one: `{ tag, source }`. */
    entityTag = undefined;

    constructor(root) {
        super();
        // Of another host's path nothing is known here, and the page may connect to its own node only.
        let server = new URL("/", location.href);
        try {
            server = new URL(root.servers?.[0]?.url ?? "/", location.href);
        } catch {}
        this.base = location.origin + (server.origin === location.origin ? server.pathname.replace(/\/$/, "") : "");
    }

    set(changes) {
        Object.assign(this, changes);
        this.dispatchEvent(new Event("change"));
    }
}

async function copyText(text, button) {
    let isCopied = true;
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // Without TLS browsers have no clipboard but on localhost.
        const area = make("textarea", { class: "unseen", "aria-hidden": "true" });
        area.value = text;
        document.body.append(area);
        area.select();
        isCopied = document.execCommand("copy");
        area.remove();
        button.focus();
    }
    const label = button.dataset.label ??= button.textContent;
    button.textContent = isCopied ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = label; }, 1500);
}

/** The form of one operation and its last answer. */
class TryPanel {
    constructor(root, operation, session) {
        this.root = root;
        this.operation = operation;
        this.session = session;
        this.controls = new Map();
        this.curl = make("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "curl command" });
        this.fault = make("p", { class: "fault", role: "alert" });
        this.sendButton = make("button", { class: "primary", type: "submit" }, "Send");
        this.cancelButton = button("Cancel", () => this.abort?.abort(), { hidden: true });
        this.copyButton = button("Copy as curl", () => this.copy(), { class: "quiet" });
        this.answer = new AnswerView(operation);
        const parameters = operation.parameters.map((parameter) => this.parameterField(parameter));
        this.form = make("form", {
            novalidate: true, autocomplete: "off", "aria-label": `Try ${operation.id}`, oninput: () => this.update(),
            onsubmit: (event) => {
                event.preventDefault();
                this.send();
            },
            onkeydown: (event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
            },
        },
        parameters, this.bodyField(), this.tokenLine(),
        make("div", { class: "buttons" }, this.sendButton, this.cancelButton, this.copyButton),
        this.fault, this.curl);
        session.addEventListener("change", () => this.update());
        this.update();
        this.element = make("div", { class: "try" }, make("h4", {}, "Try it"), this.form, this.answer.element);
    }

    parameterField(parameter) {
        const flat = flatten(this.root, parameter.schema);
        const id = `${this.operation.id}-${parameter.place}-${parameter.name}`;
        const values = [flat.type].flat().includes("boolean") ? [true, false] : listOf(flat.enum);
        let control;
        if (values.length) {
            control = make("select", { id }, [
                make("option", { value: "" }, "–"), ...values.map((value) => make("option", {}, String(value)))]);
        } else {
            const isNumber = ["integer", "number"].includes([flat.type].flat()[0]);
            control = make("input", {
                id, type: "text", spellcheck: "false", inputmode: isNumber && "decimal",
                placeholder: flat.default === undefined ? undefined : `${flat.default}`,
            });
        }
        if (parameter.isRequired) control.setAttribute("aria-required", "true");
        if (parameter.isRequired && parameter.example !== undefined) control.value = String(parameter.example);
        this.controls.set(keyOf(parameter), control);
        return make("div", { class: "field" },
            make("label", { for: id }, parameter.name, " ", make("span", { class: "place" }, parameter.place),
                parameter.isRequired && make("span", { class: "need" }, "required")),
            control,
            /^if-(none-)?match$/i.test(parameter.name) && this.entityTagButton(control));
    }

    /** Puts the entity tag of the last answer into a field. */
    entityTagButton(control) {
        const offer = button("", () => {
            control.value = this.session.entityTag.tag;
            this.update();
            control.focus();
        }, { class: "offer", hidden: true });
        this.session.addEventListener("change", () => {
            const { tag, source } = this.session.entityTag ?? {};
            offer.hidden = tag === undefined;
            offer.replaceChildren("Use ", make("code", {}, tag ?? ""), ` of ${source}`);
        });
        return offer;
    }

    bodyField() {
        const content = this.operation.body?.content[0];
        if (!content) return undefined;
        const id = `${this.operation.id}-body`;
        const examples = content.examples.map((example) => exampleText(example.value));
        this.body = make("textarea", { id, spellcheck: "false", autocapitalize: "off" });
        this.body.value = examples[0] ?? "";
        this.body.rows = Math.min(Math.max(this.body.value.split("\n").length, 3), 16);
        this.bodyType = content.type;
        const choice = examples.length > 1 && make("select", {
            "aria-label": "Example", oninput: (event) => { this.body.value = examples[event.target.selectedIndex]; },
        }, content.examples.map((example) => make("option", {}, example.name)));
        return make("div", { class: "field" },
            make("label", { for: id }, "Body ", make("span", { class: "place" }, content.type)), choice, this.body);
    }

    tokenLine() {
        if (!this.operation.takesToken) return undefined;
        this.tokenState = make("a", { href: "#page-token" });
        return make("p", { class: "note" }, this.tokenState);
    }

    /** The request as the form stands; throws a `RequestFault`. */
    request() {
        const values = new Map([...this.controls].map(([key, control]) => [key, control.value]));
        const body = this.body && { text: this.body.value, type: this.bodyType };
        return makeRequest(this.operation, values, body, this.session.base);
    }

    /** Shows the command for what the form says now. */
    update() {
        if (this.tokenState) {
            this.tokenState.textContent = this.session.token ? "Sends the bearer token" : "Enter the bearer token";
        }
        for (const control of this.controls.values()) control.removeAttribute("aria-invalid");
        this.fault.textContent = "";
        try {
            this.curl.textContent = curlCommand(this.request());
            this.copyButton.disabled = false;
        } catch (fault) {
            if (!(fault instanceof RequestFault)) throw fault;
            this.curl.textContent = `# ${fault.message}`;
            this.copyButton.disabled = true;
        }
    }

    copy() {
        copyText(curlCommand(this.request()), this.copyButton);
    }

    async send() {
        if (this.abort) return;
        let request;
        try {
            request = this.request();
            if (request.hasDots) throw new RequestFault("A browser cannot send a path with . or .. in it; curl can.");
        } catch (fault) {
            if (!(fault instanceof RequestFault)) throw fault;
            this.fault.textContent = fault.message;
            const control = this.controls.get(fault.field);
            control?.setAttribute("aria-invalid", "true");
            control?.focus();
            return;
        }
        this.abort = new AbortController();
        // Not disabled, which would take the keyboard's focus from it.
        this.sendButton.setAttribute("aria-disabled", "true");
        this.cancelButton.hidden = false;
        await this.exchange(request, this.abort.signal);
        this.abort = undefined;
        this.sendButton.removeAttribute("aria-disabled");
        if (document.activeElement === this.cancelButton) this.sendButton.focus();
        this.cancelButton.hidden = true;
    }

    /** Sends, and shows what comes while it comes. Failures are shown too. */
    async exchange({ method, url, headers, body, takesToken }, signal) {
        const { session, answer } = this;
        answer.clear();
        try {
            const fields = new Headers(headers);
            if (takesToken && session.token) fields.set("Authorization", `Bearer ${session.token}`);
            const response = await fetch(url, { method, headers: fields, body, signal, cache: "no-store" });
            answer.showHead(response);
            const tag = response.headers.get("ETag");
            if (tag) session.set({ entityTag: { tag, source: `${method} ${url.slice(session.base.length)}` } });
            await readBody(response, (text, byteCount) => answer.showBody(text, byteCount));
            answer.end();
        } catch (error) {
            answer.end(signal.aborted ? "Cancelled" : `Failed: ${error.message}`);
        }
    }
}
