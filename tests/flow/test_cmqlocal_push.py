"""cmqlocal's pushes to http subscriptions, seen from their end points: every byte, every retry.

An end point is a thread on a port that the system chooses. It keeps each request as it came and
answers by a script. The times between tries are a thousandth of the real ones (--push-speedup).
Nothing sleeps: what takes time is waited for, with a deadline.
"""

import collections
import json
import re
import signal
import socket
import socketserver
import threading
import time
import unittest

from test_cmqlocal import DEADLINE, Server

OK, HANG, CLOSE = 200, "hang", "close"

Request = collections.namedtuple("Request", "raw head headers body")


class EndPoint:
    """Answers by a script; its last entry goes on for ever. An entry is a status, HANG (no answer
    until let_go), CLOSE, or the bytes of an answer. Entries may depend on the body: {body: entry}."""

    def __init__(self, *script, family=socket.AF_INET, host="127.0.0.1"):
        self.script = list(script) or [OK]
        self.lock = threading.Condition()
        self.requests = []
        self.gone = 0
        self.released = threading.Event()

        end_point = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    end_point.serve(self.request)
                except ConnectionError:
                    pass # broken off before the request was complete

        class Listener(socketserver.ThreadingTCPServer):
            address_family = family
            daemon_threads = True
            request_queue_size = 64

        self.listener = Listener((host, 0), Handler)
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.01,))
        self.thread.start()

    def url(self, path="/hook", host="127.0.0.1"):
        return "http://%s:%d%s" % (host, self.port, path)

    def serve(self, sock):
        sock.settimeout(DEADLINE)
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += self.more(sock)
        head, rest = raw.split(b"\r\n\r\n", 1)
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")[1:]]
        while len(rest) < int(dict(headers)["Content-Length"]):
            rest += self.more(sock)
        with self.lock:
            entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(entry, dict):
                entry = entry.get(rest.decode(), OK)
            self.requests.append(Request(head + b"\r\n\r\n" + rest, head.decode(), headers, rest))
            self.lock.notify_all()
        if entry == HANG:
            self.wait_for_end(sock)
            entry = OK
        try:
            if isinstance(entry, int):
                sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % entry)
            elif entry != CLOSE:
                sock.sendall(entry)
                self.wait_for_end(sock)
        except OSError:
            pass # nobody waits for the answer any more

    @staticmethod
    def more(sock):
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("the request ended early")
        return piece

    def wait_for_end(self, sock):
        """Waits until the client closes, or let_go."""
        sock.settimeout(0.01)
        while not self.released.is_set():
            try:
                if sock.recv(1) == b"":
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        else:
            return
        with self.lock:
            self.gone += 1
            self.lock.notify_all()

    def let_go(self):
        self.released.set()

    def wait(self, count):
        """The first requests, as soon as there are so many."""
        with self.lock:
            if not self.lock.wait_for(lambda: len(self.requests) >= count, DEADLINE):
                raise AssertionError("only %d requests came" % len(self.requests))
            return list(self.requests)

    def bodies(self, count):
        return [request.body.decode() for request in self.wait(count)]

    def close(self):
        self.let_go()
        self.listener.shutdown()
        self.thread.join()
        self.listener.server_close()


def topology(*subscriptions):
    """A topic "t" with http subscriptions (name, url, settings) and one to the queue "q"."""
    texts = ['{ name = "%s"; url = "%s"; %s }' % s for s in subscriptions]
    return """resources = {
      topics = ( { name = "t"; subscriptions = ( { name = "q"; queue = "q"; }, %s ); } );
      queues = ( { name = "q"; } ); };""" % ",\n".join(texts)


NOWHERE = "http://" + "x" * 64 + ".test/" # too long a label to be asked of any name server
BACKOFF, DECAY = 'retry = "backoff"; format = "simplified";', 'format = "simplified";'


class Push(unittest.TestCase):
    def end_point(self, *script, **options):
        end_point = EndPoint(*script, **options)
        self.addCleanup(end_point.close)
        return end_point

    def serve(self, *subscriptions, options=("--push-speedup", "1000")):
        self.server = Server(*options, topology=topology(*subscriptions))
        self.addCleanup(self.stop)

    def stop(self, how=signal.SIGTERM):
        if self.server:
            server, self.server = self.server, None
            errors = server.stderr()
            self.assertEqual(server.stop(how), 0, errors)

    def publish(self, body, **params):
        answer = self.server.call("PublishMessage", topicName="t", msgBody=body, **params)
        self.assertEqual(answer["code"], 0, answer)
        return answer["msgId"]

    def state(self, name="hook"):
        topics = self.server.control("GET", "/local/state")[1]["topics"]
        return topics["t"]["subscriptions"][name]

    def until(self, name="hook", **counts):
        def reached():
            state = self.state(name)
            return all(state[key] == value for key, value in counts.items())
        self.server.until(reached, "%s %r: %r" % (name, counts, self.state(name)))
        return self.state(name)


class Requests(Push):
    def test_json_is_pushed_byte_for_byte(self):
        end_point = self.end_point()
        self.serve(("hook", end_point.url("/cgi?a=b"), 'format = "json"; retry = "backoff";'))
        before = int(time.time())
        msg_id = self.publish('a "b"\n\u4f60', **{"msgTag.1": "a", "msgTag.2": "b"})
        request = end_point.wait(1)[0]
        pushed = json.loads(request.body)
        self.assertIn(pushed["publishTime"] - before, range(0, DEADLINE))
        body = ('{"TopicOwner":1250000000,"topicName":"t","subscriptionName":"hook","msgId":"%s",'
                '"msgBody":"a \\"b\\"\\n\u4f60","publishTime":%d}'
                % (msg_id, pushed["publishTime"])).encode()
        request_id = dict(request.headers)["x-cmq-request-id"]
        self.assertRegex(request_id, r"^\d+$")
        self.assertEqual(request.raw, (
            "POST /cgi?a=b HTTP/1.1\r\n"
            "Host: 127.0.0.1:%d\r\n"
            "Content-Length: %d\r\n"
            "Content-Type: text/plain\r\n"
            "User-Agent: Qcloud Notification Service Agent\r\n"
            "x-cmq-request-id: %s\r\n"
            "x-cmq-message-id: %s\r\n"
            "x-cmq-message-tag: a, b\r\n"
            "\r\n" % (end_point.port, len(body), request_id, msg_id)).encode() + body)
        self.until(delivered=1, pending=0, failedTries=0, dropped=0, nextTry=None)
        self.assertEqual(self.server.state("q")["active"], 1)

    def test_simplified_is_the_body_alone(self):
        end_point = self.end_point()
        self.serve(("hook", end_point.url(""), DECAY))
        body = "\u4f60\u597d \u0001\r\n\r\n" + "x" * 60000
        msg_id = self.publish(body)
        request = end_point.wait(1)[0]
        self.assertEqual(request.body, body.encode())
        self.assertEqual([name for name, _ in request.headers],
                         ["Host", "Content-Length", "Content-Type", "User-Agent",
                          "x-cmq-request-id", "x-cmq-message-id"]) # no tags: no header
        self.assertTrue(request.head.startswith("POST / HTTP/1.1\r\n"))
        self.assertEqual(dict(request.headers)["Content-Type"], "text/plain")
        self.assertEqual(dict(request.headers)["x-cmq-message-id"], msg_id)

    def test_a_tag_cannot_forge_a_header(self):
        end_point = self.end_point()
        self.serve(("hook", end_point.url(), DECAY))
        self.publish("x", **{"msgTag.1": "a\r\nX-Evil: 1", "msgTag.2": "\u4f60,\t"})
        request = end_point.wait(1)[0]
        self.assertEqual(request.headers[-1], ("x-cmq-message-tag", "a  X-Evil: 1, \u4f60, "))

    def test_a_batch_is_pushed_one_by_one_with_the_ids_of_its_answer(self):
        end_point = self.end_point()
        self.serve(("hook", end_point.url(), BACKOFF))
        answer = self.server.call("BatchPublishMessage", topicName="t",
                                  **{"msgBody.%d" % i: "m%d" % i for i in range(16)})
        requests = end_point.wait(16)
        self.assertEqual([r.body.decode() for r in requests], ["m%d" % i for i in range(16)])
        self.assertEqual([dict(r.headers)["x-cmq-message-id"] for r in requests],
                         [m["msgId"] for m in answer["msgList"]])
        self.assertEqual(len({dict(r.headers)["x-cmq-request-id"] for r in requests}), 16)

    def test_names_and_ipv6_are_resolved(self):
        end_point = self.end_point()
        self.serve(("hook", end_point.url(host="localhost"), DECAY))
        self.publish("x")
        self.assertEqual(dict(end_point.wait(1)[0].headers)["Host"],
                         "localhost:%d" % end_point.port)
        self.stop()
        try:
            end_point = self.end_point(family=socket.AF_INET6, host="::1")
        except OSError:
            self.skipTest("no IPv6 loopback here")
        self.serve(("hook", end_point.url(host="[::1]"), DECAY))
        self.publish("x")
        self.assertEqual(dict(end_point.wait(1)[0].headers)["Host"], "[::1]:%d" % end_point.port)


class Answers(Push):
    def test_every_2xx_is_success(self):
        for status in (200, 201, 202, 204, 299):
            with self.subTest(status=status):
                end_point = self.end_point(status)
                self.serve(("hook", end_point.url(), BACKOFF))
                self.publish("x")
                self.until(delivered=1, pending=0, failedTries=0)
                self.stop()

    def test_the_status_counts_not_the_rest_of_the_answer(self):
        head = b"HTTP/1.1 200 OK\r\n"
        for answer in (head + b"Content-Length: 1000\r\n\r\nshort", # and then silence
                       head + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000000,
                       head + b"Transfer-Encoding: chunked\r\n\r\nnonsense",
                       b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"Content-Length: 0\r\n\r\n"):
            with self.subTest(answer=answer[:70]):
                end_point = self.end_point(answer)
                self.serve(("hook", end_point.url(), BACKOFF),
                           options=("--push-timeout", "2s"))
                self.publish("x")
                self.until(delivered=1, failedTries=0)
                self.stop()

    def test_all_else_is_tried_again(self):
        elsewhere = self.end_point()
        moved = ("HTTP/1.1 %%d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
                 % elsewhere.url())
        for answer in (199, 300, 304, 404, 500, 503, CLOSE, b"garbage\r\n\r\n",
                       (moved % 301).encode(), (moved % 302).encode(), (moved % 307).encode(),
                       b"HTTP/1.1 200 OK\r\n" + b"x" * 100000):
            with self.subTest(answer=answer if isinstance(answer, (int, str)) else answer[:30]):
                end_point = self.end_point(answer, OK)
                self.serve(("hook", end_point.url(), BACKOFF),
                           options=("--push-speedup", "1000", "--push-timeout", "2s"))
                msg_id = self.publish("x")
                requests = end_point.wait(2)
                self.until(delivered=1, failedTries=1, dropped=0)
                self.assertEqual([dict(r.headers)["x-cmq-message-id"] for r in requests],
                                 [msg_id, msg_id])
                self.assertNotEqual(*[dict(r.headers)["x-cmq-request-id"] for r in requests])
                self.assertIn("local.push_failed", self.server.stderr())
                self.stop()
        self.assertEqual(elsewhere.requests, [])

    def test_silence_is_failure_when_the_time_is_up(self):
        end_point = self.end_point(HANG, OK)
        self.serve(("hook", end_point.url(), BACKOFF),
                   options=("--push-speedup", "1000", "--push-timeout", "300ms"))
        began = time.monotonic()
        self.publish("x")
        end_point.wait(2)
        self.assertGreater(time.monotonic() - began, 0.3)
        self.until(delivered=1, pending=0)
        self.assertIn("no answer in time", self.server.stderr())

    def test_an_answer_may_take_its_time(self):
        end_point = self.end_point(HANG)
        self.serve(("hook", end_point.url(), BACKOFF))
        self.publish("x") # returns although nobody has answered
        end_point.wait(1)
        state = self.state()
        self.assertEqual((state["pending"], state["inFlight"], state["nextTry"]), (1, 1, None))
        end_point.let_go()
        self.until(delivered=1, pending=0, inFlight=0, failedTries=0)

    def test_an_end_point_may_come_later(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0)) # not listening: connections are refused
            url = "http://127.0.0.1:%d/" % sock.getsockname()[1]
            self.serve(("hook", url, DECAY))
            self.publish("x")
            self.server.until(lambda: self.state()["failedTries"] >= 3, "failed tries")
            self.assertRegex(self.server.stderr(), "could not connect")
            sock.listen()
            sock.settimeout(DEADLINE)
            connection = sock.accept()[0]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self.until(delivered=1, pending=0)
            connection.close()

    def test_a_name_that_does_not_resolve_is_a_failure(self):
        self.serve(("hook", NOWHERE, BACKOFF))
        self.publish("x")
        self.until(failedTries=4, dropped=1, pending=0)


class Order(Push):
    def test_backoff_drops_after_three_retries_and_goes_on_in_order(self):
        end_point = self.end_point({"m0": 500})
        self.serve(("hook", end_point.url(), BACKOFF))
        for i in range(5):
            self.publish("m%d" % i)
        self.assertEqual(end_point.bodies(8), ["m0"] * 4 + ["m1", "m2", "m3", "m4"])
        state = self.until(delivered=4, dropped=1, pending=0)
        self.assertEqual(state["failedTries"], 4)
        self.assertIn("local.push_dropped", self.server.stderr())

    def test_backoff_has_one_under_way(self):
        end_point = self.end_point(HANG)
        self.serve(("hook", end_point.url(), BACKOFF))
        for i in range(5):
            self.publish("m%d" % i)
        end_point.wait(1)
        self.until(inFlight=1, pending=5)
        self.assertEqual(len(end_point.requests), 1)
        end_point.let_go()
        self.assertEqual(end_point.bodies(5), ["m0", "m1", "m2", "m3", "m4"])

    def test_decay_has_several_under_way(self):
        end_point = self.end_point(HANG)
        self.serve(("hook", end_point.url(), DECAY))
        for i in range(20):
            self.publish("m%d" % i)
        end_point.wait(16)
        self.until(inFlight=16, pending=20)
        self.assertEqual(len(end_point.requests), 16)
        end_point.let_go()
        self.assertEqual(sorted(end_point.bodies(20)), sorted("m%d" % i for i in range(20)))
        self.until(delivered=20, pending=0)

    def test_decay_goes_on_trying_and_new_ones_wait_behind(self):
        end_point = self.end_point({"m0": 500})
        self.serve(("hook", end_point.url(), DECAY))
        self.publish("m0")
        self.server.until(lambda: self.state()["failedTries"] >= 1, "a failed try")
        self.publish("m1")
        end_point.wait(8)
        end_point.script = [OK]
        state = self.until(delivered=2, dropped=0, pending=0)
        tries = state["failedTries"] + 1
        self.assertEqual(end_point.bodies(tries + 1), ["m0"] * tries + ["m1"])

    def test_decay_drops_at_the_end_of_a_life(self):
        end_point = self.end_point({"m0": 500})
        self.serve(("hook", end_point.url(), DECAY), options=("--push-speedup", "100000"))
        began = time.monotonic()
        self.publish("m0")
        self.until(dropped=1, pending=0)
        self.assertGreaterEqual(time.monotonic() - began, 0.864)
        self.publish("m1")
        self.until(delivered=1)

    def test_other_subscriptions_do_not_notice(self):
        well, sick, mute = self.end_point(), self.end_point(500), self.end_point(HANG)
        for settings in (BACKOFF, DECAY):
            with self.subTest(settings=settings):
                seen = len(well.requests)
                self.serve(("sick", sick.url(), settings), ("mute", mute.url(), settings),
                           ("well", well.url(), settings), options=()) # in real time
                for i in range(5):
                    self.publish("m%d" % i)
                    self.until("well", delivered=i + 1)
                self.assertEqual(well.bodies(seen + 5)[seen:], ["m%d" % i for i in range(5)])
                self.assertEqual(self.server.state("q")["active"], 5)
                self.assertEqual(self.state("mute")["pending"], 5)
                self.assertEqual(self.state("mute")["failedTries"], 0)
                if settings == BACKOFF:
                    self.until("sick", failedTries=1, pending=5, inFlight=0)
                self.stop()


class Operation(Push):
    def test_the_state_tells_the_next_try(self):
        end_point = self.end_point(500)
        self.serve(("hook", end_point.url(), BACKOFF), options=())
        self.publish("m0")
        state = self.until(failedTries=1, inFlight=0)
        at = time.strptime(state["nextTry"][:19], "%Y-%m-%dT%H:%M:%S")
        ahead = time.mktime(at) - time.mktime(time.gmtime())
        self.assertTrue(0 <= ahead <= 21, state["nextTry"])

    def test_a_reset_drops_pushes(self):
        end_point = self.end_point(HANG, 500, OK)
        self.serve(("hook", end_point.url(), BACKOFF), options=())
        self.publish("m0")
        self.publish("m1")
        end_point.wait(1)
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)
        with end_point.lock: # the try under way is broken off
            self.assertTrue(end_point.lock.wait_for(lambda: end_point.gone == 1, DEADLINE))
        self.until(pending=0, inFlight=0, delivered=0, failedTries=0)
        self.publish("m2")
        self.until(failedTries=1, pending=1) # rests for 10 s at least
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)
        self.publish("m3")
        self.until(delivered=1, pending=0)
        self.assertEqual(end_point.bodies(3), ["m0", "m2", "m3"])
        self.server.control("POST", "/local/reset") # what the queue has
        self.assertEqual(self.server.control("GET", "/local/state")[1]["messageBytes"], 0)

    def test_pushes_count_as_memory(self):
        end_point = self.end_point(HANG)
        self.serve(("hook", end_point.url(), BACKOFF), options=("--max-memory", "300KiB"))
        answer = {"code": 0}
        published = 0
        while answer["code"] == 0 and published < 10:
            answer = self.server.call("PublishMessage", topicName="t", msgBody="x" * 60000)
            published += answer["code"] == 0
        self.assertEqual((published, answer["code"]), (2, 4410)) # two copies each: queue and push
        end_point.let_go()
        self.until(delivered=2, pending=0)
        self.publish("x" * 60000)

    def test_it_ends_with_pushes_under_way_and_resting(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            mute, sick = self.end_point(HANG), self.end_point(500)
            self.serve(("mute", mute.url(), DECAY), ("sick", sick.url(), BACKOFF),
                       ("nowhere", NOWHERE, DECAY), options=())
            for i in range(3):
                self.publish("m%d" % i)
            mute.wait(3)
            self.until("sick", failedTries=1)
            self.stop(how)

    def test_https_is_marked_and_dropped(self):
        self.serve(("hook", "https://127.0.0.1/x", DECAY))
        self.assertRegex(self.server.stderr(), r"local\.https.*hook|hook.*local\.https")
        self.publish("x")
        state = self.state()
        self.assertEqual(state["unsupported"], "https")
        self.assertEqual((state["delivered"], state["dropped"]), (0, 1))
        self.assertEqual(self.server.state("q")["active"], 1)

    def test_a_url_of_wrong_form_is_refused_with_its_line(self):
        for url in ("http://user@host/", "http://host:99999/", "http://host/#part"):
            with self.subTest(url=url):
                with self.assertRaisesRegex(AssertionError, r":2: error: .*url"):
                    Server(topology=topology(("hook", url, DECAY)))

    def test_options_of_wrong_form_are_refused(self):
        for options in (("--push-timeout", "0s"), ("--push-timeout", "2h"),
                        ("--push-timeout", "15"), ("--push-speedup", "0"),
                        ("--push-speedup", "0.5")):
            with self.subTest(options=options):
                with self.assertRaisesRegex(AssertionError, re.escape(options[0])):
                    Server(*options)


if __name__ == "__main__":
    unittest.main()
