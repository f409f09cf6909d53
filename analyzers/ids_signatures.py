from pluginhost import Alert, Event, SlidingCount, analyzer

from ._hosts import said


@analyzer(where="event.category:intrusion_detection AND _exists_:pluginhost.signature.name", key=("source.ip", "pluginhost.signature.name"))
def ids_signature(event: Event, hits: SlidingCount = SlidingCount("1h"), least_urgent: int = 2) -> Alert | None:
    """A signature of an intrusion detection system, grouped.

    Suricata's alerts and Zeek's notices: the first of an address and signature is told, and once an hour while it goes on, with how many
    there were. Suricata's priority 1 is medium, 2 low; what is less urgent than `least_urgent` is not told. Zeek has no priorities: medium.
    """
    urgency = event.get("event.severity")
    if isinstance(urgency, int) and urgency > least_urgent:
        return None
    if not hits.reaches(event, 1):
        return None
    name, target = said(event, "pluginhost.signature.name"), said(event, "destination.ip", "")
    refused = "; it was blocked" if "denied" in event.values("event.type") else ""
    return Alert("low" if isinstance(urgency, int) and urgency > 1 else "medium",
                 f"{name}: {event['source.ip']}{f' to {target}' if target else ''}",
                 reason=f"{said(event, 'event.reason', f'the signature {name} matched')}{refused}; {len(hits)} in the last hour")


def eve(severity=1, source="203.0.113.9", signature="ET WEB_SERVER possible SQL injection"):
    return {"event_type": "alert", "src_ip": source, "src_port": 50096, "dest_ip": "192.0.2.1", "dest_port": 80, "proto": "TCP",
            "alert": {"action": "blocked", "signature_id": 2018358, "signature": signature, "severity": severity}}


NOTICE = {"ts": 1795255200.25, "note": "Scan::Port_Scan", "msg": "203.0.113.9 scanned at least 15 unique ports of host 192.0.2.1 in 0m1s",
          "src": "203.0.113.9", "dst": "192.0.2.1", "suppress_for": 3600.0}
ids_signature.fires_on([eve()] * 30, alerts=1)
ids_signature.fires_on([eve()] * 5, every="40m", alerts=3)
ids_signature.fires_on([eve(), eve(source="203.0.113.10"), eve(signature="ET SCAN ssh"), NOTICE], alerts=4)
ids_signature.quiet_on([eve(3)] * 5)
ids_signature.survives([eve(one, one, one) for one in (None, 7, [], {}, "", "x" * 5000)])
