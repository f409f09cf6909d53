from pluginhost import Alert, Event, analyzer

from ._logins import SUCCESS


@analyzer(where=f"{SUCCESS} AND _exists_:source.ip", group=("user.name", "source.ip"))
def anonymous_ip(event: Event, lists: tuple[str, ...] = ("tor", "proxy", "vpn"), category: str = "anonymizer",
                 trusted: str = "trusted") -> Alert | None:
    """A login through a network that hides who is behind it.

    Either the record says so (`source.intelligence_category` is `anonymizer`), or the address is in one of the configured `lists` of
    networks: Tor exits, open proxies, commercial VPNs. A network on the list `trusted` (your own VPN) is told to nobody.
    """
    told = event.get("source.intelligence_category")
    entry = next(((name, found) for name in lists if (found := event.listed("source.ip", name)) is not None), None)
    if entry is None and told != category:
        return None
    how = f"{entry[1].value} is in the list {entry[0]}" if entry else f"the record says {category}"
    note = f" ({entry[1].note})" if entry and entry[1].note else ""
    return Alert("medium", f"{event.get('user.name')} logged in through an anonymizing network: {event['source.ip']}",
                 technique="T1090.003", reason=f"{how}{note}", action="step_up",
                 suppressed="trusted" if event.listed("source.ip", trusted) else ())


def login(ip, **source):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": "alice"},
            "source": {"ip": ip, **source}}


TOR = {"tor": ["203.0.113.0/24", "2001:db8:bad::/48"]}
anonymous_ip.fires_on(login("203.0.113.9"), lists=TOR, alerts=1)
anonymous_ip.fires_on(login("2001:db8:bad::1"), lists=TOR)
anonymous_ip.fires_on(login("::ffff:203.0.113.9"), lists=TOR)
anonymous_ip.fires_on(login("192.0.2.1", intelligence_category="anonymizer"))
anonymous_ip.quiet_on(login("192.0.2.1"), lists=TOR)
anonymous_ip.quiet_on(login("203.0.113.9"), lists={**TOR, "trusted": ["203.0.113.9"]})
anonymous_ip.survives([login(None), login(""), login(["203.0.113.9"]), login(7)], lists=TOR)
