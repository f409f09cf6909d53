import re
from ipaddress import ip_address

from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer

from ._hosts import said

PROXY = "category:proxy OR observer.type:proxy OR event.module:squid"
DENIED = f"({PROXY}) AND (details.proxyaction:TCP_DENIED* OR event.action:TCP_DENIED* OR event.type:denied)"
EXECUTABLES = (".exe", ".sh", ".py", ".rb", ".bin", ".ps1", ".msi", ".dll", ".scr", ".bat", ".vbs", ".hta", ".jar")
PLACE = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")  # an IPv6 address without brackets has no port
PASTES = ("pastebin.com", "www.sendspace.com", "transfer.sh", "file.io", "anonfiles.com", "paste.ee", "0x0.st", "temp.sh")


def asked(event: Event) -> tuple[str, str, int | None]:
    """The host, the path and the port of what was asked for, "" and None where they are not told; lower case."""
    told = next((one for field in ("url.full", "url.original", "details.destination") if isinstance(one := event.get(field), str)), "")
    _, mark, rest = (told := told[:4096].lower()).partition("://")
    place, slash, path = (rest if mark else told).partition("/")
    place = place.rpartition("@")[2]
    found = PLACE.fullmatch(place)
    host, port = (found[1], int(found[2]) if found[2] else None) if found else (place, None)
    named = next((one for field in ("url.domain", "details.host") if isinstance(one := event.get(field), str)), "")
    number = next((one for field in ("url.port", "details.destinationport") if isinstance(one := event.get(field), int)), port)
    return (named.lower() or host).strip("[]"), (slash + path).partition("?")[0].partition("#")[0], number


@analyzer(where=DENIED, key="source.ip")
def proxy_drop_executable(event: Event, told: FirstSeen = FirstSeen("1h", limit=1000),
                          endings: tuple[str, ...] = EXECUTABLES) -> Alert | Unjudged | None:
    """A download of a program that the proxy refused.

    By the ending of the path (`endings`); told once an hour for a client and host.
    """
    host, path, _ = asked(event)
    if not host:
        return Unjudged("no_url")
    if not path.endswith(endings) or not told.first(host, event):
        return None
    return Alert("low", f"{event['source.ip']} wanted a program from {host}, which the proxy refused", technique="T1105",
                 reason=f"the path ends like a program's: {path[-100:]}")


@analyzer(where=DENIED, key="source.ip")
def proxy_drop_ip(event: Event, told: FirstSeen = FirstSeen("1h", limit=1000),
                  allowed: tuple[str, ...] = ("169.254.169.254",)) -> Alert | Unjudged | None:
    """A request for a bare address, without a name, that the proxy refused.

    Told once an hour for a client and address; `allowed` are addresses that are asked for in good faith, such as a cloud's metadata.
    """
    host = asked(event)[0]
    if not host:
        return Unjudged("no_url")
    if host in allowed or not address(host) or not told.first(host, event):
        return None
    return Alert("low", f"{event['source.ip']} asked for {host}, an address without a name, which the proxy refused", technique="T1071.001",
                 reason="programs of people ask for names; malware often has addresses")


def address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@analyzer(where=f"{DENIED} AND (http.request.method:CONNECT OR details.method:CONNECT)", key="source.ip")
def proxy_drop_port(event: Event, told: FirstSeen = FirstSeen("1h", limit=1000),
                    usual: tuple[int, ...] = (443, 8443)) -> Alert | Unjudged | None:
    """A tunnel to an unusual port that the proxy refused.

    Told once an hour for a client, host and port.
    """
    host, _, port = asked(event)
    if port is None:
        return Unjudged("no_port")
    if port in usual or not told.first((host, port), event):
        return None
    return Alert("low", f"{event['source.ip']} wanted a tunnel to {host or 'a host'}, port {port}, which the proxy refused",
                 technique="T1571", reason=f"port {port} is none of {', '.join(map(str, usual))}")


@analyzer(where=PROXY, key="source.ip")
def exfiltration_domain(event: Event, told: FirstSeen = FirstSeen("1h", limit=1000), domains: tuple[str, ...] = PASTES,
                        domains_list: str = "exfiltration_domains") -> Alert | Unjudged | None:
    """A client that speaks with a site where things are left: pastes, file drops.

    `domains` and their subdomains, and what stands on the list `exfiltration_domains`. Told once an hour for a client and host, refused
    or not.
    """
    named = event.get("url.domain") or event.get("details.host")
    host = named.lower() if isinstance(named, str) else asked(event)[0]
    if not host:
        return Unjudged("no_url")
    known = host.endswith(tuple(f".{one}" for one in domains)) or host in domains or event.listed("url.domain", domains_list)
    if not known or not told.first(host, event):
        return None
    return Alert("medium", f"{event['source.ip']} spoke with {host}", technique="T1567",
                 reason=f"{host} is a place where files and texts are left; {said(event, 'http.request.method', 'method unknown')}")


def squid(url, action="TCP_DENIED/403", method="GET", **details):
    return {"category": "proxy", "source": "squid", "hostname": "proxy1", "summary": "…",
            "details": {"proxyaction": action, "destination": url, "sourceipaddress": "192.0.2.7", "method": method, **details}}


ECS = {"observer": {"type": "proxy"}, "event": {"category": ["web"], "type": ["denied"]}, "source": {"ip": "192.0.2.7"},
       "url": {"original": "http://bad.example/a.exe?x=1", "domain": "bad.example"}, "http": {"request": {"method": "GET"}}}
ODD = [squid(one, "TCP_DENIED", "CONNECT", host=host) for one in (None, "", 7, [], "://", "a:99999999999", "[::1]:x", "@:@:/" * 999)
       for host in ("", [], {})]
proxy_drop_executable.fires_on([squid("http://bad.example/a.exe")] * 9, every="1m", alerts=1)
proxy_drop_executable.fires_on(ECS)
proxy_drop_executable.quiet_on([squid("http://a.example/a.html"), squid("http://a.example/a.exe", "TCP_MISS/200"),
                                squid("http://evil.sh/")])
proxy_drop_executable.survives(ODD)
proxy_drop_ip.fires_on([squid("http://203.0.113.9/x"), squid("203.0.113.10:443", method="CONNECT"), squid("http://[2001:db8::1]/"),
                        squid("http://2001:db8::1/")], alerts=3)
proxy_drop_ip.quiet_on([squid("http://169.254.169.254/latest"), squid("http://1.2.3.example/"),
                        squid("http://203.0.113.9/", "TCP_MISS/200")])
proxy_drop_ip.survives(ODD)
proxy_drop_port.fires_on([squid("a.example:4444", method="CONNECT")] * 3, alerts=1)
proxy_drop_port.quiet_on([squid("a.example:443", method="CONNECT"), squid("http://a.example:4444/")])
proxy_drop_port.survives(ODD)
exfiltration_domain.fires_on([squid("http://pastebin.com/raw/x", "TCP_MISS/200"), squid("a.transfer.sh:443", "TCP_TUNNEL/200")], alerts=2)
exfiltration_domain.fires_on(ECS, lists={"exfiltration_domains": ("domains", ["bad.example"])})
exfiltration_domain.quiet_on([squid("http://notpastebin.com/"), squid("http://a.example/?u=pastebin.com")])
exfiltration_domain.survives(ODD)
