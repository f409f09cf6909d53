from pluginhost import Alert, Event, LastSeen, SlidingDistinct, Unjudged, analyzer

from ._hosts import HOUR, said

TRIED = "event.category:network AND event.type:connection AND NOT event.outcome:success AND _exists_:destination.port"
ANSWERED = 3  # packets back, where nobody says how it came out: a refusal is one


def answered(outcome: object, packets: object) -> bool:
    """Whether somebody spoke with the source, by the packets that came back, where the flow tells no outcome."""
    return outcome is None and isinstance(packets, int) and packets >= ANSWERED


@analyzer(where=TRIED, key=("source.ip", "destination.ip"))
def port_scan(event: Event, ports: SlidingDistinct = SlidingDistinct("5m", "30s"), told: LastSeen = LastSeen("1d"), limit: int = 30,
              scanners: str = "scanners") -> Alert | Unjudged | None:
    """One address tries many ports of a host.

    Counts the different ports of one host that one address tried within five minutes without a conversation coming of it, in steps of
    half a minute; fires once an hour. Reads flows and connections of firewalls, Zeek and Suricata. Your own scanners belong on the list
    `scanners`.
    """
    if answered(event.get("event.outcome"), event.get("destination.packets")):
        return None
    count = ports.add(event["destination.port"], event)
    if count < limit or (told.last is not None and event.time - told.last < HOUR):
        return None
    if event.listed("source.ip", scanners):
        return Unjudged("own_scanner")
    told.gap(event)
    return Alert("medium", f"{event['source.ip']} scans the ports of {event['destination.ip']}", technique="T1046", count=count,
                 reason=f"{count} different ports of one host without an answer within 5 minutes (limit {limit})")


@analyzer(where=f"{TRIED} AND _exists_:destination.ip", key=("source.ip", "destination.port"))
def address_scan(event: Event, hosts: SlidingDistinct = SlidingDistinct("5m", "30s"), told: LastSeen = LastSeen("1d"), limit: int = 30,
                 scanners: str = "scanners") -> Alert | Unjudged | None:
    """One address tries one port of many hosts.

    Counts the different hosts on which one address tried the same port within five minutes without a conversation coming of it, in
    steps of half a minute; fires once an hour. Your own scanners belong on the list `scanners`.
    """
    if answered(event.get("event.outcome"), event.get("destination.packets")):
        return None
    count = hosts.add(event["destination.ip"], event)
    if count < limit or (told.last is not None and event.time - told.last < HOUR):
        return None
    if event.listed("source.ip", scanners):
        return Unjudged("own_scanner")
    told.gap(event)
    return Alert("medium", f"{event['source.ip']} tries port {said(event, 'destination.port')} of many hosts", technique="T1046",
                 count=count, reason=f"{count} different hosts without an answer on this port within 5 minutes (limit {limit})")


def conn(port=22, target="192.0.2.1", state="S0", source="203.0.113.9"):
    return {"ts": 1795255200.25, "uid": "CHhAvVGS1DHFjwGM9", "id.orig_h": source, "id.orig_p": 50096, "id.resp_h": target,
            "id.resp_p": port, "proto": "tcp", "conn_state": state}


def flow(port=22, target="192.0.2.1", packets=1):
    return {"event_type": "flow", "src_ip": "203.0.113.9", "src_port": 50096, "dest_ip": target, "dest_port": port, "proto": "TCP",
            "flow": {"pkts_toserver": 1, "pkts_toclient": packets, "age": 0}}


ODD = (None, 7, -1, [], {}, "", "x" * 5000)
port_scan.fires_on([conn(port) for port in range(1, 200)], alerts=1)
port_scan.fires_on([flow(port) for port in range(1, 40)], alerts=1)
port_scan.quiet_on([conn(port) for port in range(1, 30)])
port_scan.quiet_on([conn(port) for port in range(1, 100)], every="12s")
port_scan.quiet_on([conn(port, state="SF") for port in range(1, 100)])
port_scan.quiet_on([flow(port, packets=9) for port in range(1, 100)])
port_scan.quiet_on([conn(port) for port in range(1, 100)], lists={"scanners": ["203.0.113.0/24"]})
port_scan.survives([conn(one, one, state, one) for one in ODD for state in ("S0", None, [])])
address_scan.fires_on([conn(target=f"192.0.2.{n}", state="REJ") for n in range(200)], alerts=1)
address_scan.quiet_on([conn(target=f"192.0.2.{n}") for n in range(29)] * 3)
address_scan.quiet_on([conn(target=f"192.0.2.{n}") for n in range(100)], every="12s")
address_scan.quiet_on([conn(n, f"192.0.2.{n}") for n in range(100)])
address_scan.quiet_on([flow(target=f"192.0.2.{n}", packets=3) for n in range(100)])
address_scan.survives([conn(one, one, state, one) for one in ODD for state in ("S0", None, [])])
