"""screenshots - pictures of the operator's page for docs/page.md, of real programs at work

python3 -B tests/flow/screenshots.py FOLDER
"""

import os
import sys
import time

import harness
from browser import Browser, Driver

QUEUES = ["ingest", "alarms", "archive", "downlink", "replies"]
RULES = [
    {"name": "telemetry", "from": "fleet/+product/+device/telemetry/#metric",
     "to": {"queue": "ingest"}},
    {"name": "alarms", "from": "fleet/+product/+device/alarm", "to": {"queue": "alarms"}},
    {"name": "snapshots", "from": "fleet/+product/+device/snapshot", "to": {"queue": "archive"}},
    {"name": "firmware", "from": "fleet/+product/+device/firmware", "to": {"queue": "firmware"}},
    {"name": "requests", "from": "fleet/+product/+device/request/+what", "to": {"queue": "replies"}},
]
COMMANDS = [{"name": "commands", "from": {"queue": "downlink", "wait": "1s"},
             "to": "fleet/{json:/product}/{json:/device}/cmd", "payload": "jq:.payload"}]


class NamedPlainly(harness.Gateway):
    """A gateway whose configuration has a name without a folder: it stands on the page."""

    def __init__(self, *words):
        super().__init__(*words)
        self.argv[-1] = "gateway.cfg"
        os.chdir(os.path.dirname(self.path))


class Pictures(harness.Stage):
    def __init__(self, folder):
        self.out = folder

    def take(self):
        harness.Gateway = NamedPlainly
        self.start_broker()
        self.start_cmq(queues=QUEUES)
        self.start_gateway([rule for rule in RULES if rule["name"] != "firmware"], reverse=COMMANDS)
        port = int(self.gateway.wait_log(r"admin\.listening.* port=(\d+)")[1])
        self.url = f"http://127.0.0.1:{port}/"
        driver = Driver(self).start()
        self.browser = self.opened(Browser(driver, self.folder))
        self.browser.open(self.url)
        self.browser.wait_text("#verdict-title", "Ready")
        self.work(45)
        self.shot("page-light", 1280, 960, "light")
        self.shot("page-dark", 1280, 960, "dark")
        self.shot("page-phone", 360, 780, "light", scale=1.5)
        self.explain()
        self.trouble(driver)

    def work(self, seconds):
        """Devices that send, a little more and a little less, and commands for them."""
        with self.broker.client("devices") as device:
            end = time.monotonic() + seconds
            turn = 0
            while time.monotonic() < end:
                turn += 1
                for n in range(20 + 15 * (turn // 40 % 3)):
                    device.publish(f"fleet/pump/d{n}/telemetry/pressure", f'{{"bar":{n / 7:.2f}}}')
                if turn % 10 == 0:
                    device.publish("fleet/pump/d7/alarm", '{"level":"high"}')
                    self.cmq.send("downlink", '{"product":"pump","device":"d7","payload":{"on":true}}')
                if turn == 40:
                    device.publish("fleet/pump/d9/snapshot", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe")
                    self.cmq.send("downlink", "on please")
                time.sleep(0.05)

    def shot(self, name, width, height, scheme, scale=1):
        self.browser.size(width, height, scale)
        self.browser.colours(scheme)
        self.browser.run("scrollTo(0, 0)")
        time.sleep(0.5)
        self.browser.screenshot(os.path.join(self.out, f"{name}.png"))

    def explain(self):
        self.browser.size(1280, 960)
        self.browser.click("#letters-table button[aria-expanded]")
        self.browser.wait_text("#letters-table", "received")
        self.browser.type("#explain-name", "fleet/pump/d7/telemetry/pressure/in")
        self.browser.type("#explain-body", '{"bar":3.1}')
        self.browser.click("#explain-form button")
        self.browser.wait_text("#explained", "telemetry")
        self.browser.colours("light")
        self.browser.run("document.activeElement.blur();"
                         "document.getElementById('letters').scrollIntoView()")
        time.sleep(0.3)
        self.browser.screenshot(os.path.join(self.out, "page-letters.png"))

    def trouble(self, driver):
        """A queue that is not there, and then no broker."""
        self.gateway.sections["forward"] = RULES
        self.gateway.write_config()
        self.browser.click("#reload")
        self.browser.wait_text("#reloaded", "Reloaded")
        self.broker.wait_subscribed("fleet/+/+/firmware")
        with self.broker.client("devices") as device:
            device.publish("fleet/pump/d7/firmware", "1.2.3")
            self.browser.wait_text("#troubles", "firmware")
        self.browser.click("#reloaded button")
        self.broker.terminate()
        self.browser.wait_text("#reasons", "no session with the broker")
        time.sleep(6)
        self.shot("page-trouble", 1280, 960, "light")
        plain = self.opened(Browser(driver, self.folder, javascript=False))
        plain.open(self.url)
        plain.size(900, 700)
        plain.screenshot(os.path.join(self.out, "page-plain.png"))


def main():
    pictures = Pictures(sys.argv[1])
    pictures.set_up()
    try:
        pictures.take()
    except BaseException:
        pictures.print_logs("screenshots")
        raise
    finally:
        pictures.end_all()
        pictures.remove_folder()


if __name__ == "__main__":
    main()
