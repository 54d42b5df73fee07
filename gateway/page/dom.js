/*
 * dom - making elements, and what is shared by the parts of the page
 *
 * Topics, payloads and errors come from strangers. They go into the page as text, never as HTML,
 * and what would hide or turn around the text beside it is shown as its code.
 */

const HIDDEN =
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function shown(text) {
    return String(text).replace(HIDDEN, (c) =>
        c === "\t" ? c : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

export const $ = (id) => document.getElementById(id);

/* An element. "on" has listeners; an attribute that is false or null is left out. */
export function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key === "on")
            Object.entries(value).forEach(([event, fn]) => node.addEventListener(event, fn));
        else if (value !== false && value != null)
            node.setAttribute(key, value === true ? "" : value);
    }
    fill(node, ...children);
    return node;
}

/* Its children, and no others. */
export function fill(node, ...children) {
    node.replaceChildren(...children.flat(Infinity)
        .filter((child) => child != null && child !== false)
        .map((child) => (child instanceof Node ? child : shown(child))));
}

/* Leaves the node alone when it says that already: so a selection stays, and nobody is told twice. */
export function setText(node, text) {
    const wanted = shown(text);
    if (node.textContent !== wanted)
        node.textContent = wanted;
}

export function setAttribute(node, name, value) {
    if (node.getAttribute(name) !== String(value))
        node.setAttribute(name, value);
}

/*
 * Makes parent's children with class `kind` those of items: keeps the nodes of keys that stay, with
 * the focus and what is open in them. make(item) gives a node; update(node, item) brings it up to date.
 */
export function sync(parent, kind, items, keyOf, make, update) {
    const nodes = new Map();
    for (const node of parent.querySelectorAll(`:scope > .${kind}`))
        nodes.set(node.dataset.key, node);
    const wanted = new Set(items.map((item) => String(keyOf(item))));
    for (const [key, node] of nodes) {
        if (!wanted.has(key))
            node.remove();
    }
    const focused = document.activeElement;
    let at = parent.querySelector(`:scope > .${kind}`);
    for (const item of items) {
        const key = String(keyOf(item));
        let node = nodes.get(key);
        if (!node) {
            node = make(item);
            node.classList.add(kind);
            node.dataset.key = key;
        }
        update(node, item);
        if (node === at)
            at = at.nextElementSibling;
        else
            parent.insertBefore(node, at);
    }
    if (focused !== document.activeElement && parent.contains(focused))
        focused.focus({preventScroll: true});
}

/* Tells who cannot see that something has changed; what changes at the same time is told together. */
let news = [];
export function announce(text) {
    if (news.push(text) === 1) {
        queueMicrotask(() => {
            setText($("announce"), news.join(". "));
            news = [];
        });
    }
}

/* Two buttons to turn pages with, and where one is. turn(on): to the next, else to the previous. */
export class Pager {
    constructor(id, turn) {
        const button = (text, on) => el("button", {type: "button", on: {click: () => turn(on)}}, text);
        this.earlier = button("Previous", false);
        this.later = button("Next", true);
        this.where = el("span");
        this.node = $(id);
        this.node.append(this.earlier, this.where, this.later);
    }

    /* Without another page there is only the text, if any. */
    show(text, earlier, later) {
        const focused = document.activeElement;
        this.earlier.disabled = !earlier;
        this.later.disabled = !later;
        this.earlier.hidden = this.later.hidden = !earlier && !later;
        if (focused === this.earlier && !earlier)
            this.later.focus();
        if (focused === this.later && !later)
            this.earlier.focus();
        setText(this.where, text || "");
        this.node.hidden = !text;
    }
}

/* Asks before something that cannot be undone; a promise of true or false. */
export function confirmed(title, text, yes, danger) {
    const dialog = $("confirm");
    setText($("confirm-title"), title);
    setText($("confirm-text"), text);
    setText($("confirm-yes"), yes);
    $("confirm-yes").className = danger ? "danger" : "primary";
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), {once: true});
    });
}

/* ---- how things are written ---- */

export function seconds(s) {
    if (s == null || !isFinite(s))
        return "–";
    if (s < 1)
        return `${Math.round(s * 1000)} ms`;
    if (s < 120)
        return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
    if (s < 7200)
        return `${Math.round(s / 60)} min`;
    if (s < 172800)
        return `${(s / 3600).toFixed(1)} h`;
    return `${Math.round(s / 86400).toLocaleString("en")} days`;
}

export function bytes(n) {
    if (n == null)
        return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    for (; n >= 1024 && i < 4; i++)
        n /= 1024;
    return `${n.toFixed(i && n < 100 ? 1 : 0)} ${units[i]}`;
}

export function count(n) {
    if (n == null)
        return "–";
    return n < 1e7 ? n.toLocaleString("en") : `${(n / 1e6).toFixed(1)} M`;
}

export function rate(n) {
    if (n == null || !isFinite(n))
        return "–";
    return n >= 100 || n === 0 ? count(Math.round(n)) : n.toFixed(n < 10 ? 1 : 0);
}

/* A text of a body, cut when it would be too much to look at. */
const SHOWN_CHARACTERS = 16384;
export function cut(text) {
    return text.length <= SHOWN_CHARACTERS ? text : text.slice(0, SHOWN_CHARACTERS) +
        `\n… and ${count(text.length - SHOWN_CHARACTERS)} characters more`;
}

export const several = (n, one, more = one + "s") => `${count(n)} ${n === 1 ? one : more}`;

/* The time of day, or the day when it is not that of now; both are the gateway's, UTC. */
export function clock(when, now) {
    if (!when)
        return "–";
    return when.slice(0, 10) === String(now).slice(0, 10) ? when.slice(11, 19)
                                                          : when.slice(0, 16).replace("T", " ");
}

export function secondsBetween(from, to) {
    return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}
