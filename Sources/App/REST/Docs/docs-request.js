// Requests as a browser and as curl send them, and the layout of JSON. Nothing here needs a browser.

/** Why a request cannot be sent; `field` is the key of the value that is at fault. */
class RequestFault extends Error {
    constructor(message, field) {
        super(message);
        this.field = field;
    }
}

/** Under which the values of a form are kept. */
function keyOf(parameter) {
    return `${parameter.place} ${parameter.name}`;
}

function percentEncoded(text, key) {
    try {
        return encodeURIComponent(text);
    } catch {
        throw new RequestFault("Half a character cannot be sent.", key);
    }
}

/**
 * The request that a form's values stand for. Empty values are left out; throws a `RequestFault` where one is needed.
 *
 * `values` maps keys of parameters to texts; `base` is the URL that paths follow.
 */
function makeRequest(operation, values, body, base) {
    let path = operation.path;
    const query = [];
    const headers = [];
    const cookies = [];
    for (const parameter of operation.parameters) {
        const { name, place } = parameter;
        const key = keyOf(parameter);
        const text = values.get(key) ?? "";
        if (text === "") {
            if (parameter.isRequired) throw new RequestFault(`${name} is needed.`, key);
        } else if (place === "path") {
            path = path.replace(`{${name}}`, () => percentEncoded(text, key));
        } else if (place === "query") {
            const isMany = parameter.isList && parameter.isExploded;
            for (const part of isMany ? text.split(",").map((part) => part.trim()) : [text]) {
                query.push(`${percentEncoded(name, key)}=${percentEncoded(part, key)}`);
            }
        } else if (place === "header") {
            // Beyond ASCII a browser and curl would send different bytes.
            if (!/^[\t\x20-\x7e]*$/.test(text)) {
                throw new RequestFault(`${name} is a header, which cannot hold these characters.`, key);
            }
            headers.push([name, text.trim()]);
        } else if (place === "cookie") {
            cookies.push(`${name}=${text}`);
        }
    }
    if (cookies.length) headers.push(["Cookie", cookies.join("; ")]);
    if (body?.text) headers.push(["Content-Type", body.type]);
    return {
        method: operation.method, url: base + path + (query.length ? `?${query.join("&")}` : ""), headers,
        body: body?.text || undefined, takesToken: operation.takesToken,
        // Browsers and curl take such segments out of a URL, also percent-encoded ones; curl can be told not to.
        hasDots: path.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment)),
    };
}

/** One word for a POSIX shell, whatever is in it. */
function shellQuoted(text) {
    return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The request as a command. A bearer token is left to the shell's variable TOKEN, so that no history keeps it. */
function curlCommand(request) {
    const words = ["curl"];
    if (request.method === "HEAD") words.push("--head");
    else if (request.method !== "GET" || request.body !== undefined) words.push("-X", request.method);
    if (request.hasDots) words.push("--path-as-is");
    const lines = [`${words.join(" ")} ${shellQuoted(request.url)}`];
    if (request.takesToken) lines.push('-H "Authorization: Bearer $TOKEN"');
    for (const [name, value] of request.headers) lines.push(`-H ${shellQuoted(`${name}: ${value}`)}`);
    if (request.body !== undefined) lines.push(`--data-raw ${shellQuoted(request.body)}`);
    return lines.join(" \\\n  ");
}

/**
 * JSON in lines, as pieces of one kind each: `key`, `string`, `number`, `word` or `plain`. Null for what is no JSON,
 * and for what is nested too deeply to be read.
 *
 * Works on the text itself: numbers keep their digits, which `JSON.parse` would round, and members their order.
 */
function layOut(text) {
    try {
        JSON.parse(text);
    } catch {
        return null;
    }
    const pieces = [];
    let indent = "\n";
    const deepestIndent = 200;
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
    for (const [index, token] of tokens.entries()) {
        const next = tokens[index + 1];
        if (token === "{" || token === "[") {
            if (next === "}" || next === "]") {
                pieces.push(["plain", token]);
                continue;
            }
            indent += "  ";
            if (indent.length > deepestIndent) return null;
            pieces.push(["plain", token + indent]);
        } else if (token === "}" || token === "]") {
            const isEmpty = tokens[index - 1] === "{" || tokens[index - 1] === "[";
            if (!isEmpty) indent = indent.slice(0, -2);
            pieces.push(["plain", isEmpty ? token : indent + token]);
        } else if (token === ",") {
            pieces.push(["plain", token + indent]);
        } else if (token === ":") {
            pieces.push(["plain", ": "]);
        } else if (token.startsWith('"')) {
            pieces.push([next === ":" ? "key" : "string", token]);
        } else {
            pieces.push([/^[tfn]/.test(token) ? "word" : "number", token]);
        }
    }
    return pieces;
}

function bytesText(count) {
    if (count < 1000) return `${count} B`;
    return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function timeText(milliseconds) {
    if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
    return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}
