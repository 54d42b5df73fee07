/*
 * chart - figures of the last ten minutes, as lines
 *
 * The gateway keeps no history; the page collects what it sees from when it was opened. Until that
 * is ten minutes ago the chart spans less.
 */

import {count, el, rate, setAttribute, setText} from "./dom.js";

const SPANS_MIN = [1, 2, 5, 10], LONGEST_S = 600;
const WIDTH = 600, HEIGHT = 80, TOP = 4;
const NOW_S = 10; /* the figure for now is of so long */
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes))
        node.setAttribute(key, value);
    return node;
}

/* 1, 2 or 5 and zeros, at least n. */
function roundUp(n) {
    const unit = 10 ** Math.floor(Math.log10(n));
    return unit * [1, 2, 5, 10].find((step) => step * unit >= n);
}

export class Chart {
    /* lines: their names, as read out; the first one is filled. unit: "/s" or "". */
    constructor(lines, unit) {
        this.lines = lines;
        this.unit = unit;
        this.points = []; /* {t: s, values: []}; values null: the gateway had just started */
        this.paths = lines.map((_, i) => svg("path", {class: `line line-${i}`}));
        this.area = svg("path", {class: "area"});
        this.svg = svg("svg", {
            viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
        });
        this.svg.append(svg("path", {class: "base", d: `M0 ${HEIGHT - 0.5}H${WIDTH}`}),
                        this.area, ...this.paths);
        this.top = el("span", {class: "top-label"});
        this.begin = el("span", {});
        this.node = el("div", {class: "chart"}, this.top, this.svg,
                       el("span", {class: "axis"}, this.begin, el("span", {}, "now")));
    }

    add(t, values) {
        if (t < this.points[this.points.length - 1]?.t) /* the gateway's clock was put back */
            this.points = [];
        this.points.push({t, values});
        while (this.points.length > 1 && this.points[1].t < t - LONGEST_S)
            this.points.shift();
        this.draw(t);
    }

    draw(now) {
        const seen = this.points.filter((point) => point.values);
        const peak = Math.max(0, ...seen.flatMap((point) => point.values));
        const max = roundUp(Math.max(peak, 1));
        const minutes = SPANS_MIN.find((span) => now - this.points[0].t <= span * 60) ?? 10;
        const x = (t) => ((1 - (now - t) / (minutes * 60)) * WIDTH).toFixed(1);
        const y = (v) => (HEIGHT - (v / max) * (HEIGHT - TOP)).toFixed(1);
        this.paths.forEach((path, i) => {
            let pen = "M";
            let d = "";
            for (const point of this.points) {
                if (point.values)
                    d += `${pen}${x(point.t)} ${y(point.values[i])}`;
                pen = point.values ? "L" : "M";
            }
            path.setAttribute("d", d);
        });
        this.area.setAttribute("d", seen.length < 2 ? "" :
            `M${x(seen[0].t)} ${HEIGHT}` +
            seen.map((p) => `L${x(p.t)} ${y(p.values[0])}`).join("") +
            `L${x(seen[seen.length - 1].t)} ${HEIGHT}Z`);
        setText(this.top, `${count(max)}${this.unit}`);
        setText(this.begin, `${minutes} min ago`);
        const last = seen[seen.length - 1];
        setAttribute(this.svg, "aria-label", last
            ? this.lines.map((name, i) => `${name} now ${rate(last.values[i])}${this.unit}`)
                .join(", ") + `, at most ${rate(peak)}${this.unit} since this page watches`
            : "nothing was seen yet");
    }
}

/* What totals grow by in a second. */
export class Rates {
    constructor() {
        this.seen = []; /* {t, totals}, since the gateway's start, of the last seconds */
        this.started = "";
    }

    /* {step: since the answer before, now: of some seconds}; null before there are two answers. */
    add(started, t, totals) {
        if (this.started !== started || t < this.seen[this.seen.length - 1]?.t)
            this.seen = [];
        this.started = started;
        const since = (before) =>
            totals.map((total, i) => (total - before.totals[i]) / (t - before.t));
        const before = this.seen[this.seen.length - 1];
        if (t === before?.t)
            return null;
        while (this.seen.length > 1 && this.seen[1].t <= t - NOW_S)
            this.seen.shift();
        const rates = before ? {step: since(before), now: since(this.seen[0])} : null;
        this.seen.push({t, totals});
        return rates;
    }
}
