from pluginhost import Alert, Event, FirstSeen, analyzer

from ._hosts import by, on

VIRTUAL = ("veth", "docker", "br-", "virbr", "vnet", "tap", "cali", "cni", "lxc", "flannel")


@analyzer(where="event.action:promiscuous_mode_entered AND NOT event.outcome:failure", key="pluginhost.interface",
          group=("host.name", "pluginhost.interface"))
def promiscuous_interface(event: Event, hosts: FirstSeen = FirstSeen("1h", limit=10_000),
                          ignored: tuple[str, ...] = VIRTUAL) -> Alert | None:
    """A network interface began to listen to all traffic.

    Somebody may be reading what others send. Interfaces whose names begin with one of `ignored` do so whenever a container or virtual
    machine starts. Told once an hour for a host and interface: kernel and audit daemon both log it.
    """
    interface = event["pluginhost.interface"]
    if not isinstance(interface, str) or interface.startswith(ignored) or not hosts.first(event.get("host.name"), event):
        return None
    return Alert("medium", f"{interface} listens to all traffic{on(event)}{by(event)}", technique="T1040",
                 reason=f"{interface} entered promiscuous mode, and its name is of no virtual interface")


def kernel(device="eth0", host="web1", verb="entered"):
    return f"Nov 21 10:00:00 {host} kernel: [12345.678901] device {device} {verb} promiscuous mode"


AUDIT = {"message": "type=ANOM_PROMISCUOUS msg=audit(1795255200.123:456): dev=eth0 prom=256 old_prom=0 auid=1000 uid=0 gid=0 ses=3",
         "host": "web1"}
promiscuous_interface.fires_on([kernel(), AUDIT, kernel()], every="1m", alerts=1)
promiscuous_interface.fires_on([kernel(), kernel(host="web2"), kernel("eth1")], alerts=3)
promiscuous_interface.fires_on({"category": "promiscuous", "processname": "audisp-json", "summary": "", "details": {"dev": "eth0"}})
promiscuous_interface.quiet_on([kernel("veth8f3a"), kernel("docker0"), kernel(verb="left")])
promiscuous_interface.survives([{"event.action": "promiscuous_mode_entered", "pluginhost.interface": one, "host.name": one}
                                for one in (None, 7, [], {}, "", "x" * 5000)])
