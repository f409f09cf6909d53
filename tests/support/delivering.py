"""A real sidecar that alerts on every record while those it delivers to fail half of the time; afterwards all is counted, by id.

The failures end with the last record, and begin with the first: also whoever is met for the first time, or again after a kill, fails.
"""

from __future__ import annotations

import json
import sqlite3
import ssl
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from hashlib import sha256
from typing import NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from certificates import Authority
from failing import Desk, Mailbox, Turns, search
from proxies import Gate, Line
from recording import recording
from sidecars import Sender, Sidecar, free_port, until
from streams import api, stream

__all__ = ["Outcome", "Row", "deliver"]

ANALYZER = '''
from pluginhost import Alert, analyzer

@analyzer(key="user.name")
def every(event):
    """Each record, in the group of its user."""
    return Alert("medium", f"record {event['seq']}")
'''
NAMESPACE, GROUPS, SOC, GONE = "delivery", 200, "soc@example.com", "gone@example.com"
STALL = 1.0  # seconds beyond a time-out
UP, AWAY = 6.0, 1.0  # seconds that a line stands, and is cut, in turns
WAITING = "SELECT output FROM waiting WHERE held > 0 UNION SELECT output || '.states' FROM state_outbox"
WITHIN = 180.0  # seconds that the last delivery may come after the last failure


class Row(NamedTuple):
    """What became of `sent` alerts at one output. `seconds` passed between the last failure of all and the last delivery; `once`: whether
    the design promises that nothing comes twice; `refused` were to be dead letters; `messages` told of the alerts, if people are told."""

    name: str
    sent: int
    delivered: int
    failures: int
    doubled: int
    letters: int
    seconds: float
    once: bool = False
    refused: int = 0
    messages: int = 0

    @property
    def lost(self):
        return self.sent - self.delivered

    def broken(self):
        """What of the promises was not kept."""
        wrong = {f"{self.lost:,} lost": self.lost, f"{self.doubled:,} doubled": self.once and self.doubled,
                 f"{self.letters:,} dead letters instead of {self.refused:,}": self.letters != self.refused,
                 f"the last delivery after {self.seconds:.0f} s": self.seconds > WITHIN}  # fmt: skip
        return [f"{self.name}: {what}" for what, is_so in wrong.items() if is_so]


class Outcome(NamedTuple):
    """`rows` by output; `took` is how long (s) accepting all records took, `kinds` the failures dealt by peer and kind; `groups` have
    states, of which `stale` are not in the state index as they are in the store."""

    rows: list[Row]
    took: float
    kinds: dict[str, Counter]
    groups: int
    stale: int

    def broken(self):
        """What of the promises was not kept."""
        states = [f"states: {self.stale:,} of {self.groups:,} are not as they are in the store"] if self.stale or not self.groups else []
        return [what for row in self.rows for what in row.broken()] + states


class Peers:
    """Everybody that alerts go to, while it is a context; `outputs` is the configuration for them."""

    def __init__(self, folder, elasticsearch, postgresql, limit):
        self.folder, self.elasticsearch, self.postgresql = folder, elasticsearch, postgresql
        kinds = ("lost", "429", "stall", "503", "cut", "500")
        self.writes, self.others = Turns(*kinds), Turns(*kinds, each=20)
        self.desk = Desk(Turns("429", "lost", "500", "garbage", "stall"), 1 + STALL)
        self.mailbox = Mailbox(Turns("451", "dropped", "550", "lost"), gone=GONE)
        self.cuts, self.cut_last, self._limit = 0, 0.0, {"limit": limit} if limit else {}
        self._over, self._open = threading.Event(), ExitStack()

    def __enter__(self):
        enter = self._open.enter_context
        gate = enter(Gate(self.elasticsearch.url, search(self.writes, self.others, 2 + STALL)))
        self._lines = [enter(Line(int(gate.url.rsplit(":", 1)[1])))]
        self.outputs = [{"type": "elasticsearch", "hosts": [f"http://127.0.0.1:{self._lines[0].port}"], "timeout": "2s"},
                        {"type": "file", "path": "alerts.ndjson", "keep": 1000}, self._webhook(enter), self._email(enter)]  # fmt: skip
        if self.postgresql is not None:
            self._lines.append(enter(Line(self.postgresql.port)))
            self.outputs.append({"type": "postgresql", "host": "127.0.0.1", "port": self._lines[1].port, "database": "postgres",
                                 "username": "postgres", "table": NAMESPACE, "timeout": "2s"})  # fmt: skip
        self._away = threading.Thread(target=self._go_away)
        self._away.start()
        self._open.callback(self.mend)
        return self

    def __exit__(self, *_):
        self._open.close()

    def _webhook(self, enter):
        url = enter(recording(usual=self.desk)).url
        return {"type": "webhook", "url": url, "timeout": "1s", **self._limit}

    def _email(self, enter):
        authority, secured, port = Authority(self.folder / "mail"), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), free_port()
        pair = authority.issue("mail")
        secured.load_cert_chain(pair["cert"], pair["key"])
        server = Controller(self.mailbox, hostname="127.0.0.1", port=port, tls_context=secured, require_starttls=True, auth_required=True,
                            authenticator=lambda *_: AuthResult(success=_[-1].password == b"pa55word"))  # fmt: skip
        server.start()
        self._open.callback(server.stop)
        return {"type": "email", "from": "alerts@example.com", "to": [SOC, GONE], "host": "127.0.0.1", "port": port, "username": "ann",
                "password": "pa55word", "tls": {"ca": str(authority.ca)}, "timeout": "2s", **self._limit}  # fmt: skip

    def _go_away(self):
        while not self._over.wait(UP):
            for line in self._lines:
                line.cut()
            self.cuts += 1
            self._over.wait(AWAY)
            self.cut_last = time.monotonic()
            for line in self._lines:
                line.mend()

    def mend(self):
        """Nothing fails from now on."""
        for turns in (self.writes, self.others, self.desk.turns, self.mailbox.turns):
            turns.over()
        self._over.set()
        self._away.join()

    @property
    def last(self):
        """When (monotonic) something failed last, whatever it was."""
        return max(self.cut_last, *(turns.last for turns in (self.writes, self.others, self.desk.turns, self.mailbox.turns)))


def deliver(folder, elasticsearch, postgresql=None, *, rate, seconds, kill=False, limit=None):
    """Has `rate` records a second alerted on for so many seconds, and waits until nothing waits any more; with `kill` the sidecar is killed
    in the middle. `limit` is that of notifiers. Gives what came of it."""
    with Peers(folder, elasticsearch, postgresql, limit) as peers:
        one = Sidecar(folder, namespace=NAMESPACE, outputs=peers.outputs, risk={"alert_from": "never"})
        (one.analyzers / "every.py").write_text(ANALYZER)
        one.start()
        try:
            took = _sent(one, rate, seconds, kill)
            peers.mend()
            one.settled()
            ended = _delivered(one.data / "alerts.db")
            one.stop()
        finally:
            one.kill()
        with closing(sqlite3.connect(f"file:{one.data / 'alerts.db'}?mode=ro", uri=True)) as store:
            return _counted(peers, store, folder, rate * seconds, took, ended)


def _sent(one, rate, seconds, kill):
    """Sends on time, or as soon as may be; how long it took."""
    sender, began, each = Sender(one.forward), time.monotonic(), max(rate // 10, 1)
    killer = threading.Timer(seconds / 2, lambda: (one.kill(), one.start()))
    if kill:
        killer.start()
    for first in range(0, rate * seconds, each):
        time.sleep(max(began + first / rate - time.monotonic(), 0))
        numbers = range(first, min(first + each, rate * seconds))
        sender.send([{"seq": number, "user": {"name": f"user{number % GROUPS}"}, "source": {"ip": f"10.0.0.{number % GROUPS}"},
                      "message": f"something happened to user{number % GROUPS}"} for number in numbers], attempts=1000)  # fmt: skip
    took = time.monotonic() - began
    if kill:
        killer.join()
    return took


def _delivered(path):
    """When (monotonic) each output had everything, as far as something waited for it until now."""
    ended, waiting = {}, {""}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:

        def look():
            nonlocal waiting
            now = {name for (name,) in store.execute(WAITING)}
            ended.update(dict.fromkeys(waiting - now, time.monotonic()))
            waiting = now
            time.sleep(0.1)
            return not waiting

        until(look, WITHIN * 2, "delivery of everything")
    return ended


def _counted(peers, store, folder, sent, took, ended):
    dead = dict(store.execute("SELECT output, dead FROM deliveries"))
    (stored,) = store.execute("SELECT COUNT(*) FROM alerts").fetchone()
    assert stored == sent, f"{sent:,} records were acknowledged, {stored:,} alerts are stored"

    def row(name, held, failures, **more):
        seconds = max(ended.get(name, 0) - peers.last, 0.0)
        return Row(name, sent, len(held), failures, held.total() - len(held), dead.get(name, 0), seconds, **more)

    search_failures = peers.writes.dealt.total() + peers.others.dealt.total() + peers.cuts
    rows = [row("elasticsearch", _stream(peers.elasticsearch), search_failures, once=True)]
    if peers.postgresql is not None:
        held = Counter(id_ for (id_,) in peers.postgresql.sql(f"select id from {NAMESPACE}"))
        rows.append(row("postgresql", held, peers.cuts, once=True))
    lines = (line for file in folder.glob("alerts.ndjson*") for line in file.read_bytes().splitlines())
    rows.append(row("file", Counter(json.loads(line)["event"]["id"] for line in lines), 0))
    told = [_told(row, peers, store, name) for name in ("webhook", "email")]
    state = dict(store.execute("SELECT fingerprint, revision FROM states"))
    kinds = {"bulk requests": peers.writes.dealt, "other requests": peers.others.dealt, "webhook": peers.desk.turns.dealt,
             "email": peers.mailbox.turns.dealt, "lines cut": Counter(cut=peers.cuts)}  # fmt: skip
    return Outcome([*rows, *told], took, kinds, len(state), len(state.items() ^ _states(peers.elasticsearch).items()))


def _told(row, peers, store, name):
    """The row of a notifier: an alert is delivered if a message that counts it was taken in."""
    counts = dict(store.execute("SELECT id, count FROM notifications WHERE output = ?", (name,)))
    if name == "email":
        mails = {f"<{sha256(id_.encode()).hexdigest()[:32]}@example.com>": id_ for id_ in counts}
        taken = Counter({mails[mail]: often for (who, mail), often in peers.mailbox.taken.items() if who == SOC})
        turns, refused = peers.mailbox.turns, peers.mailbox.turns.dealt["550"]
    else:
        taken, turns, refused = peers.desk.taken, peers.desk.turns, 0
        assert peers.desk.counts == {id_: counts[id_] for id_ in taken}
    made = row(name, taken, turns.dealt.total(), messages=len(counts), refused=refused)
    return made._replace(delivered=sum(counts[id_] for id_ in taken))


def _stream(server):
    """How often the stream holds each id: a copy in another backing index is one more."""
    found, after = Counter(), None
    api(server, "POST", f"/{stream(NAMESPACE)}/_refresh")
    while True:
        query = {"size": 10_000, "_source": False, "sort": [{"event.id": "asc"}, {"_index": "asc"}]}
        hits = api(server, "POST", f"/{stream(NAMESPACE)}/_search", query | ({"search_after": after} if after else {}))["hits"]["hits"]
        if not hits:
            return found
        found.update(hit["_id"] for hit in hits)
        after = hits[-1]["sort"]


def _states(server):
    """The revision of each group in the state index."""
    index = f"pluginhost-alert-state-{NAMESPACE}"
    api(server, "POST", f"/{index}/_refresh")
    hits = api(server, "POST", f"/{index}/_search", {"size": 10_000, "_source": False, "version": True})["hits"]["hits"]
    return {hit["_id"]: hit["_version"] for hit in hits}
