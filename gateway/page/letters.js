/* letters - dead letters: listed a page at a time, shown, tried again, dropped */

import {ask} from "./api.js";
import {$, Pager, announce, bytes, clock, confirmed, count, cut, el, fill, setText, several,
        sync} from "./dom.js";

const PAGE = 20;
const SHOWN_HEX = 512; /* bytes of a body */
const KEPT_SHOWN = 20;
const PATIENCE_MS = 30000;

function hex(base64) {
    const raw = atob(base64);
    const lines = [];
    for (let i = 0; i < Math.min(raw.length, SHOWN_HEX); i += 16) {
        const part = [...raw.slice(i, i + 16)];
        lines.push(i.toString(16).padStart(4, "0") + "  " +
            part.map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ").padEnd(49) +
            part.map((c) => (c >= " " && c <= "~" ? c : ".")).join(""));
    }
    if (raw.length > SHOWN_HEX)
        lines.push(`and ${count(raw.length - SHOWN_HEX)} bytes more`);
    return lines.join("\n");
}

function body(letter) {
    if (letter.body_bytes === 0)
        return el("p", {class: "quiet"}, "The body is empty.");
    return el("pre", {tabindex: 0, "aria-label": "The body"},
              letter.body === undefined ? hex(letter.body_base64) : cut(letter.body));
}

const UNTOLD = ["received_ms", "subscription_ids"]; /* told already; for the gateway only */

function rows(object) {
    return Object.entries(object)
        .filter(([name, value]) => value !== "" && value != null && !UNTOLD.includes(name))
        .map(([name, value]) => [el("dt", {}, name.replaceAll("_", " ")), el("dd", {},
            el("bdi", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))]);
}

export class Letters {
    constructor() {
        this.list = [];
        this.rule = "";
        this.starts = [0]; /* the `after` of each page up to this one */
        this.next = null;
        this.total = null;
        this.asked = 0;
        let timer;
        $("letters-rule").addEventListener("input", () => {
            clearTimeout(timer);
            timer = setTimeout(() => this.choose($("letters-rule").value.trim()), 300);
        });
        $("letters-replay").addEventListener("click", () => this.all("replay"));
        $("letters-drop").addEventListener("click", () => this.all("drop"));
        this.pager = new Pager("letters-pager", (on) => this.turn(on));
    }

    /* As many there are now, says the status. */
    async seen(total, now) {
        this.now = now;
        setText($("nav-letters"), total ? count(total) : "");
        if (total === this.total)
            return;
        await this.load();
        this.total = total;
        this.draw();
    }

    choose(rule) {
        this.rule = rule;
        this.starts = [0];
        if ($("letters-rule").value.trim() !== rule)
            $("letters-rule").value = rule;
        this.reload();
    }

    turn(on) {
        if (on)
            this.starts.push(this.next);
        else
            this.starts.pop();
        this.reload();
    }

    reload() {
        this.load().catch((error) => this.say("bad", error.message));
    }

    async load() {
        const mine = ++this.asked;
        const after = this.starts[this.starts.length - 1];
        const page = await ask(`api/v1/dead-letters?limit=${PAGE}&after=${after}` +
            (this.rule ? `&rule=${encodeURIComponent(this.rule)}` : ""));
        if (mine !== this.asked)
            return;
        if (page.dead_letters.length === 0 && this.starts.length > 1) { /* all of it is gone */
            this.starts.pop();
            await this.load();
            return;
        }
        this.list = page.dead_letters;
        this.next = page.next;
        this.draw();
    }

    draw() {
        sync($("letters-table"), "letter", this.list, (letter) => letter.id,
             (letter) => this.make(letter), (node, letter) => this.update(node, letter));
        $("letters-table").hidden = this.list.length === 0;
        setText($("letters-count"), this.total ? `${count(this.total)} in all` : "");
        const earlier = this.starts.length > 1, later = this.next !== null;
        this.pager.show(this.list.length === 0 ? (this.rule ? "this rule has none" : "there are none")
            : (earlier || later) && `page ${this.starts.length}`, earlier, later);
        for (const [id, yes] of [["letters-replay", "Replay"], ["letters-drop", "Drop"]]) {
            setText($(id), this.rule ? `${yes} all of ${this.rule}` : `${yes} all`);
            $(id).hidden = this.list.length === 0;
        }
    }

    make(letter) {
        const button = (text, kind, fn) => el("button", {
            type: "button", class: kind, "aria-describedby": `letter-${letter.id}`,
            on: {click: fn}}, text);
        const show = button("Show", "", () => this.toggle(letter.id, show));
        show.setAttribute("aria-expanded", "false");
        return el("tbody", {role: "rowgroup"},
            el("tr", {role: "row"},
               el("th", {role: "rowheader", scope: "row", id: `letter-${letter.id}`},
                  el("span", {class: "way", role: "img",
                              "aria-label": letter.direction === "up" ? "up" : "down"},
                     letter.direction === "up" ? "↑" : "↓"), ` ${letter.id} `,
                  el("bdi", {class: "name"}, letter.rule),
                  letter.destination && el("span", {class: "path"}, `→ ${letter.destination}`)),
               el("td", {role: "cell", "data-label": "Reason"}, el("bdi", {}, letter.reason)),
               el("td", {role: "cell", "data-label": "Received"}, clock(letter.received, this.now)),
               el("td", {role: "cell", "data-label": "Size", class: "number"},
                  bytes(letter.body_bytes)),
               el("td", {role: "cell", class: "buttons"}, show,
                  button("Replay", "", () => this.take("replay", letter.id)),
                  button("Drop", "danger", () => this.take("drop", letter.id)))),
            el("tr", {role: "row", hidden: true, class: "detail"},
               el("td", {role: "cell", colspan: 5})));
    }

    update() { /* a letter never changes */
    }

    async toggle(id, button) {
        const detail = button.closest("tbody").lastChild;
        if (!detail.hidden) {
            detail.hidden = true;
            button.setAttribute("aria-expanded", "false");
            setText(button, "Show");
            return;
        }
        try {
            const letter = await ask(`api/v1/dead-letters/${id}`);
            fill(detail.firstChild,
                 el("dl", {}, rows({received: letter.received, died: letter.died,
                                    tries: letter.attempts, destination: letter.destination,
                                    ...(letter.origin ?? {})})),
                 body(letter));
        } catch (error) {
            fill(detail.firstChild, el("p", {class: "bad-text"}, error.message));
        }
        detail.hidden = false;
        button.setAttribute("aria-expanded", "true");
        setText(button, "Hide");
    }

    say(kind, ...what) {
        fill($("letters-said"), el("div", {class: `said ${kind}`}, ...what));
    }

    /* One letter. */
    async take(how, id) {
        if (how === "drop" &&
            !await confirmed(`Drop dead letter ${id}?`, "It is deleted for good.", "Drop", true))
            return;
        await this.deal(how, {ids: [id]}, `letter ${id}`);
    }

    /* All that the box names. */
    async all(how) {
        const whose = this.rule ? `of the rule ${this.rule}` : "of all rules";
        const drop = how === "drop";
        if (!await confirmed(`${drop ? "Drop" : "Replay"} all dead letters ${whose}?`,
            drop ? "They are deleted for good."
                 : "Each is mapped again by the rules that run now, and sent.",
            drop ? "Drop all" : "Replay all", drop))
            return;
        await this.deal(how, this.rule ? {rule: this.rule} : {all: true}, `all ${whose}`);
    }

    async deal(how, which, words) {
        const done = how === "drop" ? "dropped" : "replayed";
        let total = 0;
        const kept = [];
        this.say("", `${how === "drop" ? "Dropping" : "Replaying"} ${words} …`);
        try {
            for (let after = 0; after !== null;) {
                const answer = await ask(`api/v1/dead-letters/${how}`, {
                    post: true, body: after ? {...which, after} : which, patience: PATIENCE_MS});
                total += answer[done];
                kept.push(...answer.kept);
                after = which.ids ? null : answer.next;
                if (after !== null)
                    this.say("", `${count(total)} ${done} so far …`);
            }
            const sentence = `${several(total, "letter")} ${done}` +
                (kept.length ? `, ${count(kept.length)} kept` : "");
            this.say(kept.length ? "bad" : "good", sentence, kept.length > 0 && el("ul", {},
                kept.slice(0, KEPT_SHOWN).map((one) => el("li", {}, `${one.id}: ${one.reason}`)),
                kept.length > KEPT_SHOWN && el("li", {}, `and ${count(kept.length - KEPT_SHOWN)} more`)));
            announce(sentence);
        } catch (error) {
            this.say("bad", `${several(total, "letter")} ${done}, then: ${error.message}`);
        }
        await this.load().catch(() => {});
        if (document.activeElement === document.body) /* the row with the button is gone */
            $("letters").focus({preventScroll: true});
    }
}
