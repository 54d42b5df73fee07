"""api3 - a client of the management plane, cloud API 3.0, signing with TC3-HMAC-SHA256

Written after the vendor's page (CMQ.md 8.2), apart from the gateway's own signer.
"""

import hashlib
import hmac
import json
import time

from cmq_client import CmqClient


class ApiError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['Code']}: {error['Message']}")
        self.code = error["Code"]


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Api3(CmqClient):
    """As CmqClient, with call() for the actions of API 3.0."""

    def call(self, action, **parameters):
        """One action, again after a moment when there were too many in this second."""
        for _ in range(100):
            try:
                return self.call_once(action, **parameters)
            except ApiError as error:
                if error.code != "RequestLimitExceeded":
                    raise
            time.sleep(0.1)
        raise AssertionError(f"{action} is throttled for ever")

    def call_once(self, action, **parameters):
        body = json.dumps(parameters)
        now = int(time.time())
        date = time.strftime("%Y-%m-%d", time.gmtime(now))
        scope = f"{date}/tdmq/tc3_request"
        canonical = "\n".join(["POST", "/", "", "content-type:application/json",
                               f"host:{self.host}", "", "content-type;host",
                               hashlib.sha256(body.encode()).hexdigest()])
        text = "\n".join(["TC3-HMAC-SHA256", str(now), scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = _hmac(_hmac(_hmac(f"TC3{self.secret_key}".encode(), date), "tdmq"), "tc3_request")
        answer = self._exchange("POST", "/", body, {
            "Content-Type": "application/json", "X-TC-Action": action,
            "X-TC-Version": "2020-02-17", "X-TC-Region": "ap-guangzhou",
            "X-TC-Timestamp": str(now),
            "Authorization": f"TC3-HMAC-SHA256 Credential={self.secret_id}/{scope}, "
                             f"SignedHeaders=content-type;host, Signature={_hmac(key, text).hex()}"})
        response = answer["Response"]
        if "Error" in response:
            raise ApiError(response["Error"])
        return response

    def listing(self, action, field, **parameters):
        """All items of a Describe action."""
        items = []
        while True:
            page = self.call(action, Offset=len(items), Limit=50, **parameters)
            items += page[field] or []
            if len(items) >= page["TotalCount"]:
                return items

    def account(self):
        """Queues and topics by name, each topic with its subscriptions by name."""
        queues = {q["QueueName"]: q for q in self.listing("DescribeCmqQueues", "QueueList")}
        topics = {t["TopicName"]: t for t in self.listing("DescribeCmqTopics", "TopicList")}
        for name, topic in topics.items():
            topic["Subscriptions"] = {
                s["SubscriptionName"]: s for s in self.listing(
                    "DescribeCmqSubscriptionDetail", "SubscriptionSet", TopicName=name)}
        return {"queues": queues, "topics": topics}
