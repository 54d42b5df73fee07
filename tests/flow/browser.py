"""browser - Debian's Chromium without a window, driven through chromedriver's HTTP (W3C WebDriver)

A Browser has a folder of its own for its profile, inside the test's, and asks nothing but what it is told to.
"""

import base64
import http.client
import json
import os
import re
import tempfile

import harness

# By a pipe instead of a port: it ends with chromedriver, which ends with the test.
FLAGS = ["--remote-debugging-pipe", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--no-default-browser-check", "--hide-scrollbars", "--no-proxy-server",
         "--disable-features=Translate,OptimizationHints,MediaRouter"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"tab": "\ue004", "enter": "\ue007", "space": " ", "escape": "\ue00c", "shift": "\ue008"}


class Driver(harness.Process):
    """chromedriver on a port of its own choice."""

    def __init__(self, test):
        super().__init__(test, "chromedriver", ["chromedriver", "--port=0", "--log-level=WARNING"],
                         env={"HOME": test.folder, "TMPDIR": test.folder})

    def start(self):
        self.launch()
        self.port = int(self.wait_log(r"started successfully on port (\d+)")[1])
        return self


class Browser:
    """One window."""

    def __init__(self, driver, folder, width=1280, height=900, javascript=True):
        self.driver = driver
        flags = FLAGS + [f"--user-data-dir={tempfile.mkdtemp(prefix='browser-', dir=folder)}",
                         f"--window-size={width},{height}"]
        options = {"args": flags}
        if not javascript:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        self.session = None
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = answer["sessionId"]
        self.size(width, height)

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.driver.port, timeout=60)
        where = path if self.session is None else f"/session/{self.session}{path}"
        try:
            connection.request(method, where, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and answer.get("error"):
            raise AssertionError(f"{method} {path}: {answer['error']}: {answer['message'][:500]}")
        return answer

    def close(self):
        if self.session:
            self._ask("DELETE", "")
            self.session = None

    # ---- going and looking ----

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function in the page; what it returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def cdp(self, command, **parameters):
        """A command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, scale=1):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=scale, mobile=False)

    def colours(self, scheme):
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])

    def text(self, selector="body"):
        """What can be read of an element; "" when there is none, or it is hidden."""
        return self.run("const it = document.querySelector(arguments[0]);"
                        "return it?.checkVisibility() ? it.innerText : ''", selector)

    def wait_text(self, selector, pattern, patience=20):
        """Waits until the element's text matches; the match."""
        return harness.wait_until(
            lambda: f"{selector} says {pattern!r}, not {self.text(selector)!r}",
            lambda: re.search(pattern, self.text(selector)), patience)

    def console(self):
        """What the page complained of since the last call; what its policy stopped is among it."""
        return [entry for entry in self._ask("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path, whole=False):
        picture = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                           **({"clip": self._whole()} if whole else {}))
        with open(path, "wb") as out:
            out.write(base64.b64decode(picture["data"]))

    def _whole(self):
        size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        return {**size, "scale": 1}

    # ---- hands ----

    def find(self, selector):
        return self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self._ask("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        """Puts the text where another one was, as a person would."""
        element = self.find(selector)
        self._ask("POST", f"/element/{element}/clear", {})
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def keys(self, *names):
        """Presses keys one after the other: names of KEYS, or text; "shift+tab" holds the first."""
        actions = []
        for name in names:
            held, _, key = name.rpartition("+")
            strokes = [KEYS[key]] if key in KEYS else list(key)
            down = [{"type": "keyDown", "value": KEYS[held]}] if held else []
            up = [{"type": "keyUp", "value": KEYS[held]}] if held else []
            actions += down
            for stroke in strokes:
                actions += [{"type": "keyDown", "value": stroke}, {"type": "keyUp", "value": stroke}]
            actions += up
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})
