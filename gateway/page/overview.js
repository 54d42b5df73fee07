/* overview - whether it is well, both connections, the spool, the rates: /api/v1/status */

import {Chart, Rates} from "./chart.js";
import {$, announce, bytes, clock, count, el, fill, rate, seconds, secondsBetween, setAttribute,
        setText, several, sync} from "./dom.js";

/* What the codes of /readyz mean to who is called at night, and what to do. */
const REASONS = {
    mqtt_not_connected: ["There is no session with the broker",
        "See that the broker runs, can be reached from here, and takes our user and password. " +
        "Nothing is lost meanwhile: devices' messages wait in the broker as far as it queues " +
        "them, commands wait in CMQ."],
    subscription_refused: ["The broker refused a subscription",
        "Allow this client the filters named under Broker; it asks again when it connects again."],
    cmq_failing: ["CMQ does not answer as it should",
        "Messages wait in the spool and are sent when CMQ answers again. If it lasts, look at the " +
        "network between here and CMQ, and at the account's limits. The spool says how long it " +
        "can wait."],
    cmq_held: ["CMQ says that the account or a name is wrong",
        "Put right the key, or create the queue or topic named below, or correct the rule and " +
        "reload (cmqgw provision shows what is missing). It is tried again by itself; messages wait in the spool."],
    spool_full: ["The spool is full, so the gateway has left the broker",
        "Find out why CMQ takes less than comes. The broker queues meanwhile, as far as it may; " +
        "the gateway comes back by itself when there is room."],
    spool_failed: ["The disk refuses what the gateway writes",
        "Look at the disk of gateway.state_dir: is it full, read-only, failing? Nothing is " +
        "acknowledged until it works, so nothing is lost."],
    stopping: ["The gateway is ending", "Start it again, unless somebody meant it to stop."],
};

const STATES = { /* good, bad or idle, by the words of the API */
    connected: "good", connecting: "bad", away: "bad",
    untried: "idle", ok: "good", failing: "bad", held: "bad", backing_off: "bad",
    accepting: "good", full: "bad", failed: "bad",
};
export const MARKS = {good: "●", bad: "▲", idle: "○"};
const words = (state) => state.replace("_", " ");

export function pill(state, text = words(state)) {
    const kind = STATES[state] ?? state;
    return el("span", {class: `pill ${kind}`},
              el("span", {"aria-hidden": "true"}, `${MARKS[kind]} `), text);
}

/* ---- a card: a state, and lines below it ---- */

class Card {
    constructor(id) {
        this.title = $(id).querySelector("h2");
        this.state = el("span", {class: "state"});
        this.title.append(" ", this.state);
        this.lines = {};
        this.node = $(id);
        this.word = null;
    }

    show(state) {
        if (this.word === state)
            return;
        fill(this.state, pill(state));
        if (this.word !== null)
            announce(`${this.title.firstChild.textContent}: ${words(state)}`);
        this.word = state;
    }

    line(name, text, kind = "") {
        this.lines[name] ??= this.node.appendChild(el("p", {class: kind}));
        setText(this.lines[name], text ?? "");
        this.lines[name].hidden = !text;
    }
}

const since = (part, now) =>
    `since ${clock(part.since, now)}, for ${seconds(secondsBetween(part.since, now))}`;

/* ---- the verdict ---- */

function reasonNode() {
    return el("li", {}, el("strong"), el("span", {class: "why"}), el("span", {class: "advice"}));
}

function updateReason(node, reason) {
    const [title, advice] = REASONS[reason.code] ?? [reason.code, ""];
    const [strong, why, rest] = node.children;
    setText(strong, title);
    setText(why, reason.text ?? "");
    setText(rest, advice);
}

export function showReasons(reasons) {
    sync($("reasons"), "reason", reasons, (reason) => reason.code, reasonNode, updateReason);
}

/* What does not stand in the way yet. */
const SHORT_OUTAGE_S = 1800;

function worries({spool, reload}) {
    const full = spool.used_bytes / Math.max(1, spool.capacity_bytes);
    return [
        full > 0.5 && `The spool is ${Math.round(full * 100)} % full.`,
        spool.absorbs_s !== null && spool.absorbs_s < SHORT_OUTAGE_S &&
            `CMQ could be away for ${seconds(spool.absorbs_s)} only.`,
        spool.dead_letters > 0 && `${several(spool.dead_letters, "dead letter")} to look at.`,
        reload.last && !reload.last.ok && "The last reload failed.",
    ].filter(Boolean);
}

function showVerdict(status) {
    const ready = status.ready;
    setAttribute($("verdict"), "class", `verdict ${ready ? "good" : "bad"}`);
    const before = $("verdict-title").textContent;
    setText($("verdict-title"), ready ? "Ready" : "Not ready");
    setText($("verdict-text"), ready
        ? ["Connected to both sides; messages go both ways.", ...worries(status)].join(" ") : "");
    $("verdict-text").hidden = !ready;
    showReasons(status.reasons);
    if (before && before !== $("verdict-title").textContent)
        announce(ready ? "The gateway is ready again"
                       : `The gateway is not ready: ${status.reasons.map((reason) =>
                             REASONS[reason.code]?.[0] ?? reason.code).join("; ")}`);
}

/* ---- what takes nothing ---- */

function troubleNode() {
    return el("li", {}, el("strong"), " ", el("span"), el("span", {class: "why"}));
}

function showTroubles(status) {
    const list = [
        ...status.mqtt.refused.map((one) => ({
            key: `f ${one.filter}`, name: `subscription ${one.filter}`, state: "refused", why: one.why,
        })),
        ...status.cmq.troubles.map((one) => ({
            key: `d ${one.destination}`, name: one.destination, why: one.why,
            state: `${words(one.state)}, ${since(one, status.gateway.now)}`,
        })),
    ];
    const more = (status.cmq.troubles_left_out ?? 0) + (status.mqtt.refused_left_out ?? 0);
    if (more)
        list.push({key: "more", name: `and ${count(more)} more`, state: "", why: ""});
    $("troubles").hidden = list.length === 0;
    sync($("troubles-list"), "trouble", list, (one) => one.key, troubleNode, (node, one) => {
        setText(node.children[0], one.name);
        setText(node.children[1], one.state);
        setText(node.children[2], one.why);
    });
}

/* ---- the spool's bar ---- */

class Bar {
    constructor(label) {
        this.fill = el("span");
        this.node = el("div", {class: "meter", role: "meter", "aria-label": label,
                               "aria-valuemin": 0, "aria-valuemax": 100}, this.fill);
    }

    show(part, text) {
        const percent = Math.min(100, part * 100);
        this.fill.style.width = `${percent.toFixed(1)}%`;
        setAttribute(this.node, "class",
                     `meter ${part > 0.9 ? "bad" : part > 0.5 ? "warn" : "good"}`);
        setAttribute(this.node, "aria-valuenow", percent.toFixed(0));
        setAttribute(this.node, "aria-valuetext", text);
    }
}

/* ---- a chart with its figures beside it ---- */

class Flow {
    constructor(id, names, unit) {
        this.names = names;
        this.unit = unit;
        this.chart = new Chart(names, unit);
        this.figures = names.map(() => el("b"));
        this.below = el("p", {class: "quiet"});
        $(id).append(
            el("p", {class: "figures"}, names.map((name, i) =>
                el("span", {class: `figure line-${i}`}, this.figures[i], el("span", {}, name)))),
            this.chart.node, this.below);
    }

    show(t, now, history, below) {
        now.forEach((value, i) =>
            setText(this.figures[i], (this.unit ? rate(value) : count(value)) + this.unit));
        this.chart.add(t, history);
        setText(this.below, below);
    }
}

const latency = (what, of) => (of.count
    ? `${what}: half within ${seconds(of.p50_s)}, 99 % within ${seconds(of.p99_s)}`
    : `${what}: nothing measured yet`);

export class Overview {
    constructor() {
        this.broker = new Card("broker");
        this.cmq = new Card("cmq");
        this.spool = new Card("spool");
        this.bar = new Bar("How full the spool is");
        this.up = new Flow("up", ["received", "to CMQ"], "/s");
        this.down = new Flow("down", ["taken", "to devices"], "/s");
        this.waiting = new Flow("waiting", ["deliveries"], "");
        this.rates = new Rates();
    }

    show(status) {
        const {gateway, mqtt, cmq, spool, rates, latency: spreads} = status;
        setText($("id"), gateway.id);
        setText($("facts"), `version ${gateway.version} · up ${seconds(gateway.uptime_s)} · ` +
                            `${gateway.config} · ${clock(gateway.now, gateway.now)} UTC`);
        showVerdict(status);
        const told = new Set(status.reasons.map((reason) => reason.text));
        const unless = (why) => (told.has(why) ? "" : why);

        this.broker.show(mqtt.state);
        this.broker.line("since", since(mqtt, gateway.now), "quiet");
        this.broker.line("why", unless(mqtt.why));
        this.broker.line("more", `${several(mqtt.subscriptions, "subscription")}` +
            (mqtt.refused.length ? `, ${count(mqtt.refused.length)} refused` : "") +
            `; connected ${several(mqtt.connects, "time")} since the start`, "quiet");

        this.cmq.show(cmq.state);
        this.cmq.line("since", since(cmq, gateway.now), "quiet");
        this.cmq.line("why", unless(cmq.why));
        this.cmq.line("more", `${count(cmq.in_flight)} of ${several(cmq.connections, "request")} ` +
            `under way; ` + (cmq.last_success
                ? `the last success ${seconds(secondsBetween(cmq.last_success, gateway.now))} ago`
                : "no success yet"), "quiet");

        this.showSpool(spool, rates, gateway.now);
        this.showFlows(status, spreads);
        showTroubles(status);
    }

    showSpool(spool, rates, now) {
        const full = `${bytes(spool.used_bytes)} of ${bytes(spool.capacity_bytes)}`;
        this.spool.show(spool.state);
        this.spool.line("since", since(spool, now), "quiet");
        this.spool.line("why", spool.why);
        if (!this.bar.node.isConnected)
            this.spool.node.append(this.bar.node);
        this.bar.show(spool.used_bytes / Math.max(1, spool.capacity_bytes), full);
        this.spool.line("full", `${full} used`, "quiet");
        this.spool.line("room", spool.absorbs_s == null
            ? "Nothing came in the last minute that would fill it."
            : `Room for an outage of ${seconds(spool.absorbs_s)} at the present rate.`);
    }

    showFlows(status, spreads) {
        const {gateway, spool, rates, totals} = status;
        const t = Date.parse(gateway.now) / 1000;
        const seen = this.rates.add(gateway.started, t,
            [totals.received, totals.delivered, totals.taken, totals.published]);
        const now = seen?.now ?? [rates.received, rates.delivered, rates.taken, rates.published];
        this.up.show(t, now.slice(0, 2), seen && seen.step.slice(0, 2),
                     latency("device to CMQ", spreads.end_to_end));
        this.down.show(t, now.slice(2), seen && seen.step.slice(2),
                       latency("here to the broker and back", spreads.publish));
        this.waiting.show(t, [spool.deliveries], [spool.deliveries],
            (spool.oldest_age_s != null ? `the oldest is ${seconds(spool.oldest_age_s)} old; ` : "") +
            `${rate(rates.retried)} failed tries a second`);
    }
}
