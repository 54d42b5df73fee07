/* rules - each rule with its figures and its last error: /api/v1/rules */

import {ask} from "./api.js";
import {$, Pager, clock, count, el, fill, secondsBetween, setText, several, sync} from "./dom.js";

const PAGE = 50;
const RECENT_S = 600; /* an error of the last ten minutes is trouble now */
const POLL_S = 5, RULES_A_SECOND = 200; /* many rules are asked for less often */

const FIGURES = {
    forward: (f) => [f.matched, f.delivered, f.retried + f.held, f.dead_letters],
    reverse: (f) => [f.taken, f.published, f.refused, f.dead_letters],
};
const LABELS = ["In", "Out", "Failed tries", "Dead letters", "Last message"];

const keyOf = (rule) => `${rule.direction} ${rule.name}`;
const errorTime = (rule) => (rule.last_error ? Date.parse(rule.last_error.time) : 0);

function recent(rule, now) {
    return rule.last_error !== null && secondsBetween(rule.last_error.time, now) < RECENT_S;
}

function matches(rule, needle) {
    return [rule.name, ...rule.from, ...rule.to, rule.last_error?.text ?? ""]
        .some((text) => text.toLowerCase().includes(needle));
}

export class Rules {
    /* showLetters(rule): its dead letters are asked for. */
    constructor(showLetters) {
        this.showLetters = showLetters;
        this.rules = [];
        this.now = "";
        this.page = 0;
        this.next = 0; /* ms: when to ask again */
        const back = () => {
            this.page = 0;
            this.draw();
        };
        $("rules-filter").addEventListener("input", back);
        $("rules-troubled").addEventListener("change", back);
        this.pager = new Pager("rules-pager", (on) => {
            this.page += on ? 1 : -1;
            this.draw();
        });
    }

    /* Asks when it is time; now is the gateway's. */
    async poll(now, always) {
        if (this.next === Infinity || (!always && Date.now() < this.next))
            return; /* it is being asked; it is too early */
        this.next = Infinity;
        try {
            this.rules = (await ask("api/v1/rules")).rules;
        } finally {
            this.next = Date.now() + 1000 * Math.max(POLL_S, this.rules.length / RULES_A_SECOND);
        }
        this.now = now;
        /* Troubled first, the latest before; others stay in the order of the files. */
        this.rules.sort((a, b) => errorTime(b) - errorTime(a));
        this.draw();
    }

    draw() {
        const needle = $("rules-filter").value.trim().toLowerCase();
        const list = this.rules.filter((rule) => matches(rule, needle) &&
            (!$("rules-troubled").checked || rule.last_error));
        const pages = Math.max(1, Math.ceil(list.length / PAGE));
        this.page = Math.min(Math.max(0, this.page), pages - 1);
        const from = this.page * PAGE;
        sync($("rules-table"), "rule", list.slice(from, from + PAGE), keyOf,
             (rule) => this.make(rule), (node, rule) => this.update(node, rule));
        const troubled = this.rules.filter((rule) => recent(rule, this.now)).length;
        setText($("rules-count"), several(this.rules.length, "rule") +
            (troubled ? `, ${count(troubled)} with errors in the last 10 minutes` : "") +
            (this.rules.length > 1000 ? `, as of ${clock(this.now, this.now)}` : ""));
        this.pager.show(list.length === 0
            ? (this.rules.length ? "no rule is like that" : "there are no rules")
            : pages > 1 && `${count(from + 1)} to ${count(Math.min(from + PAGE, list.length))} of ` +
                           count(list.length), this.page > 0, this.page < pages - 1);
    }

    make(rule) {
        const up = rule.direction === "forward";
        const cells = LABELS.map((label) =>
            el("td", {role: "cell", class: "number", "data-label": label}, el("span")));
        const dead = el("button", {type: "button", class: "link", hidden: true,
                                   on: {click: () => this.showLetters(rule.name)}});
        cells[3].append(dead);
        return el("tbody", {role: "rowgroup"},
            el("tr", {role: "row"},
               el("th", {role: "rowheader", scope: "row"},
                  el("span", {class: "way", "aria-label": up ? "up" : "down", role: "img"},
                     up ? "↑" : "↓"),
                  " ", el("bdi", {class: "name"}, rule.name), " ", el("span", {class: "gone"}),
                  el("span", {class: "path"})),
               cells),
            el("tr", {role: "row", class: "error-row", hidden: true},
               el("td", {role: "cell", colspan: 6})));
    }

    update(node, rule) {
        const [row, errorRow] = node.children;
        const [head, ...cells] = row.children;
        const figures = FIGURES[rule.direction](rule.figures).map(count);
        figures.push(clock(rule.last_message, this.now));
        cells.forEach((cell, i) => setText(cell.firstChild, figures[i]));
        const dead = cells[3].lastChild;
        const some = rule.figures.dead_letters > 0;
        cells[3].firstChild.hidden = some;
        dead.hidden = !some;
        if (some)
            setText(dead, figures[3]);
        setText(head.querySelector(".gone"), rule.active ? "" : "(gone)");
        setText(head.querySelector(".path"),
                rule.from.length ? `${rule.from.join(", ")} → ${rule.to.join(", ")}` : "");
        errorRow.hidden = !rule.last_error;
        const now = recent(rule, this.now);
        node.classList.toggle("troubled", now);
        if (rule.last_error) {
            const text = `${rule.last_error.time} ${rule.last_error.text} ${now}`;
            if (errorRow.dataset.said !== text) {
                errorRow.dataset.said = text;
                fill(errorRow.firstChild, now ? "▲ " : "", el("time", {
                    datetime: rule.last_error.time}, clock(rule.last_error.time, this.now)),
                     " ", el("bdi", {}, rule.last_error.text));
            }
        }
    }
}
