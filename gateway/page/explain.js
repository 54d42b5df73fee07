/* explain - what would become of a message with the rules that run: /api/v1/explain */

import {ask} from "./api.js";
import {$, count, cut, el, fill, setText, several} from "./dom.js";

const SKIPPED_SHOWN = 100;
const PATIENCE_MS = 30000;

const mono = (text) => el("code", {}, el("bdi", {}, text));
const bodyBlock = (text, size, what) => [
    el("p", {class: "quiet"}, `${what}, ${several(size, "byte")}`),
    size > 0 && el("pre", {tabindex: 0, "aria-label": what}, cut(text)),
];

function captures(of) {
    const names = Object.entries(of ?? {});
    return names.length > 0 && el("dl", {class: "captures"}, names.map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, el("bdi", {}, value)))));
}

function reach(one) {
    const place = one.url ? ["pushed to ", mono(one.url)]
        : one.queue ? ["queue ", mono(one.queue)] : "nobody";
    return el("li", {}, one.subscription ? ["subscription ", mono(one.subscription), " → "] : "",
              place, (one.reverse ?? []).map((rule) =>
                  [", then down by ", mono(rule.rule), " to ", mono(rule.to)]));
}

function delivery(one) {
    const notes = [
        one.route !== undefined && ["route ", mono(one.route)],
        one.tags && [one.tags.length > 1 ? "tags " : "tag ",
                     one.tags.map((tag, i) => [i ? ", " : "", mono(tag)])],
        one.delay_s && `after ${several(one.delay_s, "second")}`,
    ].filter(Boolean);
    return el("li", {class: "delivery"},
        el("p", {}, "→ ", el("strong", {}, one.topic === undefined ? "queue " : "topic ",
                             mono(one.topic ?? one.queue)),
           notes.map((note) => [", ", note])),
        bodyBlock(one.body, one.body_bytes, "body"),
        one.reaches.length > 0 ? [el("p", {class: "quiet"}, "reaches"), el("ul", {}, one.reaches.map(reach))]
            : el("p", {class: "quiet"}, "reaches nobody that resources declare"));
}

function publish(match) {
    const notes = [`QoS ${match.qos}`, match.retain && "retained",
                   match.expiry_s != null && `expires after ${several(match.expiry_s, "second")}`,
                   match.content_type].filter(Boolean).join(", ");
    return el("li", {class: "delivery"},
        el("p", {}, "→ ", el("strong", {}, mono(match.topic)), `, ${notes}`),
        bodyBlock(match.payload, match.payload_bytes, "payload"),
        match.user.length > 0 && el("dl", {class: "captures"}, match.user.map((user) =>
            el("div", {}, el("dt", {}, user.key), el("dd", {}, el("bdi", {}, user.value))))),
        match.forward.map((rule) => el("p", {class: "quiet"}, "the forward rule ", mono(rule.rule),
            rule.dropped ? " hears it and drops it" : " would send it up again")));
}

function parked(error) {
    return error.parked === undefined ? "it would be a dead letter"
        : error.parked === null ? "it is dropped, or left where it is"
        : error.parked === "" ? "it would be a dead letter here"
        : ["it would be parked in the queue ", mono(error.parked)];
}

function draw(result) {
    const errors = new Map(result.errors.map((error) => [error.rule, error]));
    const cards = result.matches.map((match) => {
        const error = errors.get(match.rule);
        errors.delete(match.rule);
        return el("article", {class: "match"},
            el("h3", {}, el("bdi", {}, match.rule)), captures(match.captures),
            error && el("p", {class: "bad-text"}, `▲ ${error.reason}: `, parked(error)),
            el("ul", {class: "plain-list"}, match.deliveries ? match.deliveries.map(delivery)
                                                             : publish(match)));
    });
    for (const error of errors.values())
        cards.push(el("article", {class: "match"}, el("h3", {}, el("bdi", {}, error.rule)),
                      el("p", {class: "bad-text"}, `▲ ${error.reason}: `, parked(error))));
    const skipped = result.skipped;
    return [
        cards.length > 0 ? cards : el("p", {class: "said bad"}, result.topic === undefined
            ? "No reverse rule reads this queue." : "No rule matches: the gateway would not hear it."),
        skipped.length > 0 && el("details", {open: cards.length === 0 && skipped.length < 10},
            el("summary", {}, `${several(skipped.length, "rule does", "rules do")} not apply`),
            el("ul", {class: "skipped"}, skipped.slice(0, SKIPPED_SHOWN).map((one) =>
                el("li", {}, el("strong", {}, el("bdi", {}, one.rule)), `: ${one.reason}`)),
               skipped.length > SKIPPED_SHOWN &&
                   el("li", {}, `and ${count(skipped.length - SKIPPED_SHOWN)} more`))),
    ];
}

export class Explain {
    constructor() {
        this.asked = 0;
        $("explain-form").addEventListener("submit", (event) => {
            event.preventDefault();
            this.run();
        });
        $("explain-form").addEventListener("change", () => this.relabel());
        this.relabel(); /* a browser restores what was chosen */
    }

    get up() {
        return $("explain-form").elements.side.value === "topic";
    }

    relabel() {
        setText($("explain-what"), this.up ? "Topic" : "Queue");
        setText($("explain-body-what"), this.up ? "Payload" : "Body");
        $("explain-options").hidden = !this.up;
    }

    question() {
        const name = $("explain-name").value, text = $("explain-body").value;
        if (!this.up)
            return {queue: name, body: text};
        return {topic: name, payload: text, qos: Number($("explain-qos").value),
                retain: $("explain-retain").checked,
                ...($("explain-type").value && {content_type: $("explain-type").value})};
    }

    async run() {
        const mine = ++this.asked;
        try {
            const result = await ask("api/v1/explain",
                {post: true, body: this.question(), patience: PATIENCE_MS});
            if (mine === this.asked)
                fill($("explained"), draw(result));
        } catch (error) {
            if (mine === this.asked)
                fill($("explained"), el("p", {class: "said bad"}, error.message));
        }
    }
}
