"""The operator's page in a real browser: what it shows, what it does, and what it must not do."""

import re
import signal
import unittest
import urllib.request

import harness
from browser import Browser, Driver

OK = {"name": "ok", "from": "ok/+device/#rest", "to": {"queue": "q"}}
RAW = {"name": "raw", "from": "raw/#", "to": {"queue": "q"}}
NOPE = {"name": "nope", "from": "nope", "to": {"queue": "not-there"}}
DOWN = {"name": "down", "from": {"queue": "commands", "wait": "1s"}, "to": "cmd/{json:/d}",
        "payload": "jq:.p"}
HOSTILE_TOPIC = "raw/<img src=x onerror=window.owned=1>\"'\u202egnp"
HOSTILE_TEXT = "<script>window.owned=1</script>\"'&lt;\u202etxt.exe"
NOT_UTF8 = b"\xff<b>"

# The lowest contrast of any text that can be seen, with that text (WCAG 2.1 s. 1.4.3).
CONTRAST = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
    for (; node; node = node.parentElement) {
        const [r, g, b, a = 1] = numbers(getComputedStyle(node).backgroundColor);
        if (a === 1)
            return [r, g, b];
    }
    return [255, 255, 255];
};
let worst = [21, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text; (text = walker.nextNode());) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || node.closest(".unseen, script, noscript, option") ||
        node.disabled)
        continue;
    const a = luminance(numbers(getComputedStyle(node).color).slice(0, 3)) + 0.05;
    const b = luminance(ground(node)) + 0.05;
    const contrast = Math.max(a, b) / Math.min(a, b);
    if (contrast < worst[0])
        worst = [contrast, text.data];
}
return worst;
"""


class PageTest(harness.FlowTest):
    """One browser for all; each test has a gateway, and so an origin, of its own."""

    @classmethod
    def setUpClass(cls):
        cls.stage = harness.Stage()
        cls.stage.set_up()
        cls.browser = cls.stage.opened(Browser(Driver(cls.stage).start(), cls.stage.folder))

    @classmethod
    def tearDownClass(cls):
        cls.stage.end_all()
        cls.stage.remove_folder()

    def start_all(self, rules=(OK, RAW), token="", listen="127.0.0.1:0", **how):
        self.start_broker()
        self.start_cmq(queues=["q", "commands"])
        self.start_gateway(list(rules), admin={"listen": listen, "token": token}, **how)
        port = int(self.gateway.wait_log(r"admin\.listening.* port=(\d+)")[1])
        self.url = f"http://127.0.0.1:{port}/"
        self.device = self.opened(self.broker.client("device"))
        self.browser.size(1280, 900)

    def open(self):
        self.browser.open(self.url)
        self.browser.console()

    def open_ready(self):
        self.open()
        self.wait("#verdict-title", "^Ready$")

    def wait(self, selector, pattern):
        """As Browser.wait_text, of a page that looks again at once."""
        def look():
            self.browser.run("document.dispatchEvent(new Event('visibilitychange'))")
            return re.search(pattern, self.browser.text(selector))
        return harness.wait_until(
            lambda: f"{selector} says {pattern!r}; it says {self.browser.text(selector)!r}", look, 30,
            pause=0.1)

    def count(self, selector):
        return self.browser.run("return document.querySelectorAll(arguments[0]).length", selector)

    def assert_quiet(self):
        """The page complained of nothing, and asked nobody but its gateway."""
        self.assertEqual(self.browser.console(), [])
        asked = self.browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        self.assertGreater(len(asked), 3)
        self.assertEqual([url for url in asked if not url.startswith((self.url, "data:"))], [])

    # ---- what it shows ----

    def test_figures_appear_and_move(self):
        self.start_all(rules=[OK], reverse=[DOWN])
        self.open_ready()
        for part in ("#broker", "connected since .* for .*connected to tcp"), \
                ("#cmq", "CMQ"), ("#spool", "accepting.* of 960 MiB used"), \
                ("#facts", r"version \d+\.\d+\.\d+ .*up .*gateway\.cfg"), ("#id", "^edge-1$"):
            self.wait(part[0], "(?s)" + part[1].replace(" ", r"\s+"))
        rule = ".rule[data-key='forward ok'] tr"
        self.wait(rule, r"ok\s+ok/\+device/#rest → queue q\s+0\s+0\s+0\s+0\s+–")
        self.device.publish("ok/d1/x", "1")
        self.wait(rule, r"queue q\s+1\s+1\s+0\s+0\s+\d\d:")
        self.device.publish("ok/d1/x", "2")
        self.cmq.send("commands", '{"d":"d1","p":1}')
        self.wait(rule, r"queue q\s+2\s+2\s")
        self.wait(".rule[data-key='reverse down'] tr", r"{json:/d}\s+1\s+1\s")
        self.wait("#up .figure", r"0\.\d/s|[1-9]\d*(\.\d)?/s")
        self.assertGreater(self.browser.run(
            "return document.querySelector('#up .line').getAttribute('d').length"), 20)
        self.assertRegex(self.browser.run(
            "return document.querySelector('#up svg').getAttribute('aria-label')"), r"received now")
        self.assertIn("edge-1 – ready", self.browser.run("return document.title"))
        self.assert_quiet()

    def test_it_says_what_is_wrong_and_what_to_do(self):
        self.start_all(rules=[OK, NOPE])
        self.open_ready()
        self.device.publish("nope", "1")
        self.wait("#troubles", r"(?s)queue not-there held.*4440")
        self.wait("#reasons", r"(?s)CMQ says that the account or a name is wrong.*create the queue")
        self.wait(".rule", r"(?s)nope.*▲ \d\d:\d\d:\d\d queue not-there")  # it comes first
        self.broker.terminate()
        self.wait("#reasons", r"(?s)no session with the broker.*Connection refused.*See that the broker")
        self.assertIn("not ready", self.browser.run("return document.title"))
        self.assertRegex(self.browser.text("#announce"), "not ready|Broker: connecting")
        self.broker.start()
        self.wait("#broker", "connected")
        self.wait("#reasons", r"^(?!.*broker)")
        self.assert_quiet()

    def test_old_figures_are_shown_as_old(self):
        port = harness.free_port()
        self.start_all(listen=f"127.0.0.1:{port}")
        self.open_ready()
        self.gateway.kill()
        self.wait("#verdict", r"(?s)No answer.*nobody listens there.*of \d\d:\d\d:\d\d UTC")
        self.assertEqual(self.browser.run("return document.body.className"), "stale")
        self.assertIn("no answer", self.browser.run("return document.title"))
        self.gateway.start()
        self.wait("#verdict-title", "^Ready$")
        self.assertEqual(self.browser.run("return document.body.className"), "")
        self.gateway.signal(signal.SIGSTOP)
        self.browser.wait_text("#verdict", "(?s)No answer.*it takes too long")
        self.gateway.signal(signal.SIGCONT)
        self.wait("#verdict-title", "^Ready$")

    # ---- what it does ----

    def test_dead_letters_are_shown_replayed_and_dropped(self):
        self.start_all()
        self.device.publish("raw/x", NOT_UTF8)
        for _ in range(24):
            self.device.publish("ok/d/x", NOT_UTF8)
        self.open_ready()
        self.wait("#letters-count", "^25 in all$")
        self.wait("#verdict", r"(?s)Ready.*25 dead letters to look at\.")
        self.assertEqual(self.count(".letter"), 20)
        self.browser.click("#letters-pager button:last-child")
        self.wait("#letters-pager", "page 2")
        self.assertEqual(self.count(".letter"), 5)
        self.assertEqual(self.focus(), "Previous")  # there is no next page
        self.browser.type("#letters-rule", "raw")
        harness.wait_until("one letter is listed", lambda: self.count(".letter") == 1)
        self.assertIn("raw_not_utf8", self.browser.text(".letter"))
        self.browser.click(".letter .buttons button:first-child")
        self.wait(".letter .detail", r"(?s)topic\s+raw/x.*0000  ff 3c 62 3e\s+\.<b>")

        self.browser.click(".letter .buttons button:nth-child(2)")
        self.wait("#letters-said", r"(?s)0 letters replayed, 1 kept.*raw_not_utf8")
        self.gateway.sections["forward"] = [OK, {**RAW, "body": "base64"}]
        self.gateway.write_config()
        self.browser.click("#reload")
        self.wait("#reloaded", r"Reloaded at .*~ forward rule raw")
        self.browser.click(".letter .buttons button:nth-child(2)")
        self.wait("#letters-said", "1 letter replayed")
        self.assertEqual(self.cmq.take("q", 1), ["/zxiPg=="])

        self.browser.type("#letters-rule", "ok")
        self.wait("#letters-drop", "Drop all of ok")
        harness.wait_until("a page is listed", lambda: self.count(".letter") == 20)
        self.browser.click(".letter .buttons button:nth-child(3)")
        self.wait("#confirm", "deleted for good")
        self.browser.keys("enter")  # Cancel has the focus
        self.assertEqual(self.count("dialog[open]"), 0)
        self.assertEqual(self.gateway.spool_stat()["dead_letters"], 24)
        self.browser.click("#letters-drop")
        self.browser.click("#confirm-yes")
        self.wait("#letters-said", "24 letters dropped")
        self.wait("#letters-pager", "this rule has none")
        self.assertEqual(self.gateway.spool_stat()["dead_letters"], 0)
        self.assert_quiet()

    def test_a_message_is_explained(self):
        self.start_all(reverse=[DOWN])
        self.open_ready()
        self.browser.type("#explain-name", "ok/d7/a/b")
        self.browser.type("#explain-body", "21")
        self.browser.click("#explain-form button")
        self.wait("#explained", r"(?s)ok\s+device\s+d7\s+rest\s+a/b.*queue q.*body, 2 bytes\s+21"
                                r".*1 rule does not apply")
        self.browser.click("#explained summary")
        self.wait("#explained .skipped", "raw:")
        self.browser.type("#explain-name", "ok/#")
        self.browser.click("#explain-form button")
        self.wait("#explained", "may not contain '#'")
        self.browser.type("#explain-name", "elsewhere")
        self.browser.click("#explain-form button")
        self.wait("#explained", "No rule matches")
        self.browser.click("#explain-form input[value=queue]")
        self.browser.type("#explain-name", "commands")
        self.browser.type("#explain-body", '{"d":"d9","p":{"on":true}}')
        self.browser.click("#explain-form button")
        self.wait("#explained", r'(?s)down\s+→ cmd/d9, QoS 1.*payload, 11 bytes\s+{"on":true}')
        self.browser.type("#explain-body", "on")
        self.browser.click("#explain-form button")
        self.wait("#explained", "not_json.*dead letter here")

    def test_a_reload_that_fails_shows_every_fault(self):
        self.start_all()
        self.open_ready()
        self.gateway.sections["forward"] = [{**OK, "qos": 7}, {**RAW, "from": "raw/#/x"}]
        self.gateway.write_config()
        self.browser.click("#reload")
        self.wait("#reloaded", r"(?s)The reload failed; the old rules go on.*gateway\.cfg:\d+.*error:.*qos"
                               r".*gateway\.cfg:\d+.*error:")
        self.browser.click("#reloaded button")
        self.assertEqual(self.browser.text("#reloaded"), "")
        self.wait("#verdict", r"(?s)Ready.*The last reload failed\.")

    # ---- what it must not do ----

    def test_hostile_text_stays_text(self):
        self.start_all()
        self.device.publish(HOSTILE_TOPIC, HOSTILE_TEXT.encode() + b"\xff")
        self.device.publish("ok/x/y", HOSTILE_TEXT.encode() + b"\0")
        self.open_ready()
        self.wait("#letters-count", "^2 in all$")
        for nth in (1, 2):
            self.browser.run("document.querySelectorAll('.letter button:first-child')[arguments[0] - 1]"
                             ".click()", nth)
        self.wait("#letters-table", r"(?s)<img src=x onerror=window\.owned=1>\"'\\u202egnp"
                                    r".*<script>window\.owned=1</script>\"'&lt;\\u202etxt\.exe\\u0000")
        self.browser.type("#explain-name", HOSTILE_TOPIC)
        self.browser.type("#explain-body", HOSTILE_TEXT)
        self.browser.click("#explain-form button")
        self.wait("#explained", r"(?s)<script>window\.owned=1</script>\"'&lt;\\u202etxt")
        self.assertEqual(self.count("main img, main script"), 0)
        self.assertIsNone(self.browser.run("return window.owned"))
        self.assert_quiet()

    def test_the_token_is_asked_for_and_kept_in_the_tab(self):
        self.start_all(token="open-sesame")
        with urllib.request.urlopen(self.url) as answer:
            page = answer.read().decode()
        self.assertNotIn("edge-1", page)
        self.assertNotIn(self.folder, page)
        self.open()
        self.wait("#login", "wants its token")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "token")
        self.browser.keys("wrong", "enter")
        self.wait("#login-said", "does not take")
        self.browser.keys("open-sesame", "enter")
        self.wait("#verdict-title", "^Ready$")
        self.wait("#rules-count", "2 rules")
        self.assertEqual(self.browser.run(
            "return [document.cookie, localStorage.length, sessionStorage.length]"), ["", 0, 1])
        self.open_ready()
        self.browser.click("#logout")
        self.wait("#login", "wants its token")
        self.assertEqual(self.browser.run("return sessionStorage.length"), 0)

    # ---- for everybody ----

    def focus(self):
        return self.browser.run("const it = document.activeElement;"
                                "return it.id || it.textContent.trim()")

    def tab_to(self, what):
        for _ in range(60):
            self.browser.keys("tab")
            if self.focus() == what:
                self.assertGreaterEqual(float(self.browser.run(
                    "return parseFloat(getComputedStyle(document.activeElement).outlineWidth)")), 2)
                return
        self.fail(f"Tab never comes to {what}")

    def test_a_keyboard_is_enough(self):
        self.start_all()
        self.device.publish("raw/x", NOT_UTF8)
        self.open_ready()
        self.wait("#letters-count", "^1 in all$")
        self.browser.keys("tab")
        self.assertEqual(self.focus(), "Skip to the state")
        self.browser.keys("enter")
        self.assertEqual(self.focus(), "main")
        self.tab_to("rules-filter")
        self.browser.keys("raw")
        self.wait("#rules-table", r"(?s)^((?!queue q.*queue q).)*$")
        self.tab_to("Show")
        self.browser.keys("enter")
        self.wait("#letters-table", "ff 3c 62 3e")
        self.assertEqual(self.focus(), "Hide")
        self.tab_to("Drop")
        self.browser.keys("enter")
        self.wait("#confirm", "Drop dead letter")
        self.browser.keys("escape")
        self.assertEqual(self.focus(), "Drop")
        self.browser.keys("enter", "tab", "enter")
        self.wait("#letters-said", "1 letter dropped")
        harness.wait_until("the focus stays near", lambda: self.focus() == "letters")
        self.tab_to("explain-name")
        self.browser.keys("ok/d/x", "tab", "21", "shift+tab", "enter")
        self.wait("#explained", "queue q")
        self.browser.run("document.activeElement.blur()")
        self.tab_to("reload")
        self.browser.keys("space")
        self.wait("#reloaded", "nothing is different")

    def test_it_can_be_read_on_a_phone_by_day_and_night(self):
        long_name = "n" * 60
        self.start_all(rules=[RAW, NOPE, {"name": long_name, "from": "long/" + "level/" * 20 + "#",
                                          "to": {"queue": "q"}}])
        self.device.publish("raw/" + "very-long-topic" * 20, NOT_UTF8)
        self.device.publish("nope", "1")
        self.open()
        self.wait("#troubles", "not-there")
        self.wait("#letters-count", "1 in all")
        self.browser.click(".letter .buttons button:first-child")
        self.browser.type("#explain-name", "raw/" + "x" * 300)
        self.browser.click("#explain-form button")
        self.wait("#explained", "raw")
        for width in (360, 320):
            self.browser.size(width, 740)
            self.assertLessEqual(
                self.browser.run("return document.documentElement.scrollWidth"), width)
        for scheme in ("light", "dark"):
            self.browser.colours(scheme)
            worst, text = self.browser.run(CONTRAST)
            self.assertGreaterEqual(worst, 4.5, f"{scheme}: {text}")
        dark = self.browser.run("return getComputedStyle(document.body).backgroundColor")
        self.browser.colours("light")
        self.assertNotEqual(
            dark, self.browser.run("return getComputedStyle(document.body).backgroundColor"))

    def test_ten_thousand_rules_do_not_freeze_it(self):
        self.start_all(rules=[{"name": f"rule{n}", "from": f"many/{n}", "to": {"queue": "q"}}
                              for n in range(10000)], subscribed=False)
        self.broker.wait_subscribed("many/9999")
        self.device.publish("many/8765", NOT_UTF8)
        self.open_ready()
        self.wait("#rules-count", "10,000 rules")
        self.assertEqual(self.count(".rule"), 50)
        self.browser.type("#rules-filter", "rule876")
        self.wait("#rules-pager, #rules-table", "rule876")
        harness.wait_until("eleven rules are shown", lambda: self.count(".rule") == 11)
        self.browser.type("#rules-filter", "many/")
        self.wait("#rules-pager", "1 to 50 of 10,000")
        self.browser.click("#rules-pager button:last-child")
        self.wait("#rules-pager", "51 to 100 of 10,000")
        self.assert_quiet()

    def test_without_scripts_it_still_tells_the_state(self):
        self.start_all(rules=[OK, NOPE, {**RAW, "body": "jq:error(\"<i>&quot;\")"}])
        self.device.publish("nope", "1")
        self.device.publish("raw/x", "1")
        self.gateway.wait_log("cmq.hold")
        plain = self.stage.opened(Browser(self.browser.driver, self.stage.folder, javascript=False))
        plain.open(self.url)
        plain.wait_text("#plain", r"(?s)cmqgw edge-1 .*NOT READY.*queue not-there: held.*> nope"
                                  r".*> raw.*<i>&quot;.*readiness.*With JavaScript")
        self.assertEqual(plain.text("#app") + plain.text("#login"), "")
        plain.close()


if __name__ == "__main__":
    unittest.main()
