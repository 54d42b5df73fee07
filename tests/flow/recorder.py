"""recorder - what the gateway asks of CMQ: a relay in front of the local server that reads along

The gateway signs with the address it was given, so the relay's own is what its Host headers say, and
the server checks signatures against those.
"""

import socket
import threading
import urllib.parse


class Recorder:
    """Listens on a port of its own and passes everything on to 127.0.0.1:port."""

    def __init__(self, port):
        self.target = port
        self.lock = threading.Lock()
        self.forms = []  # the parameters of each request, in order of arrival
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.server.close()

    def deliveries(self):
        """All that was sent, one (kind, name, route, tags, delay, body) a message."""
        with self.lock:
            forms = list(self.forms)
        found = []
        for form in forms:
            if "Send" not in form["Action"] and "Publish" not in form["Action"]:
                continue
            kind = "topic" if "topicName" in form else "queue"
            for body in self._numbered(form, "msgBody"):
                found.append((kind, form[kind + "Name"], form.get("routingKey") or None,
                              tuple(self._numbered(form, "msgTag")),
                              int(form.get("delaySeconds", 0)), body))
        return found

    @staticmethod
    def _numbered(form, name):
        """The values of NAME, or of NAME.1, NAME.2, ..., counted from 0 or from 1."""
        if name in form:
            return [form[name]]
        return [form[f"{name}.{n}"] for n in range(17) if f"{name}.{n}" in form]

    def _accept(self):
        while True:
            try:
                near = self.server.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink, read in ((near, far, self._read), (far, near, None)):
                threading.Thread(target=self._pass_on, args=(source, sink, read),
                                 daemon=True).start()

    @staticmethod
    def _pass_on(source, sink, read):
        pending = bytearray()
        try:
            while data := source.recv(1 << 16):
                if read:
                    pending += data
                    read(pending)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def _read(self, pending):
        """Takes whole requests off the front."""
        while (end := pending.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in bytes(pending[:end]).lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if len(pending) < end + 4 + length:
                return
            body = bytes(pending[end + 4:end + 4 + length])
            del pending[:end + 4 + length]
            form = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True,
                                          strict_parsing=True)
            with self.lock:
                self.forms.append(dict(form))
