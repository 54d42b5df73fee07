"""collector - a subscriber that stays: it comes back when the broker does, and keeps all it gets"""

import threading
import time

from mqtt_client import MqttClient


class Collector:
    """
    Subscribes at once, on a thread of its own from then on. The session is kept by the broker. What
    the broker sends again after a broken connection (DUP) counts once more only in `again`.
    """

    def __init__(self, broker, topic_filter="#", client_id="collector", qos=1, expiry=3600):
        self.broker, self.filter, self.client_id, self.qos = broker, topic_filter, client_id, qos
        self.expiry = expiry
        self.messages = []  # Publish objects that are no copies of the broker's making
        self.again = []
        self.topics = {}    # payload -> topic, of both
        self.stopping = False
        self.client = self._connect(clean=True)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _connect(self, clean=False):
        client = MqttClient(self.broker.port, self.client_id, clean=clean,
                            session_expiry=self.expiry)
        if not client.session_present:
            client.subscribe(self.filter, self.qos)
        return client

    def _run(self):
        while not self.stopping:
            try:
                if not self.client:
                    self.client = self._connect()
                self._take()
            except TimeoutError:
                self._keep()
            except (OSError, ConnectionError):
                self._keep()
                if self.client:
                    self.client.stream.close()
                self.client = None
                time.sleep(0.05)  # between tries to connect

    def _take(self):
        deadline = time.monotonic() + 0.2
        while not self.stopping:
            self.client.read_packet(deadline)
            self._keep()

    def _keep(self):
        if not self.client:
            return
        received, self.client.received = self.client.received, []
        for message in received:
            self.topics[message.payload] = message.topic
            (self.again if message.dup else self.messages).append(message)

    def close(self):
        self.stopping = True
        self.thread.join(30)
        if self.client:
            self.client.close()
