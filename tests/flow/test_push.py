"""CMQ pushes to the gateway: the answer waits for the broker, and repeats are known."""

import base64
import http.client
import json
import threading
import unittest

import harness
from downlink import DownlinkTest

PATH = "/hook/9f2c7a1be4d853069f2c7a1be4d85306"
HOOK = {"name": "hook", "from": {"push": PATH}, "to": "pushed/{json:/device}"}
BODY = '{"device":"d7","n":1}'


class Push(DownlinkTest):
    def start_push(self, listen="127.0.0.1:0", **rule):
        self.start_all([{**HOOK, **rule}], queues=["unused"], push={"listen": listen})
        self.wait_push()

    def wait_push(self):
        self.port = int(self.gateway.wait_log(r"push\.listening.*port=(\d+)")[1])
        self.gateway.wait_log("mqtt.connected")

    def post(self, body, msg_id="1", path=PATH, method="POST", simple=True, timeout=30):
        """As CMQ does (CMQ.md 6); the status."""
        headers = {"Content-Type": "text/plain", "x-cmq-request-id": "2394928734",
                   "x-cmq-message-id": msg_id, "x-cmq-message-tag": "a, b"}
        if not simple:
            body = json.dumps({"TopicOwner": 100015036, "topicName": "t", "subscriptionName": "s",
                               "msgId": msg_id, "msgBody": body, "publishTime": 11203432})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body if isinstance(body, bytes) else body.encode(),
                               headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def test_both_formats_reach_the_device(self):
        self.start_push()
        self.assertEqual(self.post(BODY, "1"), 200)
        self.assertEqual(self.tap.acked, {BODY.encode()}, "200 before the broker had it")
        second = '{"device":"d8","text":"\u00e4\\u0000"}'
        self.assertEqual(self.post(second, "2", simple=False), 200)
        self.assertEqual(self.wait_got(2), {BODY.encode(): "pushed/d7", second.encode(): "pushed/d8"})

    def test_the_answer_waits_for_the_brokers_acknowledgement(self):
        self.start_push()
        self.tap.hold_acks = True
        status = []
        pushing = threading.Thread(target=lambda: status.append(self.post(BODY)))
        pushing.start()
        harness.wait_until("the broker has it", lambda: self.tap.acked)
        self.never("an answer before the acknowledgement", lambda: status, 1)
        self.tap.hold_acks = False
        self.tap.cut()  # the gateway sends it again on a new connection
        pushing.join(harness.PATIENCE)
        self.assertEqual(status, [200])

    def test_without_a_broker_it_is_to_be_pushed_again(self):
        self.start_push()
        self.broker.terminate()
        self.gateway.wait_log("mqtt.connecting")
        harness.wait_until("it says 503", lambda: self.post(BODY) == 503)
        self.broker.start()
        harness.wait_until("it says 200", lambda: self.post(BODY) == 200)
        self.assertEqual(self.tap.published, {BODY.encode(): 1})

    def test_other_paths_and_methods_do_not_exist(self):
        self.start_push()
        for method, path in (("POST", "/"), ("POST", PATH[:-1]), ("POST", PATH + "/"),
                             ("POST", PATH[:-1] + "7"), ("GET", PATH), ("PUT", PATH)):
            self.assertEqual(self.post(BODY, method=method, path=path), 404, (method, path))
        self.assertEqual(self.tap.published, {})
        self.assertNotIn(PATH, self.gateway.log())

    def test_a_push_that_comes_again_is_known_also_after_a_kill(self):
        self.start_push()
        for _ in range(3):
            self.assertEqual(self.post(BODY, "17"), 200)
        self.gateway.kill()
        self.assertEqual(self.notes(), {("push/hook", "17")})
        self.gateway.start()
        self.wait_push()
        harness.wait_until("it says 200", lambda: self.post(BODY, "17") == 200)
        self.assertEqual(self.tap.published, {BODY.encode(): 1})
        figures = self.stop_gateway()
        self.assertEqual((figures["recognised"], figures.get("published", 0)), (1, 0))

    def test_poison_is_parked_and_not_pushed_again(self):
        self.start_push()
        poison = [b"not JSON", b"{}", b"\xff\xfe", b'{"device":"a/b"}']
        for number, body in enumerate(poison):
            self.assertEqual(self.post(body, str(number)), 200)
        letters = self.gateway.dead_letters()
        self.assertEqual([base64.b64decode(letter["body_base64"]) for letter in letters], poison)
        self.assertEqual(letters[0]["origin"], {"queue": "push/hook", "msgId": "0"})
        told = json.loads(self.gateway.run("dead-letters", "replay", "--json").stdout)
        self.assertEqual(told["replayed"], 0)
        for kept in told["kept"]:
            self.assertIn("can only be exported or dropped", kept["reason"])

    def test_poison_is_parked_in_a_queue_with_its_bytes(self):
        self.start_push(dead_letter="unused")
        self.assertEqual(self.post(b"\xff\xfe", "5"), 200)
        parked = json.loads(self.cmq.take("unused", 1)[0])
        self.assertEqual(base64.b64decode(parked.pop("body_base64")), b"\xff\xfe")
        self.assertRegex(parked.pop("reason"), "^template_missing: ")
        self.assertEqual(parked, {"rule": "hook", "queue": "push/hook", "msgId": "5"})

    def test_what_the_local_server_pushes_reaches_the_devices_in_both_formats(self):
        self.start_broker()
        port = harness.free_port()
        paths = {"json": PATH, "simplified": PATH[:-1] + "7"}
        self.start_cmq(["unused"], [{"name": "orders", "filter": "tag", "subscriptions": [
            {"name": name, "url": f"http://127.0.0.1:{port}{path}", "format": name}
            for name, path in paths.items()]}])
        self.start_cmq = lambda *_: None
        self.start_all([{**HOOK, "name": name, "from": {"push": path},
                         "to": name + "/{json:/device}"} for name, path in paths.items()],
                       push={"listen": f"127.0.0.1:{port}"})
        self.wait_push()
        count = 50
        for number in range(count):
            self.cmq.publish("orders", json.dumps({"device": f"d{number}"}))
        harness.wait_until("both subscriptions had their copy",
                           lambda: len(self.devices.messages) == 2 * count)
        self.assertEqual(sorted(message.topic for message in self.devices.messages),
                         sorted(f"{name}/d{n}" for n in range(count) for name in paths))


if __name__ == "__main__":
    unittest.main()
