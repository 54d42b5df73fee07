/* main - asks the gateway every two seconds and has the parts show what it says */

import {Refusal, Silence, ask, hasToken, useToken} from "./api.js";
import {$, announce, clock, el, fill, seconds, setAttribute, setText} from "./dom.js";
import {Explain} from "./explain.js";
import {Letters} from "./letters.js";
import {Overview, showReasons} from "./overview.js";
import {Rules} from "./rules.js";

const POLL_MS = 2000;
const RELOAD_PATIENCE_MS = 60000;

const overview = new Overview();
const letters = new Letters();
const rules = new Rules((rule) => {
    letters.choose(rule);
    $("letters").focus();
    $("letters").scrollIntoView();
});
new Explain();

let timer;
let last = null; /* {status, at}: the last answer, and when it came by the browser's clock */
let silentSince = 0; /* ms: of the first question not answered; 0: all are */
let problem = "";

/* ---- the last reload ---- */

let dismissed = ""; /* the time of the one that was read and closed */
let first = null;   /* the time of the one before this page: only its failure is of interest */

function showReload(reload, now) {
    const time = reload?.time ?? "";
    first ??= time;
    const wanted = reload !== null && time !== dismissed && (!reload.ok || time !== first);
    const panel = $("reloaded");
    if (panel.dataset.time === time && panel.hidden === !wanted)
        return;
    panel.dataset.time = time;
    panel.hidden = !wanted;
    if (!wanted)
        return;
    panel.className = `banner ${reload.ok ? "good" : "bad"}`;
    const close = el("button", {type: "button", on: {click: () => {
        dismissed = time;
        panel.hidden = true;
        $("reload").focus();
    }}}, "Close");
    fill(panel,
        el("strong", {}, reload.ok ? "Reloaded" : "The reload failed; the old rules go on"),
        ` at ${clock(time, now)} UTC: ${reload.summary || "nothing is different"} `, close,
        reload.faults.length > 0 && el("ul", {}, reload.faults.map((fault) =>
            el("li", {}, el("code", {}, `${fault.file}:${fault.line}`),
               ` ${fault.level}: ${fault.text}`))));
    announce(reload.ok ? "The rules are reloaded" : "The reload failed; the old rules go on");
}

async function reload() {
    const button = $("reload");
    button.disabled = true;
    setText(button, "Reloading …");
    try {
        await ask("api/v1/reload", {post: true, patience: RELOAD_PATIENCE_MS, accept: 422});
    } catch (error) {
        showFault(`Reload: ${error.message}`);
    }
    button.disabled = false;
    setText(button, "Reload rules");
    if (document.activeElement === document.body)
        button.focus();
    poll(true);
}

/* ---- what the page itself runs into ---- */

/* passing: until the gateway answers well again; shown once, then, even if closed. */
function showFault(text, passing = false) {
    const panel = $("fault");
    if (panel.dataset.text === text && (passing || !panel.hidden))
        return;
    const close = el("button", {type: "button", on: {click: () => {
        panel.hidden = true;
    }}}, "Close");
    fill(panel, text, " ", close);
    panel.dataset.text = text;
    panel.dataset.passing = passing;
    panel.hidden = false;
}

function endPassingFault() {
    if ($("fault").dataset.passing === "true") {
        $("fault").hidden = true;
        $("fault").dataset.text = "";
    }
}

addEventListener("error", (event) => showFault(`The page has a fault: ${event.message}`));
addEventListener("unhandledrejection", (event) =>
    showFault(`The page has a fault: ${event.reason?.message ?? event.reason}`));

/* ---- the token ---- */

function wantToken() {
    const wrong = hasToken();
    clearTimeout(timer);
    silentSince = 0;
    endPassingFault();
    useToken("");
    $("plain").hidden = true;
    $("app").hidden = $("nav").hidden = $("actions").hidden = true;
    $("login").hidden = false;
    setText($("login-said"), wrong ? "The gateway does not take this token." : "");
    $("token").value = "";
    $("token").focus();
}

$("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useToken($("token").value);
    poll(true);
});
$("logout").addEventListener("click", () => {
    useToken("");
    location.reload();
});
$("reload").addEventListener("click", reload);

/* ---- asking again and again ---- */

function icon(kind) {
    const colour = {good: "2e7d4f", bad: "c0392b", stale: "8a8a8a"}[kind];
    setAttribute($("icon"), "href", "data:image/svg+xml," + encodeURIComponent(
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">` +
        `<circle cx="8" cy="8" r="7" fill="#${colour}"/></svg>`));
}

function show(status) {
    const back = silentSince !== 0;
    silentSince = 0;
    last = {status, at: Date.now()};
    document.body.classList.remove("stale");
    if (back)
        announce("The gateway answers again");
    overview.show(status);
    showReload(status.reload.last, status.gateway.now);
    const appears = $("app").hidden;
    $("plain").hidden = $("login").hidden = true; /* not before the rest can be seen */
    $("app").hidden = $("nav").hidden = $("actions").hidden = false;
    $("logout").hidden = !hasToken();
    if (appears && location.hash.length > 1)
        $(location.hash.slice(1))?.scrollIntoView();
    const id = status.gateway.id;
    document.title = status.ready ? `${id} – ready – cmqgw` : `▲ ${id} – not ready – cmqgw`;
    icon(status.ready ? "good" : "bad");
}

/* What is on the page is old: say so, and since when. */
function showSilence() {
    if (!silentSince)
        return;
    if (!last || !$("login").hidden) {
        showFault(`The gateway does not answer: ${problem}`, true);
        return;
    }
    document.body.classList.add("stale");
    setAttribute($("verdict"), "class", "verdict bad");
    setText($("verdict-title"), "No answer");
    $("verdict-text").hidden = false;
    const now = last.status.gateway.now;
    setText($("verdict-text"), `The gateway does not answer (${problem}). Everything below is of ` +
        `${clock(now, now)} UTC, ${seconds(Math.round((Date.now() - last.at) / 1000))} ago. ` +
        `Does the process run? systemctl status cmqgw`);
    showReasons([]);
    document.title = `▲ ${last.status.gateway.id} – no answer – cmqgw`;
    icon("stale");
}

async function poll(always) {
    clearTimeout(timer);
    try {
        const status = await ask("api/v1/status");
        show(status);
        await Promise.all([rules.poll(status.gateway.now, always),
                           letters.seen(status.spool.dead_letters, status.gateway.now)]);
        endPassingFault();
    } catch (error) {
        if (error instanceof Refusal && error.status === 401) {
            wantToken();
            return;
        }
        if (error instanceof Refusal) {
            showFault(error.message, true);
            return;
        }
        if (!(error instanceof Silence))
            throw error;
        if (!silentSince)
            announce("The gateway does not answer");
        silentSince ||= Date.now();
        problem = error.message;
        showSilence();
    } finally {
        clearTimeout(timer);
        if ($("login").hidden)
            timer = setTimeout(poll, POLL_MS);
    }
}

setInterval(showSilence, 1000);
document.addEventListener("visibilitychange", () => {
    if (!document.hidden && $("login").hidden)
        poll(true);
});
poll(true);
