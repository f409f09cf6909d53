"""Ten stateful analyzers of which six to seven run for every record; none of them ever alerts."""

from pluginhost import Alert, Event, FirstSeen, SlidingCount, analyzer


def counted(name, where, key):
    @analyzer(where=where, key=key, name=name)
    def body(event: Event, seen: SlidingCount = SlidingCount("5m", limit=50), limit: int = 10**6) -> Alert | None:  # noqa: B008 - states are
        if seen.add(event) == limit:
            return Alert("low", "too many")
        return None

    return body


def new_addresses(name, where, key):
    @analyzer(where=where, key=key, name=name)
    def body(event: Event, seen: FirstSeen = FirstSeen("90d", limit=20), limit: int = 100) -> Alert | None:  # noqa: B008 - declared so
        if seen.first(event["ip"], event) and len(seen) > limit:
            return Alert("low", "a new one")
        return None

    return body


web_by_address = counted("web_by_address", "type:web", "ip")
web_by_user = counted("web_by_user", "type:web", "user")
web_found = counted("web_found", "type:web AND code:200", "ip")
web_reads = counted("web_reads", "type:web AND method:GET", "user")
web_addresses = new_addresses("web_addresses", "type:web", "user")
web_by_host = counted("web_by_host", "type:web AND host:web1", "host")
ssh_by_address = counted("ssh_by_address", "type:ssh", "ip")
ssh_by_user = counted("ssh_by_user", "type:ssh", "user")
ssh_addresses = new_addresses("ssh_addresses", "type:ssh", "user")
all_by_address = counted("all_by_address", "", "ip")
