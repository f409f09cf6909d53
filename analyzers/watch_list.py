from pluginhost import Alert, Event, analyzer

from ._hosts import on, said

WATCHED = (
    ("source.ip", "watched_addresses"), ("destination.ip", "watched_addresses"), ("user.name", "watched_users"),
    ("host.name", "watched_hosts"), ("dns.question.name", "watched_domains"), ("url.domain", "watched_domains"),
    ("tls.client.server_name", "watched_domains"), ("file.hash.md5", "watched_hashes"), ("file.hash.sha1", "watched_hashes"),
    ("file.hash.sha256", "watched_hashes"), ("message", "watched_strings"),
)


@analyzer(group=("source.ip", "user.name", "host.name"))
def watch_list(event: Event, watched: tuple[tuple[str, str], ...] = WATCHED) -> list[Alert]:
    """A value of any field that stands on a watch list.

    `watched` pairs fields with names of lists (see docs/enrichment.md); a list that you do not have costs nothing. The lists may hold
    networks, domains, names, hashes, or strings anywhere in the message (kinds literals and patterns), and are read anew when their files
    change. For each field whose value is listed there is an alert, with the entry and its note.
    """
    return [hit(event, field, name) for field, name in watched if event.listed(field, name) is not None]


def hit(event: Event, field: str, name: str) -> Alert:
    entry = event.listed(field, name)
    note = f": {entry.note}" if entry.note else ""
    return Alert("medium", f"{said(event, field, field)} is watched ({name}){on(event)}",
                 reason=f"{field} holds {entry.value}, which is in the list {name}{note}", fields={"pluginhost.watched": [field]})


SSH = "Nov 21 10:00:00 web1 sshd[42]: Accepted publickey for alice from 203.0.113.9 port 50000 ssh2"
DNS = {"ts": 1795255200.25, "uid": "C", "id.orig_h": "192.0.2.1", "id.resp_h": "192.0.2.53", "trans_id": 5, "query": "a.bad.example"}
watch_list.fires_on(SSH, lists={"watched_addresses": ["203.0.113.0/24"]}, alerts=1)
watch_list.fires_on(SSH, lists={"watched_addresses": ["203.0.113.9"], "watched_users": ["ALICE"]}, alerts=2)
watch_list.fires_on(DNS, lists={"watched_domains": ("domains", ["bad.example"])}, alerts=1)
watch_list.fires_on("job 7: mimikatz ran", lists={"watched_strings": ("literals", ["mimikatz"])})
watch_list.fires_on({"badge": "4711"}, lists={"badges": ["4711"]}, watched=[["badge", "badges"]])
watch_list.quiet_on([SSH, DNS], lists={"watched_addresses": ["198.51.100.0/24"], "watched_domains": ("domains", ["example.bad"])})
watch_list.quiet_on([SSH, DNS])
watch_list.survives([{"user": {"name": one}, "source": {"ip": one}, "message": one}
                     for one in (None, "", 7, [], {}, ["a", None], "x" * 9999)],
                    lists={"watched_users": ["alice"], "watched_addresses": ["203.0.113.9"]})
