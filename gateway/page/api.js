/* api - asking the gateway; docs/admin.md says what it answers */

const KEY = "cmqgw.token";
const PATIENCE_MS = 5000;
let token = "";
try {
    token = sessionStorage.getItem(KEY) ?? "";
} catch { /* no storage: the token lives as long as the page */ }

export const hasToken = () => token !== "";

export function useToken(text) {
    token = text;
    try {
        if (text)
            sessionStorage.setItem(KEY, text);
        else
            sessionStorage.removeItem(KEY);
    } catch { /* as above */ }
}

/* What the gateway refused, in its words. */
export class Refusal extends Error {
    constructor(status, text) {
        super(text);
        this.status = status;
    }
}

/* Nobody answered, or nobody of ours. */
export class Silence extends Error {}

const SILENCES = {TypeError: "nobody listens there", TimeoutError: "it takes too long",
                  SyntaxError: "what answers is no gateway"};

/*
 * The answer to a GET, or, with a body (null: none), to a POST. A refusal is thrown, unless accept
 * names its status; so is a Silence.
 */
export async function ask(path, {post = false, body = null, patience = PATIENCE_MS, accept = 0} = {}) {
    const headers = {};
    if (token)
        headers.Authorization = `Bearer ${token}`;
    if (body)
        headers["Content-Type"] = "application/json";
    let answer, data;
    try {
        answer = await fetch(path, {
            method: post ? "POST" : "GET",
            headers,
            body: body && JSON.stringify(body),
            cache: "no-store",
            credentials: "omit",
            signal: AbortSignal.timeout(patience),
        });
        data = await answer.json();
    } catch (error) {
        throw new Silence(SILENCES[error.name] ?? error.message);
    }
    if (!answer.ok && answer.status !== accept)
        throw new Refusal(answer.status, data.error ?? `status ${answer.status}`);
    return data;
}
