"""mqtt_client - a small MQTT client for tests: 3.1.1 and 5.0, QoS 0 to 2, one thread a client"""

import socket
import struct
import time

import mqtt_wire as wire


class MqttClient:
    """Connects at once. Every call waits for its answer, until `patience` seconds have passed."""

    def __init__(self, port, client_id, version=5, clean=True, username=None, password=None,
                 patience=30, **connect_properties):
        self.version, self.patience = version, patience
        self.last_mid = 0
        self.received = []  # Publish objects, in order of arrival
        self.stream = wire.Stream(socket.create_connection(("127.0.0.1", port), patience))
        flags = (2 if clean else 0) | (0x80 if username else 0) | (0x40 if password else 0)
        body = wire.text("MQTT") + bytes([version, flags]) + struct.pack(">H", 60)
        body += wire.properties(version, **connect_properties) + wire.text(client_id)
        for credential in (username, password):
            if credential:
                body += wire.text(credential)
        try:
            self.stream.send(wire.packet(wire.CONNECT, 0, body))
            answer = self._expect(wire.CONNACK)
        except (OSError, ConnectionError):
            self.stream.close()
            raise
        self.session_present = bool(answer.body[0] & 1)
        if answer.reason:
            raise ConnectionError(f"the broker refused the connection: {answer.reason}")
        said = wire.Reader(answer.body[2:]).properties() if version >= 5 else {}
        self.receive_maximum = said.get("receive_maximum", 65535)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.stream.send(wire.packet(wire.DISCONNECT, 0, b""))
        except OSError:
            pass
        self.stream.close()

    def _next_mid(self):
        self.last_mid = self.last_mid % 65535 + 1
        return self.last_mid

    def read_packet(self, deadline):
        """Reads one packet and answers what wants an answer."""
        got = self.stream.read(deadline)
        if got.kind == wire.PUBLISH:
            message = wire.Publish(got, self.version)
            self.received.append(message)
            if message.qos:
                kind = wire.PUBACK if message.qos == 1 else wire.PUBREC
                self.stream.send(wire.acknowledgement(kind, message.mid))
        elif got.kind == wire.PUBREL:
            self.stream.send(wire.acknowledgement(wire.PUBCOMP, got.mid))
        elif got.kind == wire.PUBREC:
            self.stream.send(wire.acknowledgement(wire.PUBREL, got.mid))
        return got

    def _expect(self, kind, mid=None):
        deadline = time.monotonic() + self.patience
        while True:
            got = self.read_packet(deadline)
            if got.kind == kind and (mid is None or got.mid == mid):
                return got

    def subscribe(self, topic_filter, qos=1):
        mid = self._next_mid()
        body = struct.pack(">H", mid) + wire.properties(self.version) + wire.text(topic_filter)
        self.stream.send(wire.packet(wire.SUBSCRIBE, 2, body + bytes([qos])))
        code = self._expect(wire.SUBACK, mid).body[-1]
        if code >= 0x80:
            raise ConnectionError(f"the broker refused {topic_filter}: {code:#x}")

    def publish(self, topic, payload, qos=1, retain=False, **props):
        """Returns when the broker has acknowledged."""
        self.publish_many([(topic, payload)], qos, retain=retain, **props)

    def publish_many(self, messages, qos=1, window=100, on_done=None, retain=False, **props):
        """
        Publishes (topic, payload) pairs with up to window of them unacknowledged; on_done(index) is
        called for each acknowledgement. Returns when all are acknowledged (QoS 0: sent).
        """
        done_kind = {1: wire.PUBACK, 2: wire.PUBCOMP}.get(qos)
        window = min(window, self.receive_maximum)
        pending = {}
        for index, (topic, payload) in enumerate(messages):
            mid = self._next_mid() if qos else 0
            data = payload if isinstance(payload, bytes) else payload.encode()
            self.stream.send(wire.publish(topic, data, qos, mid, self.version, retain=retain,
                                          **props))
            if qos:
                pending[mid] = index
                if len(pending) >= window:
                    self._settle(pending, done_kind, window // 2, on_done)
        if qos:
            self._settle(pending, done_kind, 0, on_done)

    def _settle(self, pending, done_kind, most, on_done):
        while len(pending) > most:
            got = self.read_packet(time.monotonic() + self.patience)
            if got.kind == done_kind and got.mid in pending:
                index = pending.pop(got.mid)
                if on_done:
                    on_done(index)

    def wait_messages(self, count, patience=None):
        """Reads until count messages have come in all; returns them."""
        deadline = time.monotonic() + (patience or self.patience)
        while len(self.received) < count:
            self.read_packet(deadline)
        return self.received
