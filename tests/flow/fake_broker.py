"""fake_broker - the broker's side of the wire in a test's hands

Speaks just enough MQTT to keep a client content (CONNACK, SUBACK, UNSUBACK, PINGRESP) and writes
down every packet it gets; what it publishes, and whether it answers a PUBREC, is the test's
business.
"""

import itertools
import socket
import struct
import threading
import time

import mqtt_wire as wire


class FakeBroker:
    """Serves one client at a time; a new connection replaces the old one."""

    def __init__(self, **connack_properties):
        self.connack_properties = connack_properties
        self.packets = []  # (connection number, Packet), in order of arrival
        self.connections = 0
        self.version = 0
        self.changed = threading.Condition()
        self.stream = None
        self.has_session = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, name="fake-broker", daemon=True)
        self.thread.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()
        self.thread.join(10)

    def drop(self):
        """Cuts the client's connection."""
        with self.changed:
            if self.stream:
                try:
                    self.stream.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            stream = wire.Stream(sock)
            with self.changed:
                self.connections += 1
                self.stream = stream
            try:
                while True:
                    self._answer(stream, stream.read(time.monotonic() + 3600))
            except (OSError, ValueError):
                pass
            finally:
                with self.changed:
                    if self.stream is stream:
                        self.stream = None
                    self.changed.notify_all()
                stream.close()

    def _answer(self, stream, got):
        if got.kind == wire.CONNECT:
            self.version = got.body[6]
            present, self.has_session = self.has_session, True
            stream.send(wire.packet(wire.CONNACK, 0, bytes([int(present), 0]) + wire.properties(
                self.version, **self.connack_properties)))
        elif got.kind in (wire.SUBSCRIBE, wire.UNSUBSCRIBE):
            self._answer_filters(stream, got)
        elif got.kind == wire.PINGREQ:
            stream.send(wire.packet(wire.PINGRESP, 0, b""))
        with self.changed:
            self.packets.append((self.connections, got))
            self.changed.notify_all()

    def _answer_filters(self, stream, got):
        reader = wire.Reader(got.body)
        codes, mid = [], reader.number(">H")
        if self.version >= 5:
            reader.properties()
        while reader.at < len(got.body):
            reader.bytes16()
            codes.append(reader.take(1)[0] & 3 if got.kind == wire.SUBSCRIBE else 0)
        kind = wire.SUBACK if got.kind == wire.SUBSCRIBE else wire.UNSUBACK
        empty = kind == wire.UNSUBACK and self.version < 5
        stream.send(wire.packet(kind, 0, struct.pack(">H", mid) + wire.properties(self.version) +
                                (b"" if empty else bytes(codes))))

    def wait(self, found, patience=30):
        """Waits until found(self) is true; returns what it gave."""
        deadline = time.monotonic() + patience
        with self.changed:
            while True:
                answer = found(self)
                if answer:
                    return answer
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"it never happened; packets so far: {self.packets[-20:]}")
                self.changed.wait(left)

    def wait_subscribed(self, count=1):
        self.wait(lambda b: len(b.of(wire.SUBSCRIBE)) >= count and b.stream)

    def of(self, *kinds, connection=None):
        """Packets of these kinds, in order of arrival, perhaps of one connection only."""
        return [got for number, got in self.packets
                if got.kind in kinds and connection in (None, number)]

    def publish(self, topic, payload, qos, mid, **how):
        self.stream.send(wire.publish(topic, payload, qos, mid, self.version, **how))

    def publish_many(self, topic, payloads, qos, first_mid=1):
        """In one write, with consecutive packet identifiers, which it returns."""
        mids = list(itertools.islice(itertools.count(first_mid), len(payloads)))
        self.stream.send(b"".join(wire.publish(topic, payload, qos, mid, self.version)
                                  for mid, payload in zip(mids, payloads)))
        return mids

    def acknowledge(self, kind, mid):
        self.stream.send(wire.acknowledgement(kind, mid))
