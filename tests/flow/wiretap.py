"""wiretap - what goes over the wire between the gateway and the broker

A Wiretap listens in the broker's place and passes every byte on, both ways. On the way it reads
the packets: which messages the gateway published, and which of them the broker had acknowledged
before. A message is known by its payload, so payloads must be distinct.
"""

import socket
import struct
import threading

import mqtt_wire as wire


class Wiretap:
    """Passes on to 127.0.0.1:port, whenever somebody listens there."""

    def __init__(self, port):
        self.target = port
        self.lock = threading.Lock()
        self.published = {}  # payload -> how often it was published anew, without DUP
        self.acked = set()   # payloads that the broker has acknowledged
        self.repeated = []   # payloads that were published although they were in acked by then
        self.refused = []    # (payload, reason code)
        self.malformed = []  # PUBLISH packets that are none
        self.hold_acks = False  # keep the broker's acknowledgements from the gateway
        self.connections = set()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.server.close()
        self.cut()

    def cut(self):
        """Breaks every connection."""
        for one in list(self.connections):
            self._end(one)

    def counts(self):
        with self.lock:
            return len(self.acked)

    def acked_now(self):
        with self.lock:
            return set(self.acked)

    def _accept(self):
        while True:
            try:
                near = self.server.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.add(one)
            mids = {}
            for source, sink, read in ((near, far, self._from_gateway),
                                       (far, near, self._from_broker)):
                threading.Thread(target=self._pass_on, args=(source, sink, read, mids),
                                 daemon=True).start()

    def _end(self, one):
        self.connections.discard(one)
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()

    def _pass_on(self, source, sink, read, mids):
        buffer = bytearray()
        try:
            while data := source.recv(1 << 16):
                buffer += data
                at, keep = 0, bytearray()
                while (end := wire.packet_end(buffer, at)) is not None:
                    if read(buffer[at], buffer, at, end, mids):
                        keep += buffer[at:end]
                    at = end
                del buffer[:at]
                sink.sendall(keep)
        except OSError:
            pass
        self._end(source)
        self._end(sink)

    def _from_gateway(self, first, buffer, at, end, mids):
        """Notes a PUBLISH before it goes out. Properties are those of MQTT 5."""
        if first >> 4 == wire.PUBLISH and first >> 1 & 3:
            body = wire.packet_body(buffer, at, end)
            try:
                message = wire.Publish(wire.Packet(first >> 4, first & 15, body), 5)
            except ValueError:
                self.malformed.append(body)
                return True
            with self.lock:
                mids[message.mid] = message.payload
                if not message.dup:
                    self.published[message.payload] = self.published.get(message.payload, 0) + 1
                if message.payload in self.acked:
                    self.repeated.append(message.payload)
        return True

    def _from_broker(self, first, buffer, at, end, mids):
        """Notes an acknowledgement before the gateway has it. False: it shall not have it."""
        if first >> 4 not in (wire.PUBACK, wire.PUBREC):
            return True
        body = wire.packet_body(buffer, at, end)
        mid = struct.unpack(">H", body[:2])[0]
        reason = body[2] if len(body) > 2 else 0
        with self.lock:
            payload = mids.pop(mid, None)
            if payload is not None and reason >= 0x80:
                self.refused.append((payload, reason))
            elif payload is not None:
                self.acked.add(payload)
            return not self.hold_acks
