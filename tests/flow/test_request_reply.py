"""examples/request-reply, as it is: a device asks over MQTT 5, a program behind CMQ answers."""

import os
import re
import shutil
import subprocess
import sys
import unittest

import harness

EXAMPLE = os.path.join(harness.ROOT, "examples", "request-reply")


class Example(harness.Gateway):
    """A gateway whose configuration is a copy of the example's, on other ports."""

    def write_config(self):
        pass


class RequestReply(harness.FlowTest):
    def start_example(self):
        """The example's own resources and rules; only addresses and the state folder differ."""
        self.start_broker()
        with open(os.path.join(EXAMPLE, "gateway.cfg"), encoding="utf-8") as file:
            text = file.read()
        path = os.path.join(self.folder, "gateway.cfg")
        os.environ.update(CMQ_SECRET_ID=self.secret_id, CMQ_SECRET_KEY=self.secret_key)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.start_cmq(["placeholder"])
        self.local.kill()
        self.local.path = path
        self.local.start()
        for old, new in (("tcp://127.0.0.1:1883", f"tcp://127.0.0.1:{self.broker.port}"),
                         ("http://127.0.0.1:8280", self.local.url),
                         ("/var/tmp/cmqgw-request-reply", os.path.join(self.folder, "state"))):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.gateway = Example(self, {}).start()
        self.broker.wait_subscribed("service/+/request")

    def test_a_device_gets_the_answer_to_its_question_where_it_asked_for_it(self):
        self.start_example()
        shutil.copy(os.path.join(harness.BIN, "cmqgw"), self.folder)
        backend = subprocess.Popen(
            [sys.executable, os.path.join(EXAMPLE, "backend.py"), self.gateway.path, "3"],
            env={**os.environ, "PATH": self.folder + os.pathsep + os.environ["PATH"]})
        self.closing.append(harness.LoadCloser(backend))
        with self.broker.client("d7") as asking, self.broker.client("d8") as other:
            for device, name in ((asking, "d7"), (other, "d8")):
                device.subscribe(f"responses/{name}/#")
            asking.publish("service/oracle/request", b"not a question")  # wants no answer
            asking.publish("service/oracle/request", b'{"q": 1}', response_topic="responses/d7/1",
                           correlation=b"\x00\xff first")
            other.publish("service/oracle/request", b'{"q": 2}', response_topic="responses/d8")
            answer, = asking.wait_messages(1)
            bare, = other.wait_messages(1)
        self.assertEqual(answer.topic, "responses/d7/1")
        self.assertEqual(answer.properties["correlation"], b"\x00\xff first")
        self.assertEqual(answer.properties["content_type"], "application/json")
        self.assertLessEqual(answer.properties["expiry"], 60)
        self.assertTrue(re.search(rb'"q": 1.*"answer": 42', answer.payload), answer.payload)
        self.assertEqual(bare.topic, "responses/d8")
        self.assertNotIn("correlation", bare.properties)
        self.assertEqual(backend.wait(30), 0)
        self.assertEqual((self.cmq.counts("requests"), self.gateway.dead_letters()), (0, []))


if __name__ == "__main__":
    unittest.main()
