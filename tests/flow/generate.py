"""generate - rules, resources and messages by chance, the same ones for the same seed

What is generated is always a configuration that `cmqgw check` takes, and queues that messages may be
sent to always exist; everything else may go wrong: values that are missing, that break a route, tags
that are too long, routes that nobody listens to, payloads that CMQ cannot carry.
"""

import json
import random
import string

LEVELS = ["a", "b", "c", "dev-1", "Dev_2", "x.y", "s p", "*", "é"]
TOPIC_LEVELS = LEVELS + ["", "much-too-long-for-a-tag-of-cmq", "@at", "12"]
NAMES = ["p", "d", "m", "site"]
WORDS = ["hot", "cold", "t", "high", "low"]
SHARDS = 3
QUEUES = (["q0", "q1", "Box-1", "box-2", "raw", "log"] + [f"shard-{n}" for n in range(SHARDS)] +
          ["s-all", "s-hot", "s-deep", "s-tag", "s-none"])
TEXTS = ["x", "HIGH", "low", "Wärme", "a.b", "", "@x", "2.50", "Box-1", "q1", "no queue!",
         "seventeen-letters"]
# A program, and one that fails on some payloads.
PROGRAMS = ["{n, t: .level}", ".n + (.t | tonumber)", "select(.t != \"x\") | [.n]"]
CONDITIONS = [".n % 2 == 0", ".level == \"HIGH\"", ".t.u"]


class Generator:
    def __init__(self, seed, properties=True, programs=False, qos=2):
        """properties: user properties and content types go too (MQTT 5). qos: of all rules."""
        self.chance = random.Random(seed)
        self.properties, self.programs, self.qos = properties, programs, qos

    def some(self, share):
        return self.chance.random() < share

    def one(self, choices):
        return self.chance.choice(choices)

    # Filters.

    def filters(self):
        """One or two filters with the same named wildcards, and their names: {name: multi}."""
        names = self.chance.sample(NAMES, self.chance.choice([0, 1, 1, 2]))
        rest = self.some(0.3)
        count = 2 if self.some(0.25) else 1
        filters = [self.filter(names, rest) for _ in range(count)]
        defined = {name: False for name in names}
        if rest:
            defined["rest"] = True
        plain = min(text.split("/").count("+") for text in filters)
        return filters, defined, plain

    def filter(self, names, rest):
        levels = ["+" + name for name in names]
        for _ in range(self.chance.randrange(3 - len(names) + 1)):
            levels.append("+" if self.some(0.3) else self.one(LEVELS[:5]))
        self.chance.shuffle(levels)
        if self.some(0.15):
            levels.insert(0, "$dev" if self.some(0.3) else "")
        if rest:
            levels.append("#rest")
        elif self.some(0.1) or not levels:
            levels.append("#")
        return "/".join(levels) or "+"

    # Templates.

    def function(self):
        return self.one(["|lower", "|upper", "|slice:0:3", "|slice:1:2", f"|shard:{SHARDS}",
                         "|default:none", "|lower|default:x.y"])

    def placeholder(self, names, plain):
        heads = ["topic", "qos", "retain", "gateway", "rule", "json:/level", "json:/t", "json:/n",
                 "json:/deep/0", "json:"]
        heads += list(names) * 4 + [str(n + 1) for n in range(plain)] * 2
        if self.properties:
            heads += ["user:k", "user:site", "content_type"]
        functions = self.function() if self.some(0.4) else ""
        return "{" + self.one(heads) + functions + "}"

    def text(self, names, plain, parts, separator):
        pieces = []
        for _ in range(self.chance.randint(1, parts)):
            piece = self.one(WORDS) if self.some(0.3) else self.placeholder(names, plain)
            pieces.append("dev-" + piece if self.some(0.1) else piece)
        return separator.join(pieces)

    def queue_name(self):
        if self.properties:
            boxes = ["box-{qos}"]  # all of QoS 1 or 2
        else:
            boxes = ["BOX-1"]
        return self.one(["q0", "Q1", "raw", "log", "shard-{topic|shard:%d}" % SHARDS,
                         "{json:/queue|default:q0}", *boxes])

    def target(self, names, plain):
        kind = self.one(["queue", "route", "route", "tags"])
        if kind == "queue":
            return {"queue": self.queue_name(), **({"delay": "1s"} if self.some(0.15) else {})}
        if kind == "route":
            return {"topic": self.one(["routed", "Routed", "deaf"]),
                    "route": self.text(names, plain, 4, ".")}
        tags = [self.text(names, plain, 1, "") for _ in range(self.chance.randint(0, 3))]
        return {"topic": self.one(["tagged", "lonely"]), **({"tags": tags} if tags else {})}

    # Rules.

    def rule(self, number):
        filters, names, plain = self.filters()
        targets = [self.target(names, plain) for _ in range(self.one([1, 1, 1, 2, 3]))]
        rule = {"name": f"r{number}", "from": filters if len(filters) > 1 else filters[0],
                "qos": self.qos, "to": targets,
                "body": self.one(["raw", "raw", "base64", "cloudevents"])}
        if self.programs and self.some(0.5):
            rule["body"] = "jq:" + self.one(PROGRAMS)
        if self.programs and self.some(0.4):
            rule["when"] = self.one(CONDITIONS)
        for setting, values, share in (("final", [True], 0.1), ("retained", ["skip"], 0.3),
                                       ("unrouted", ["accept"], 0.3), ("order", ["strict"], 0.2),
                                       ("replace", ["-", "reject", "~~"], 0.3)):
            if self.some(share):
                rule[setting] = self.one(values)
        return rule

    def rules(self, count):
        return [self.rule(number) for number in range(count)]

    def resources(self):
        def subscription(name, queue, **choice):
            return {"name": name, "queue": queue, **choice}

        def key():
            words = [self.one(["*", "#", *WORDS, "dev-1", "a"]) for _ in
                     range(self.chance.randint(1, 4))]
            return ".".join(words)
        keys = [[key() for _ in range(self.chance.randint(1, 3))] for _ in range(3)]
        tags = [[self.one(WORDS + ["none", "1", "HIGH"]) for _ in
                 range(self.chance.randint(1, 3))] for _ in range(2)]
        topics = [
            {"name": "routed", "filter": "route", "max_size": "1MiB", "subscriptions": [
                subscription("all", "s-all", keys=["#"]), subscription("hot", "s-hot", keys=keys[0]),
                subscription("deep", "S-DEEP", keys=keys[1])]},
            {"name": "deaf", "filter": "route", "max_size": "1KiB", "subscriptions": [
                subscription("few", "s-deep", keys=keys[2])]},
            {"name": "tagged", "filter": "tag", "max_size": "1MiB", "subscriptions": [
                subscription("all", "s-all"), subscription("some", "s-tag", tags=tags[0])]},
            {"name": "lonely", "filter": "tag", "max_size": "1MiB", "subscriptions": [
                subscription("few", "s-none", tags=tags[1])]}]
        return {"queues": [{"name": name, "visibility": "10m",
                            "max_size": "1KiB" if name in ("log", "q1") else "1MiB"}
                           for name in QUEUES],
                "topics": topics}

    # Messages.

    def topic(self, rules):
        """Mostly one that some rule's filter was made for."""
        if self.some(0.15):
            return "/".join(self.one(TOPIC_LEVELS) for _ in range(self.chance.randint(1, 4))) or "a"
        filters = self.one(rules)["from"]
        text = filters if isinstance(filters, str) else self.one(filters)
        levels = []
        for level in text.split("/"):
            if level.startswith("+"):
                levels.append(self.one(TOPIC_LEVELS))
            elif level.startswith("#"):
                levels += [self.one(TOPIC_LEVELS) for _ in range(self.chance.randint(0, 3))]
            else:
                levels.append(level)
        return "/".join(levels) or "a"

    def json_payload(self, number):
        members = {"n": number}
        for name, values in (("level", TEXTS + [None, 2.5, True]), ("t", TEXTS + [91, {}, [1]]),
                             ("queue", QUEUES[:4] + ["no queue!", "", "x" * 65, "q-dlq", None]),
                             ("deep", [["x"], [], ["y/z"], 7])):
            if self.some(0.6):
                members[name] = self.one(values)
        return json.dumps(members, ensure_ascii=self.some(0.5)).encode()

    def payload(self, number):
        if self.some(0.05):
            return b"%d long" % number + b"x" * self.one([900, 1017, 1100, 4000])
        if self.some(0.6):
            return self.json_payload(number)
        return self.one([b"%d plain", "%d Wärme\n".encode(), b"@%d", b"\xff%d", b"\0%d", b"[%d]",
                         b' {"t": 1.50, "n": %d } ', b'"%d"', b"%d", b'{"n": %d', b""]
                        ).replace(b"%d", b"%d" % number)

    def message(self, number, rules):
        message = {"topic": self.topic(rules), "payload": self.payload(number),
                   "qos": self.chance.randint(1, self.qos), "user": [], "content_type": None}
        if self.properties:
            for key in ("k", "site", "cmqgwvia"):
                if self.some(0.3 if key != "cmqgwvia" else 0.05):
                    message["user"].append((key, self.one(TEXTS + ["edge-1", "edge-2,edge-1"])))
            if self.some(0.3):
                message["content_type"] = self.one(["application/json", "text/plain", "x/y+json"])
        return message

    # The way back.

    def down_topic(self, event):
        """A template of an MQTT topic; event: it may say what a CloudEvent has."""
        heads = ["json:/a", "json:/b", "json:/deep/0", "rule", "gateway"]
        heads += ["ce:subject", "ce:id", "topic", "user:k", "qos"] * 2 if event else []
        levels = []
        for _ in range(self.chance.randint(1, 4)):
            functions = self.function() if self.some(0.4) else ""
            functions += "|levels" if self.some(0.3) else ""
            levels.append(self.one(["cmd", "out", "{%s%s}" % (self.one(heads), functions)]))
        return "/".join(["down"] * self.some(0.7) + levels)

    def reverse_rule(self, number):
        payload = self.one(["body", "base64", "cloudevents", "cloudevents"])
        if self.programs:
            payload = "jq:" + self.one([".a", "{b}", ".deep[0]"])
        rule = {"name": f"v{number}", "from": {"queue": f"in-{number}", "wait": "1s"},
                "to": self.down_topic(payload == "cloudevents"), "payload": payload,
                "qos": self.chance.randint(0, 2)}
        if self.some(0.3):
            rule["retain"] = True
        if self.some(0.3):
            rule["expiry"] = "10m"
        if self.some(0.2):
            rule["allow_loop"] = True
        if self.some(0.3):
            rule["dead_letter"] = "parked"
        return rule

    def event(self, number):
        event = {"specversion": "1.0", "id": f"e{number}", "source": "/test", "type": "t"}
        for name, values in (
                ("subject", ["a/b", "c", "a/+", "", "x" * 70, "$sys/x"]),
                ("datacontenttype", ["application/json", "text/plain", "x/y"]),
                ("mqttqos", [0, 1, 2, 3]), ("mqttretain", [True, False]),
                ("mqttresponsetopic", ["reply/1", "reply/+"]), ("mqttcorrelation", ["AAH+", "??"]),
                ("mqttexpiry", [300, -1]), ("cmqgwvia", ["edge-1", "edge-2", "edge-2,edge-1"]),
                ("mqttuser", ['{"k":"v"}', '{"k":["v","w"],"s":"1"}', "no"])):
            if self.some(0.3):
                event[name] = self.one(values[:1] * 3 + values)
        if self.some(0.8):
            event["subject"] = self.one(["a/b", f"n/{number}", "a b/ü"])
        name, value = self.one([("data", {"n": number}), ("data", f"text {number}"), ("data", None),
                                ("data_base64", "AP8="), ("data_base64", "?"), ("no", "1")])
        event[name] = value
        return json.dumps(event, ensure_ascii=self.some(0.5))

    def body(self, number, rule):
        if rule["payload"] == "cloudevents" and self.some(0.85):
            return self.event(number)
        if rule["payload"] == "base64" and self.some(0.7):
            return self.one(["", "AAEC", "/+8=", "eA=="]) + "MTIz" * self.chance.randint(1, 3)
        members = {name: self.one(["x", "y/z", "+", "é", "#", "$x", "", None, 7, [1], "A B",
                                   "".join(self.chance.choices(string.ascii_letters, k=8))])
                   for name in ("a", "b") if self.some(0.8)}
        if self.some(0.5):
            members["deep"] = self.one([["x"], ["y/z"], [None], {}])
        members["n"] = number
        text = json.dumps(members, ensure_ascii=self.some(0.5))
        return self.one([text] * 6 + [f"text {number}", text + "}"])
