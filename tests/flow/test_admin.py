"""The admin endpoint of a running gateway: what it tells, whom it answers, what it survives."""

import base64
import http.client
import json
import os
import random
import re
import socket
import subprocess
import unittest

import harness

RULES = [{"name": "ok", "from": "ok/+x", "to": {"queue": "q"}},
         {"name": "raw", "from": "raw/#", "to": {"queue": "q"}},
         {"name": "nope", "from": "nope", "to": {"queue": "not-there"}}]
COMMANDS = [{"name": "down", "from": {"queue": "commands", "wait": "1s"},
             "to": "cmd/{json:/d}", "payload": "jq:.p"}]


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class AdminTest(harness.FlowTest):
    token = ""

    def start_all(self, rules=(), listen="127.0.0.1:0", **how):
        self.start_broker()
        self.start_cmq(queues=["q", "commands"])
        self.start_gateway(list(rules), admin={"listen": listen, "token": self.token}, **how)
        self.find_port()
        self.devices = self.opened(self.broker.client("devices"))

    def find_port(self):
        self.port = int(self.gateway.wait_log(r"admin\.listening.* port=(\d+)")[1])

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.PATIENCE)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def api(self, path, **how):
        answer = self.ask(f"/api/v1/{path}", **how)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def rule(self, name):
        return next(rule for rule in self.api("rules")["rules"] if rule["name"] == name)

    def readiness(self):
        answer = self.ask("/readyz")
        codes = [reason["code"] for reason in answer.json["reasons"]]
        self.assertEqual((answer.status, answer.json["ready"]),
                         (503, False) if codes else (200, True))
        return codes

    def wait_ready(self, *codes):
        harness.wait_until(lambda: f"readiness is {codes}; it is {self.readiness()}",
                           lambda: self.readiness() == list(codes))

    def publish(self, topic, *payloads, qos=1):
        for payload in payloads:
            self.devices.publish(topic, payload, qos=qos)


class Readiness(AdminTest):
    def test_it_follows_broker_cmq_and_spool(self):
        self.start_all(RULES[:1])
        self.wait_ready()
        self.broker.terminate()
        self.wait_ready("mqtt_not_connected")
        self.assertEqual(self.ask("/healthz").json, {"ok": True})
        self.broker.start()
        self.wait_ready()

        self.devices = self.opened(self.broker.client("devices-2"))
        self.local.kill()
        self.publish("ok/1", b"while CMQ is away")
        self.wait_ready("cmq_failing")
        trouble, = self.api("status")["cmq"]["troubles"]
        self.assertEqual((trouble["destination"], trouble["state"], trouble["code"]),
                         ("queue q", "backing_off", None))
        self.local.start()
        self.wait_ready()
        self.wait_count("q", 1)

    def test_a_queue_that_is_not_there_is_a_reason_until_it_is(self):
        self.start_all(RULES)
        self.publish("nope", b"x")
        self.wait_ready("cmq_held")
        self.assertIn("not-there", self.ask("/readyz").json["reasons"][0]["text"])
        status = self.api("status")
        self.assertEqual(status["cmq"]["state"], "held")
        self.assertEqual(status["cmq"]["troubles"][0]["code"], 4440)
        self.assertIn("4440", self.rule("nope")["last_error"]["text"])
        self.assertGreater(self.rule("nope")["figures"]["held"], 0)

    def test_a_queue_that_cannot_be_read_is_a_reason(self):
        self.start_all(reverse=[{"name": "lost", "from": {"queue": "not-there"}, "to": "t"}])
        self.wait_ready("cmq_held")
        trouble, = self.api("status")["cmq"]["troubles"]
        self.assertEqual(trouble["destination"], "reading queue not-there")
        self.assertIsNotNone(self.rule("lost")["last_error"])

    def test_a_full_spool_is_a_reason_until_there_is_room(self):
        self.start_all(RULES[:1], spool={"max_size": "16MiB", "sync": "crash"})
        self.local.kill()
        self.publish_load(20000, "ok/1", size=1024)
        harness.wait_until("the spool is full", lambda: "spool_full" in self.readiness())
        spool = self.api("status")["spool"]
        self.assertEqual(spool["state"], "full")
        self.assertGreaterEqual(spool["used_bytes"], spool["capacity_bytes"])
        self.assertEqual(spool["absorbs_s"], 0.0)
        self.local.start()
        self.wait_ready()

    def test_a_broker_that_was_never_there_is_a_reason(self):
        self.start_broker()
        self.start_cmq()
        self.broker.terminate()
        self.start_gateway([], subscribed=False)
        self.find_port()
        self.wait_ready("mqtt_not_connected")


class Figures(AdminTest):
    def samples(self):
        """The metrics, after a strict look at their form: {name{labels}: value}."""
        answer = self.ask("/metrics")
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        return parse_metrics(answer.body.decode())

    def test_metrics_and_status_say_what_was_done(self):
        self.start_all(RULES[:2], reverse=COMMANDS)
        self.publish("ok/1", *[b"m%d" % n for n in range(50)])
        self.publish("raw/x", b"good", b"\xff", b"\0", b"@x")
        self.publish("nobody/listens", b"x")
        self.cmq.send("commands", '{"d":"d1","p":{"on":true}}')
        self.cmq.send("commands", '{"no":"device"}')
        self.wait_count("q", 51)
        harness.wait_until("all is counted", lambda: self.rule("down")["figures"]["deleted"] == 2
                           and self.rule("ok")["figures"]["delivered"] == 50)

        down = self.rule("down")
        self.assertEqual(down["figures"], {"taken": 2, "published": 1, "refused": 0, "parked": 1,
                                           "recognised": 0, "deleted": 2, "dead_letters": 1})
        self.assertIn("template_missing", down["last_error"]["text"])
        raw = self.rule("raw")
        self.assertEqual(raw["figures"], {"matched": 4, "planned": 1, "delivered": 1, "retried": 0,
                                          "held": 0, "dead_letters": 3})
        self.assertEqual(raw["dead_letters_by_reason"],
                         {"raw_not_utf8": 1, "raw_nul": 1, "raw_at": 1})
        self.assertEqual((raw["from"], raw["to"]), (["raw/#"], ["queue q"]))
        self.assertIsNone(self.rule("ok")["last_error"])

        status = self.api("status")
        totals = status["totals"]
        self.assertEqual((totals["received"], totals["delivered"], totals["dead"]), (54, 51, 4))
        self.assertEqual(status["latency"]["end_to_end"]["count"], 51)
        self.assertEqual(status["spool"]["dead_letters"], 4)
        self.assertEqual(status["rules"], {"forward": 2, "reverse": 1, "with_errors": 2})
        self.assertGreater(status["rates"]["received"], 0)
        self.assertEqual(status["process"]["threads"], self.threads())

        metrics = self.samples()
        expected = {
            'cmqgw_ready': 1,
            'cmqgw_mqtt_state{state="connected"}': 1,
            'cmqgw_mqtt_messages_received_total': 54,
            'cmqgw_rule_messages_matched_total{rule="ok"}': 50,
            'cmqgw_rule_deliveries_delivered_total{rule="ok"}': 50,
            'cmqgw_rule_dead_letters_total{direction="forward",rule="raw",reason="raw_nul"}': 1,
            'cmqgw_rule_commands_published_total{rule="down"}': 1,
            'cmqgw_rule_commands_parked_total{rule="down"}': 1,
            'cmqgw_delivery_duration_seconds_count': 51,
            'cmqgw_publish_duration_seconds_count': 1,
            'cmqgw_cmq_batch_deliveries_sum': 51,
            'cmqgw_spool_dead_letters': 4,
        }
        self.assertEqual({name: metrics.get(name) for name in expected}, expected)
        self.assertGreater(metrics["process_resident_memory_bytes"], 1 << 20)
        self.assertGreater(metrics["process_start_time_seconds"], 1e9)

    def threads(self):
        return len(os.listdir(f"/proc/{self.gateway.pid}/task"))

    def test_messages_that_are_dropped_are_counted_by_why(self):
        self.start_all(RULES[:1])
        self.devices.publish("ok/1", b"round and round", user=[("cmqgwvia", "edge-1")])
        name = 'cmqgw_messages_dropped_total{reason="loop"}'
        harness.wait_until("the loop is counted", lambda: self.samples()[name] == 1)

    def test_a_hostile_rule_name_forges_no_metric(self):
        name = 'x"} 1\\ncmqgw_ready 0'
        self.start_all([{**RULES[0], "name": name}])
        self.publish("ok/1", b"x")
        self.wait_count("q", 1)
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        metric = f'cmqgw_rule_messages_matched_total{{rule="{escaped}"}}'
        self.assertEqual(self.samples()[metric], 1)


class Reload(AdminTest):
    def reload(self, rules):
        self.gateway.sections["forward"] = rules
        self.gateway.write_config()
        return self.ask("/api/v1/reload", method="POST")

    def test_figures_outlive_their_rule_and_find_it_again(self):
        self.start_all(RULES[:2])
        self.publish("ok/1", b"1", b"2", b"3")
        self.wait_count("q", 3)
        harness.wait_until("three are counted",
                           lambda: self.rule("ok")["figures"]["delivered"] == 3)
        answer = self.reload(RULES[1:2])
        self.assertEqual((answer.status, answer.json),
                         (200, {"ok": True, "summary": "- forward rule ok", "faults": []}))
        gone = self.rule("ok")
        self.assertEqual((gone["active"], gone["file"], gone["from"]), (False, None, []))
        self.assertEqual(gone["figures"]["delivered"], 3)
        self.assertEqual(self.api("explain?topic=ok/1")["matches"], [])

        self.assertEqual(self.reload(RULES[:2]).status, 200)
        self.broker.wait_subscribed("ok/+")
        self.publish("ok/1", b"4")
        self.wait_count("q", 4)
        harness.wait_until("the fourth, too",
                           lambda: self.rule("ok")["figures"]["delivered"] == 4)
        self.assertTrue(self.rule("ok")["active"])
        self.assertEqual(len(self.api("explain?topic=ok/1")["matches"]), 1)

    def test_a_failed_reload_shows_until_a_good_one(self):
        self.start_all(RULES[:1])
        self.assertIsNone(self.api("status")["reload"]["last"])
        answer = self.reload([{**RULES[0], "from": "a/#/b"}])
        self.assertEqual((answer.status, answer.json["ok"]), (422, False))
        last = self.api("status")["reload"]["last"]
        self.assertEqual((last["ok"], last["faults"]), (False, answer.json["faults"]))
        self.assertEqual(last["faults"][0]["level"], "error")
        self.assertEqual(self.metric("cmqgw_reload_successful"), 0)
        self.assertEqual(self.readiness(), [])  # the old rules work
        self.assertEqual(self.reload(RULES[:1]).status, 200)
        reload = self.api("status")["reload"]
        self.assertEqual((reload["count"], reload["failed"], reload["last"]["ok"]), (2, 1, True))
        self.assertEqual(self.metric("cmqgw_reload_successful"), 1)
        self.assertEqual(self.metric('cmqgw_reloads_total{result="failed"}'), 1)

    def metric(self, name):
        return parse_metrics(self.ask("/metrics").body.decode())[name]


class DeadLetters(AdminTest):
    def test_they_are_listed_shown_replayed_and_dropped(self):
        self.start_all(RULES[:2])
        self.publish("raw/1", *[b"\xff%d" % n for n in range(5)])
        harness.wait_until("five letters", lambda: self.api("dead-letters")["total"] == 5)
        page = self.api("dead-letters?limit=2")
        self.assertEqual(len(page["dead_letters"]), 2)
        rest = self.api(f"dead-letters?limit=1000&after={page['next']}&rule=raw")
        self.assertEqual((len(rest["dead_letters"]), rest["next"]), (3, None))
        self.assertEqual(self.api("dead-letters?rule=ok")["dead_letters"], [])
        listed = page["dead_letters"] + rest["dead_letters"]
        self.assertEqual(listed, json.loads(self.gateway.command("dead-letters", "list", "--json")))

        first = listed[0]["id"]
        shown = self.api(f"dead-letters/{first}")
        self.assertEqual(base64.b64decode(shown["body_base64"]), b"\xff0")
        self.assertEqual(shown["origin"]["topic"], "raw/1")
        self.assertEqual(shown, json.loads(
            self.gateway.command("dead-letters", "show", str(first), "--json")))

        result = self.api("dead-letters/replay", method="POST", body={"ids": [first, 999]})
        self.assertEqual((result["replayed"], result["next"]), (0, None))
        self.assertIn("fails again", result["kept"][0]["reason"])
        self.assertEqual(result["kept"][1],
                         {"id": 999, "reason": "there is no dead letter with this id"})
        result = self.api("dead-letters/drop", method="POST", body={"ids": [first]})
        self.assertEqual(result, {"kept": [], "dropped": 1, "next": None})
        result = self.api("dead-letters/drop", method="POST", body={"rule": "raw"})
        self.assertEqual(result["dropped"], 4)
        self.assertEqual(self.api("dead-letters")["dead_letters"], [])

    def test_what_cmq_refused_is_delivered_when_it_is_replayed(self):
        self.start_all(RULES[:1])
        self.cmq.faults({"action": "SendMessage", "mode": "code", "code": 4430, "count": 1})
        self.publish("ok/1", b"once more")
        harness.wait_until("a letter", lambda: self.api("dead-letters")["total"] == 1)
        result = self.api("dead-letters/replay", method="POST", body={"all": True})
        self.assertEqual((result["replayed"], result["kept"]), (1, []))
        self.wait_count("q", 1)
        harness.wait_until("no letter", lambda: self.api("status")["spool"]["dead_letters"] == 0)


class Explain(AdminTest):
    def test_it_answers_as_the_command_line_does(self):
        self.start_all(RULES, reverse=COMMANDS)
        command = ["explain", "ok/zz", "--payload", "hé", "--qos", "2", "--user", "k=v", "--json"]
        wanted = json.loads(self.gateway.command(*command))
        self.assertEqual(self.api("explain", method="POST", body={
            "topic": "ok/zz", "payload": "hé", "qos": 2,
            "user": [{"key": "k", "value": "v"}]}), wanted)
        self.assertEqual(self.api("explain?topic=ok/zz&payload=h%C3%A9&qos=2"), wanted)
        wanted = json.loads(self.gateway.command(
            "explain", "--queue", "commands", "--body", '{"d":"x","p":1}', "--json"))
        self.assertEqual(self.api("explain", method="POST", body={
            "queue": "commands", "body": '{"d":"x","p":1}'}), wanted)
        answer = self.api("explain?topic=raw/1&payload=%ff")
        self.assertIn("raw_not_utf8", answer["errors"][0]["reason"])

    def test_an_answer_has_its_bound(self):
        targets = [{"queue": f"q{n}"} for n in range(10)]
        self.start_all([{"name": "fan", "from": "fan", "to": targets}])
        question = {"topic": "fan", "payload": "x" * 900000}
        answer = self.ask("/api/v1/explain", method="POST", body=question)
        self.assertEqual(answer.status, 413)
        self.assertIn("too large", answer.json["error"])
        question["payload"] = "x" * 400000
        self.assertEqual(len(self.api("explain", method="POST", body=question)["matches"][0]
                             ["deliveries"]), 10)

    def test_questions_that_are_none_are_refused(self):
        self.start_all(RULES[:1])
        for body in (b"", b"[]", b"{", b'{"topic":\0"t"}', {"topic": "a/#"},
                     {"topic": "t", "qos": 9}):
            self.assertEqual(self.ask("/api/v1/explain", method="POST", body=body).status, 400)
        self.assertEqual(self.ask("/api/v1/explain").status, 400)
        self.assertEqual(self.ask("/api/v1/explain?topic=t&qos=x").status, 400)
        huge = {"topic": "ok/1", "payload": "x" * (1 << 20)}
        self.assertEqual(self.ask("/api/v1/explain", method="POST", body=huge).status, 413)


class Guard(AdminTest):
    def test_a_page_in_a_browser_cannot_drive_it(self):
        self.start_all(RULES[:1])
        here = f"127.0.0.1:{self.port}"
        refused = ({"Host": "evil.example"}, {"Host": f"evil.example:{self.port}"},
                   {"Origin": "http://evil.example"}, {"Origin": "null"},
                   {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"})
        for headers in refused:
            for path, method in (("/", "GET"), ("/healthz", "GET"), ("/api/v1/status", "GET"),
                                 ("/api/v1/reload", "POST"), ("/not-there", "GET")):
                answer = self.ask(path, method=method, **headers)
                self.assertEqual(answer.status, 403, (headers, path))
        for path, status in (("/", 200), ("/api/v1/status", 403)):  # a link on another page
            answer = self.ask(path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
            self.assertEqual(answer.status, status)
        for headers in ({"Host": f"localhost:{self.port}"}, {"Origin": f"http://{here}"},
                        {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
            self.assertEqual(self.ask("/api/v1/status", **headers).status, 200, headers)
        answer = self.ask("/api/v1/dead-letters/drop", method="POST", body={"all": True},
                          Content_Type="text/plain")
        self.assertEqual(answer.status, 415)

    def test_methods_paths_and_headers(self):
        self.start_all(RULES[:1])
        for path, method, allow in (("/metrics", "POST", "GET, HEAD"), ("/", "PUT", "GET, HEAD"),
                                    ("/api/v1/reload", "GET", "POST"),
                                    ("/api/v1/explain", "DELETE", "GET, HEAD, POST"),
                                    ("/api/v1/dead-letters/1", "DELETE", "GET, HEAD")):
            answer = self.ask(path, method=method)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, allow), path)
        for path in ("/x", "/api/v1/", "/api/v1/status/", "/metrics/x", "//", "/page/x",
                     "/api/v1/dead-letters/", "/api/v1/dead-letters/x", "/api/v1/dead-letters/-1",
                     "/api/v1/dead-letters/1/2", "/api/v1/dead-letters/99999999999999999999"):
            self.assertEqual(self.ask(path).status, 404, path)
        for path in ("/", "/healthz", "/metrics", "/api/v1/status", "/api/v1/dead-letters",
                     "/not-there"):
            answer, head = self.ask(path), self.ask(path, method="HEAD")
            self.assertEqual((head.status, head.body), (answer.status, b""))
            for headers in (answer.headers, head.headers):
                self.assertEqual(headers["Cache-Control"], "no-store")
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
                self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])


class Token(AdminTest):
    token = "correct horse"

    def test_only_who_shows_it_is_answered(self):
        self.start_all(RULES[:1], listen="0.0.0.0:0")
        for shown in ("", "Bearer", "Bearer ", "Bearer correct", "Bearer correct horsee",
                      "Basic correct horse", "correct horse"):
            for path in ("/metrics", "/api/v1/status", "/api/v1/rules", "/not-there"):
                answer = self.ask(path, Authorization=shown)
                self.assertEqual(answer.status, 401, (shown, path))
                self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
            self.assertEqual(self.ask("/api/v1/reload", method="POST", Authorization=shown).status,
                             401)
        self.assertEqual(self.ask("/api/v1/status").status, 200)
        self.assertEqual(self.ask("/api/v1/status", Host="any.example").status, 200)
        self.assertEqual(self.ask("/api/v1/status", Origin="http://evil.example").status, 403)

    def test_health_needs_none_but_tells_only_codes(self):
        self.start_all(RULES[:1], listen="0.0.0.0:0")
        self.assertEqual(self.ask("/", Authorization="").status, 200)
        self.assertEqual(self.ask("/healthz", Authorization="").status, 200)
        self.broker.terminate()
        self.wait_ready("mqtt_not_connected")
        reason, = self.ask("/readyz", Authorization="").json["reasons"]
        self.assertEqual(reason, {"code": "mqtt_not_connected", "text": None})
        reason, = self.ask("/readyz").json["reasons"]
        self.assertTrue(reason["text"])

    def test_the_status_command_shows_it(self):
        port = harness.free_port()
        self.start_all(RULES[:1], listen=f"0.0.0.0:{port}")
        self.wait_ready()
        self.assertIn("edge-1", self.gateway.command("status"))
        self.gateway.sections["admin"]["token"] = "another"
        self.gateway.write_config()
        done = subprocess.run([self.gateway.argv[0], "status", "-c", self.gateway.path],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another token", done.stderr)


class Listening(AdminTest):
    def test_a_port_that_is_taken_is_said_and_messages_pass(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.start_broker()
            self.start_cmq(queues=["q"])
            self.start_gateway(RULES[:1],
                               admin={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})
            self.gateway.wait_log(r"error admin\.cannot_listen.*in use")
            self.opened(self.broker.client()).publish("ok/1", b"x", qos=1)
            self.wait_count("q", 1)

    def test_without_an_address_nothing_listens(self):
        self.start_broker()
        self.start_cmq(queues=["q"])
        self.start_gateway(RULES[:1], admin={"listen": ""})
        self.assertEqual(self.gateway.log_lines(r"admin\."), [])
        done = self.status()
        self.assertEqual(done.returncode, 1)
        self.assertIn("admin.listen is empty", done.stderr)

    def status(self, *words):
        return subprocess.run([self.gateway.argv[0], "status", *words, "-c", self.gateway.path],
                              capture_output=True, text=True, check=False)

    def test_the_status_command_tells_by_its_exit_code(self):
        port = harness.free_port()
        self.start_all(RULES[:1], listen=f"127.0.0.1:{port}")
        self.wait_ready()
        self.publish("ok/1", b"x")
        self.wait_count("q", 1)
        done = self.status()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Acmqgw edge-1 \S+  ready  up ")
        self.assertRegex(done.stdout, r"(?m)^> ok +1 +1 +0 +0  ")
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)
        self.assertNotIn("\033", done.stdout)
        both = json.loads(self.status("--json").stdout)
        self.assertTrue(both["status"]["ready"])
        self.assertEqual(both["rules"][0]["name"], "ok")
        quiet = self.status("--quiet")
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "", ""))
        self.assertEqual(self.status("--quiet", "--watch").returncode, 2)

        watch = subprocess.Popen([self.gateway.argv[0], "status", "--watch",
                                  "-c", self.gateway.path], stdout=subprocess.PIPE, text=True)
        heads = 0
        while heads < 2:
            heads += watch.stdout.readline().startswith("cmqgw edge-1")
        watch.terminate()
        watch.communicate()

        # Rule files that are being edited do not matter.
        os.mkdir(os.path.join(self.folder, "rules.d"))
        with open(os.path.join(self.folder, "rules.d", "x.cfg"), "w", encoding="ascii") as broken:
            broken.write("forward = (")
        self.gateway.sections["gateway"]["rules_dir"] = "rules.d"
        self.gateway.write_config()
        self.assertEqual(self.status().returncode, 0)

        self.broker.terminate()
        self.wait_ready("mqtt_not_connected")
        done = self.status()
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT READY", done.stdout)
        quiet = self.status("--quiet")
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (1, "", ""))

        self.gateway.sections["gateway"]["id"] = "edge-2"
        self.gateway.write_config()
        self.assertIn("is not the gateway", self.status().stderr)
        self.gateway.terminate()
        done = self.status()
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody listens", done.stderr)
        quiet = self.status("--quiet")
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (1, "", ""))


class Hostile(AdminTest):
    def send_raw(self, data):
        with socket.create_connection(("127.0.0.1", self.port), harness.PATIENCE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def test_whatever_is_sent_it_goes_on_working(self):
        self.start_all(RULES[:1], reverse=COMMANDS)
        dice = random.Random(4711)
        paths = ["/", "/metrics", "/api/v1/explain", "/api/v1/dead-letters",
                 "/api/v1/dead-letters/replay", "/api/v1/dead-letters/drop", "/api/v1/status"]
        bits = ["{", "}", "[", "]", '"ids"', '"topic"', '"rule"', '"all"', ":", ",", "true",
                "1e999", '"a/+/#"', '"\\ud800"', "\0", "\xff", "{}" * 200, "[" * 500, '"x"', "-1",
                '"payload_base64"', '"user"', '"key"', "99999999999999999999"]
        for _ in range(300):
            body = "".join(dice.choice(bits) for _ in range(dice.randrange(12))).encode("latin-1")
            path = dice.choice(paths) + "?" * dice.randrange(2) + "".join(
                dice.choice("abc%=&;+/\\%00%ff") for _ in range(dice.randrange(20)))
            method = dice.choice(["GET", "POST", "HEAD", "PUT", "BREW"])
            self.send_raw(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                          f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                          .encode("latin-1") + body)
        for raw in (b"", b"\r\n" * 100, b"GET\r\n\r\n", b"\x16\x03\x01" + bytes(range(256)) * 8,
                    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
                    b"POST /api/v1/explain HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 18446744073709551615\r\n\r\n{}"):
            try:
                self.send_raw(raw)
            except OSError:
                pass  # it was cut off, which is an answer, too
        self.assertTrue(self.gateway.running())
        self.assertEqual(self.ask("/healthz").json, {"ok": True})
        self.publish("ok/1", b"still works")
        self.wait_count("q", 1)
        self.assertLess(self.gateway.memory_bytes("VmHWM"), 100 << 20)

    def test_it_stops_while_it_is_asked(self):
        self.start_all(RULES, reverse=COMMANDS)
        self.publish("raw/1", *[b"\xff"] * 200)
        harness.wait_until("the letters are there",
                           lambda: self.api("dead-letters")["total"] == 200)
        asking = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(30)]
        body = b'{"all":true}'
        for connection in asking:
            self.opened(connection).sendall(
                b"POST /api/v1/dead-letters/replay HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.assertEqual(self.gateway.terminate(), 0)


LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{{LABEL}(?:,{LABEL})*\}})? '
                  r'(\+Inf|NaN|[-+.0-9e]+)')


def parse_metrics(text):
    """Prometheus' text format as its own linter wants it, or an AssertionError."""
    samples, types, helped, last = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, what = line[len("# HELP "):].split(" ", 1)
            assert name not in helped and what and what.endswith("."), line
            helped.add(name)
            last = name
        elif line.startswith("# TYPE "):
            name, kind = line[len("# TYPE "):].split(" ")
            assert name == last and name not in types, line
            types[name] = kind
            assert kind == "counter" or not name.endswith("_total"), line
            assert kind != "counter" or name.endswith("_total"), line
        else:
            match = LINE.fullmatch(line)
            assert match, line
            name = match[1]
            family = name
            if types[last] == "histogram":
                family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert family == last, f"{line}: not with its family"
            key = name + (match[2] or "")
            assert key not in samples, line
            samples[key] = float(match[3])
    for name, kind in types.items():
        assert re.fullmatch(r"(cmqgw|process)_[a-z0-9_]+", name), name
        if kind == "histogram":
            buckets = [value for key, value in samples.items() if key.startswith(f"{name}_bucket")]
            assert buckets == sorted(buckets) and buckets[-1] == samples[f"{name}_count"], name
            assert f'{name}_bucket{{le="+Inf"}}' in samples, name
    return samples


if __name__ == "__main__":
    unittest.main()
