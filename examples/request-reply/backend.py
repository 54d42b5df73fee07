#!/usr/bin/env python3
"""backend.py CONFIG [COUNT] - answers requests that devices send through the gateway

Takes CloudEvents from the CMQ queue "requests" and puts answers into "responses", with `cmqgw cmq`
as its CMQ client. Ends after COUNT requests, when given. Needs nothing but Python and cmqgw.
"""

import json
import subprocess
import sys

PREFIX = "responses/"  # what the reverse rule puts in front of the subject


def cmqgw(*words, **how):
    return subprocess.run(["cmqgw", "cmq", *words, "-c", sys.argv[1]], check=True, text=True,
                          stdout=subprocess.PIPE, **how).stdout


def answer_to(request):
    """The answer's CloudEvent, or None when the device did not say where it wants one."""
    reply_to = request.get("mqttresponsetopic", "")
    if not reply_to.startswith(PREFIX):
        return None
    answer = {
        "specversion": "1.0", "id": "answer-to-" + request["id"], "source": "/backend",
        "type": "answer", "subject": reply_to[len(PREFIX):],
        "datacontenttype": "application/json",
        "data": {"question": request.get("data"), "answer": 42}}
    if "mqttcorrelation" in request:  # the device knows its question by this
        answer["mqttcorrelation"] = request["mqttcorrelation"]
    return answer


def main():
    left = int(sys.argv[2]) if len(sys.argv) > 2 else -1
    while left != 0:
        # One JSON object a message; taken out of the queue once it is printed.
        told = cmqgw("receive", "requests", "--count", "16" if left < 0 else "1", "--wait", "20",
                     "--json", stderr=subprocess.DEVNULL)
        for line in told.splitlines():
            answer = answer_to(json.loads(json.loads(line)["msgBody"]))
            if answer:
                cmqgw("send", "responses", input=json.dumps(answer))
            left -= 1


if __name__ == "__main__":
    main()
