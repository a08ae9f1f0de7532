// What a node answered, while it comes and when it is all there.

/** How much of a body is shown; the rest is counted. */
const shownBytes = 256 * 1024;

/** Reads a body to its end. Now and then `onProgress` gets the text to show, and the count of all bytes so far. */
async function readBody(response, onProgress) {
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let text = "";
    let byteCount = 0;
    let lastCall = 0;
    while (reader) {
        const { done, value } = await reader.read();
        if (done) break;
        const room = shownBytes - byteCount;
        byteCount += value.length;
        if (room > 0) text += decoder.decode(value.subarray(0, room), { stream: true });
        if (performance.now() - lastCall < 100) continue;
        lastCall = performance.now();
        onProgress(text, byteCount);
    }
    // Where the text was cut, half a character is no fault of it.
    if (byteCount <= shownBytes) text += decoder.decode();
    onProgress(text, byteCount);
}

/** The last answer to one operation's requests. */
class AnswerView {
    constructor(operation) {
        this.operation = operation;
        // Read out when it changes; the figures beside it change too often for that.
        this.status = make("p", { role: "status" });
        this.figures = make("span", { class: "figures" });
        this.content = make("div", { class: "answer" });
        this.element = make("div", {}, make("div", { class: "result" }, this.status, this.figures), this.content);
    }

    /** Forgets the answer before; the time counts from here. */
    clear() {
        this.start = performance.now();
        this.hasHead = false;
        this.text = "";
        this.byteCount = 0;
        this.status.className = "";
        this.status.textContent = "Waiting …";
        this.figures.textContent = "";
        this.content.replaceChildren();
    }

    showHead(response) {
        const code = String(response.status);
        const isDocumented = this.operation.answers.some(({ status }) => (
            status === code || status === `${code[0]}XX` || status === "default"));
        this.hasHead = true;
        this.status.replaceChildren(
            make("span", { class: `status s${code[0]}` }, `${code} ${response.statusText}`.trim()));
        this.body = make("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "Body of the answer" });
        this.content.replaceChildren(make("div", {},
            !isDocumented && make("p", { class: "note" }, "The document does not mention this status."),
            make("dl", { class: "headers" }, [...response.headers].map(([name, value]) => [
                make("dt", {}, name), make("dd", {}, value)]))), this.body);
    }

    showBody(text, byteCount) {
        this.text = text;
        this.byteCount = byteCount;
        this.body.textContent = text;
        this.figures.textContent = `${this.time} · ${bytesText(byteCount)} …`;
    }

    /** `reason`: why there is no more, where that is not the end of the answer. */
    end(reason) {
        if (!this.hasHead) {
            this.status.className = "fault";
            this.status.textContent = `${reason}.`;
            return;
        }
        const hiddenBytes = this.byteCount - shownBytes;
        this.figures.textContent = [this.time, bytesText(this.byteCount), reason].filter(Boolean).join(" · ");
        if (this.byteCount === 0) this.body.remove();
        else if (hiddenBytes <= 0) this.body.replaceChildren(...codeNodes(this.text));
        else this.body.after(make("p", { class: "note" }, `${bytesText(hiddenBytes)} more are not shown.`));
    }

    get time() {
        return timeText(performance.now() - this.start);
    }
}
