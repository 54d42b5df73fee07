"""mqtt_wire - MQTT packets as bytes, both ways: what the test client and the fake broker share

Enough of MQTT 3.1.1 and 5.0 for tests; a packet is kept as it was on the wire, and its fields are
read when asked for.
"""

import socket
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14
NAMES = ("0 CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE "
         "UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH").split()

# Properties of MQTT 5.0 s. 2.2.2.2: identifier -> (name, kind).
PROPERTIES = {
    1: ("payload_format", "byte"), 2: ("expiry", "u32"), 3: ("content_type", "text"),
    8: ("response_topic", "text"), 9: ("correlation", "bytes"), 11: ("subscription_id", "varint"),
    17: ("session_expiry", "u32"), 18: ("assigned_id", "text"), 19: ("server_keep_alive", "u16"),
    21: ("auth_method", "text"), 22: ("auth_data", "bytes"), 23: ("request_problem", "byte"),
    25: ("request_response", "byte"), 26: ("response_info", "text"), 28: ("reference", "text"),
    31: ("reason", "text"), 33: ("receive_maximum", "u16"), 34: ("topic_alias_maximum", "u16"),
    35: ("topic_alias", "u16"), 36: ("maximum_qos", "byte"), 37: ("retain_available", "byte"),
    38: ("user", "pair"), 39: ("maximum_packet", "u32"), 40: ("wildcards", "byte"),
    41: ("subscription_ids", "byte"), 42: ("shared", "byte"),
}
IDENTIFIERS = {name: (number, kind) for number, (name, kind) in PROPERTIES.items()}
FIXED = {"byte": ">B", "u16": ">H", "u32": ">I"}


def varint(number):
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def properties(version, **values):
    """The property block of a packet: nothing at all under 3.1.1."""
    if version < 5:
        return b""
    out = b""
    for name, value in values.items():
        number, kind = IDENTIFIERS[name]
        for one in value if isinstance(value, list) else [value]:
            out += bytes([number])
            if kind in FIXED:
                out += struct.pack(FIXED[kind], one)
            elif kind == "varint":
                out += varint(one)
            elif kind == "pair":
                out += text(one[0]) + text(one[1])
            else:
                out += text(one)
    return varint(len(out)) + out


class Reader:
    """Reads fields off a packet's bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        if len(piece) != count:
            raise ValueError("a packet ends too early")
        self.at += count
        return piece

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def bytes16(self):
        return self.take(self.number(">H"))

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def properties(self):
        end = self.varint() + self.at
        found = {}
        while self.at < end:
            name, kind = PROPERTIES[self.take(1)[0]]
            if kind in FIXED:
                value = self.number(FIXED[kind])
            elif kind == "varint":
                value = self.varint()
            elif kind == "pair":
                value = (self.bytes16().decode(), self.bytes16().decode())
            elif kind == "text":
                value = self.bytes16().decode()
            else:
                value = self.bytes16()
            if kind in ("pair", "varint"):
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
        return found

    def rest(self):
        return self.take(len(self.data) - self.at)


def packet_end(data, at):
    """Where the packet that begins at `at` ends, or None when it is not there in full."""
    size = shift = 0
    for place in range(at + 1, min(at + 5, len(data))):
        size |= (data[place] & 127) << shift
        shift += 7
        if data[place] < 128:
            return place + 1 + size if len(data) >= place + 1 + size else None
    return None


def packet_body(data, at, end):
    """A whole packet without its fixed header."""
    place = at + 1
    while data[place] >= 128:
        place += 1
    return bytes(data[place + 1:end])


class Packet:
    """One packet: type, flags, body, and when it came (monotonic seconds)."""

    def __init__(self, kind, flags, body):
        self.kind, self.flags, self.body = kind, flags, body
        self.when = time.monotonic()

    def __repr__(self):
        return f"{NAMES[self.kind]}({self.flags:x}, {self.body[:24].hex()})"

    @property
    def mid(self):
        """The packet identifier of every kind that begins with one."""
        return struct.unpack(">H", self.body[:2])[0]

    @property
    def reason(self):
        """The reason code of an acknowledgement or DISCONNECT; 0 when left out."""
        at = 0 if self.kind == DISCONNECT else 1 if self.kind == CONNACK else 2
        return self.body[at] if len(self.body) > at else 0


class Publish:
    """A PUBLISH packet taken apart."""

    def __init__(self, packet, version):
        reader = Reader(packet.body)
        self.qos, self.dup = packet.flags >> 1 & 3, bool(packet.flags & 8)
        self.retain = bool(packet.flags & 1)
        self.topic = reader.bytes16().decode()
        self.mid = reader.number(">H") if self.qos else 0
        self.properties = reader.properties() if version >= 5 else {}
        self.payload = reader.rest()


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def acknowledgement(kind, mid):
    return packet(kind, 2 if kind == PUBREL else 0, struct.pack(">H", mid))


def publish(topic, payload, qos, mid, version, dup=False, retain=False, **props):
    body = text(topic) + (struct.pack(">H", mid) if qos else b"")
    return packet(PUBLISH, qos << 1 | (8 if dup else 0) | (1 if retain else 0),
                  body + properties(version, **props) + payload)


class Stream:
    """Packets over a socket; reading keeps what is half there for the next time."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, bytearray()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.sock.sendall(data)

    def _whole(self):
        """The first whole packet of the buffer, or None."""
        end = packet_end(self.buffer, 0)
        if end is None:
            return None
        kind, body = self.buffer[0], packet_body(self.buffer, 0, end)
        del self.buffer[:end]
        return Packet(kind >> 4, kind & 15, body)

    def read(self, deadline):
        """The next packet; TimeoutError at the deadline, ConnectionError when the peer is gone."""
        while True:
            found = self._whole()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no MQTT packet came")
            self.sock.settimeout(left)
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the peer closed the connection")
            self.buffer += data

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass
