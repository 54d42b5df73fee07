"""What a person gets wrong: one log line says what and what to do, and putting it right is enough."""

import os
import unittest

import harness

RULES = [{"name": "all", "from": "in/#", "to": {"queue": "store"}}]
PAYLOADS = [f"message {n}" for n in range(30)]


class Recovery(harness.FlowTest):
    def secret(self, name, value):
        """Writes a secret's file; the reference to it."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as secret:
            secret.write(value + "\n")
        return f"@file:{path}"

    def publish(self, **credentials):
        with self.broker.client("device", **credentials) as device:
            device.publish_many([("in/x", payload) for payload in PAYLOADS])

    def expect_one_line(self, *patterns):
        """One warning or error whose text has all of these, and it is not repeated."""
        first = self.gateway.wait_log(patterns[0])
        line = self.gateway.log()[first.start():].splitlines()[0]
        for pattern in patterns[1:]:
            self.assertRegex(line, pattern)
        return line

    def finish(self, queue="store"):
        self.assertTrue(self.gateway.running())
        self.assertEqual(sorted(self.cmq.take(queue, len(PAYLOADS), 60)), sorted(PAYLOADS))
        self.assertEqual(self.gateway.dead_letters(), [])
        self.assertEqual(self.gateway.terminate(), 0)

    def test_a_wrong_secret_key_is_named_held_and_read_again(self):
        self.start_broker()
        self.start_cmq(["store"])
        key = self.secret("key", "wrong")
        self.start_gateway(RULES, cmq={"secret_key": key})
        self.publish()
        self.expect_one_line(r"cmq\.hold.*", r"4100", r"secret_id|secret_key|key")
        self.assertEqual(len(self.gateway.log_lines(r"cmq\.hold")), 1)
        self.assertNotIn("wrong", self.gateway.log())
        self.secret("key", harness.SECRET_KEY)
        self.finish()
        self.assertNotIn(harness.SECRET_KEY, self.gateway.log())

    def test_a_queue_that_does_not_exist_is_named_and_served_once_it_does(self):
        self.start_broker()
        self.start_cmq(["other"])
        self.start_gateway(RULES + [{"name": "other", "from": "ot/#", "to": {"queue": "other"}}])
        self.publish()
        self.expect_one_line(r"cmq\.hold.*", r"queue store", r"4440")
        self.assertEqual(len(self.gateway.log_lines(r"cmq\.hold")), 1)
        with self.broker.client("device") as device:
            device.publish("ot/x", "not held up")
        self.assertEqual(self.cmq.take("other", 1), ["not held up"])
        self.local.terminate()
        port = self.local.port
        self.local = harness.CmqLocal(self, {"queues": [{"name": "store"}]})
        self.local.port = port
        self.local.start()
        self.cmq.close()
        self.finish()

    def test_a_wrong_broker_password_is_named_and_read_again(self):
        self.start_broker(users={"gw": "right", "device": "d"})
        self.start_cmq(["store"])
        password = self.secret("password", "wrong")
        self.start_gateway(RULES, subscribed=False,
                           mqtt={"username": "gw", "password": password})
        self.expect_one_line(r"mqtt\.connecting.*(not auth|credential|password|user ?name)",
                             r"mqtt\.username|mqtt\.password|password")
        self.assertTrue(self.gateway.running())
        self.secret("password", "right")
        self.broker.wait_subscribed("in/#")
        self.publish(username="device", password="d")
        self.finish()

    def test_an_unreachable_broker_is_named_and_found_when_it_comes(self):
        self.start_broker()
        self.broker.terminate()
        self.start_cmq(["store"])
        self.start_gateway(RULES, subscribed=False)
        self.expect_one_line(rf"mqtt\.connecting.*127\.0\.0\.1:{self.broker.port}")
        self.broker.start()
        self.broker.wait_subscribed("in/#")
        self.publish()
        self.finish()

    def test_an_unreachable_cmq_is_named_and_found_when_it_comes(self):
        self.start_broker()
        self.start_cmq(["store"])
        self.local.terminate()
        self.start_gateway(RULES)
        self.publish()
        self.expect_one_line(rf"cmq\.retry.*127\.0\.0\.1:{self.local.port}|cmq\.retry.*onnect")
        self.assertEqual(len(self.gateway.log_lines(r"cmq\.retry")), 1)
        self.local.start()
        self.cmq.close()
        self.finish()

    def test_a_second_gateway_on_the_same_state_directory_is_refused_with_exit_code_3(self):
        self.start_broker()
        self.start_cmq(["store"])
        self.start_gateway(RULES)
        second = harness.Gateway(self, self.gateway.sections)
        second.log_path += ".second"
        second.start()
        self.assertEqual(second.popen.wait(30), 3)
        self.assertRegex(second.log(), r"state")
        self.publish()
        self.finish()

    def test_a_configuration_with_faults_ends_with_exit_code_1_and_names_them(self):
        self.start_broker()
        self.start_cmq(["store"])
        rules = [{"name": "a", "from": "in/#", "too": {"queue": "store"}},
                 {"name": "b", "from": "in/#/x", "to": {"queue": "store"}}]
        self.start_gateway(rules, subscribed=False)
        self.assertEqual(self.gateway.popen.wait(30), 1)
        self.assertRegex(self.gateway.log(), r"gateway\.cfg:\d+: error: .*too")
        self.assertRegex(self.gateway.log(), r"gateway\.cfg:\d+: error: .*in/#/x")


if __name__ == "__main__":
    unittest.main()
