/*
 * chart - figures of the last ten minutes, as lines
 *
 * The gateway keeps no history; the page collects what it sees from when it was opened.
 */

import {el, rate, setAttribute, setText} from "./dom.js";

const SPAN_S = 600, WIDTH = 600, HEIGHT = 80, TOP = 4;
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
        this.node = el("div", {class: "chart"}, this.top, this.svg,
                       el("span", {class: "axis"}, el("span", {}, "10 min ago"),
                          el("span", {}, "now")));
    }

    add(t, values) {
        this.points.push({t, values});
        while (this.points.length > 1 && this.points[1].t < t - SPAN_S)
            this.points.shift();
        this.draw(t);
    }

    draw(now) {
        const seen = this.points.filter((point) => point.values);
        const peak = Math.max(0, ...seen.flatMap((point) => point.values));
        const max = roundUp(Math.max(peak, 1));
        const x = (t) => ((1 - (now - t) / SPAN_S) * WIDTH).toFixed(1);
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
        setText(this.top, `${rate(max)}${this.unit}`);
        const last = seen[seen.length - 1];
        setAttribute(this.svg, "aria-label", last
            ? this.lines.map((name, i) => `${name} now ${rate(last.values[i])}${this.unit}`)
                .join(", ") + `, at most ${rate(peak)}${this.unit} since this page watches`
            : "nothing was seen yet");
    }
}

/* What a total grew by in a second, from one answer to the next. */
export class Rates {
    constructor() {
        this.last = null;
    }

    /* null for the first answer, and after a restart. */
    step(started, t, totals) {
        const before = this.last;
        this.last = {started, t, totals};
        if (!before || before.started !== started || t <= before.t)
            return null;
        return totals.map((total, i) => Math.max(0, (total - before.totals[i]) / (t - before.t)));
    }
}
