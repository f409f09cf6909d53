from pluginhost import Alert, Event, FirstSeen, LastSeen, Recent, Unjudged, analyzer
from pluginhost.options import Duration

from ._hosts import HOUR, on, said

USED = "event.dataset:system.filesystem AND _exists_:system.filesystem.used.pct AND _exists_:system.filesystem.mount_point"
KEY = ("host.name", "system.filesystem.mount_point")
IMAGES = ("squashfs", "iso9660", "overlay", "tmpfs", "devtmpfs", "nullfs", "udf")
STEP = 600_000_000_000  # ns between two measures that are compared


def used(event: Event, ignored_types: tuple[str, ...]) -> float | Unjudged:
    """How full it is, 0 to 1; Unjudged for images, which are always full, and for what is no share."""
    share = event["system.filesystem.used.pct"]
    if event.get("system.filesystem.type") in ignored_types:
        return Unjudged("image")
    return share if isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share <= 1 else Unjudged("no_share")


@analyzer(where=USED, key=KEY)
def disk_full(event: Event, told: FirstSeen = FirstSeen("6h", limit=2), level: float = 0.9, critical: float = 0.97,
              ignored_types: tuple[str, ...] = IMAGES) -> Alert | Unjudged | None:
    """A disk that is nearly full.

    Reads Metricbeat's `system.filesystem`. Fires when a file system is fuller than `level` (a share of 1), again when it is fuller than
    `critical`, and then not before it was below for six hours. What an attacker fills up are logs: an audit daemon stops where there is
    no room.
    """
    share = used(event, ignored_types)
    if isinstance(share, Unjudged):
        return share
    if share < level or not told.first("full" if share >= critical else "nearly", event):
        return None
    mount, limit = said(event, "system.filesystem.mount_point"), critical if share >= critical else level
    return Alert("high" if share >= critical else "medium", f"{mount}{on(event)} is {share:.0%} full", technique="T1499.001",
                 reason=f"{share:.1%} are used, {limit:.0%} is the limit", fields={"system.filesystem.used.pct": share})


@analyzer(where=USED, key=KEY)
def disk_filling(event: Event, measures: Recent = Recent(7, "1d"), told: LastSeen = LastSeen("2d"), within: Duration = Duration.of("4h"),
                 ignored_types: tuple[str, ...] = IMAGES) -> Alert | Unjudged | None:
    """A disk that will soon be full if it goes on like this.

    Compares up to seven measures at least ten minutes apart. If the file system grew in the older half of that time and in the newer one,
    and would be full `within` the time given at the slower of both paces, that is told once a day.
    """
    share = used(event, ignored_types)
    if isinstance(share, Unjudged):
        return share
    last = measures.newest()
    if last is not None and event.time - last[0] < STEP:
        return None
    measures.insert(event, (share,))
    pace = slowest([(when, float(item[0])) for when, item in measures.items()])
    left = (1 - share) / pace if pace > 0 else None
    if left is None or left > within / 3600 or (told.last is not None and event.time - told.last < 24 * HOUR):
        return None
    told.gap(event)
    mount, when = said(event, "system.filesystem.mount_point"), f"{left:.1f} hours" if left >= 1 else f"{left * 60:.0f} minutes"
    return Alert("medium", f"{mount}{on(event)} will be full in {when}", technique="T1499.001",
                 reason=f"it grows by at least {pace:.1%} an hour and {1 - share:.0%} are left",
                 fields={"system.filesystem.used.pct": share})


def slowest(measures: list[tuple[int, float]]) -> float:
    """The growth an hour in the half of the time in which it was slower; 0 if there are too few measures."""
    if len(measures) < 4:
        return 0.0
    first, middle, last = measures[0], measures[len(measures) // 2], measures[-1]
    return min((end[1] - start[1]) / max(end[0] - start[0], STEP) * HOUR for start, end in ((first, middle), (middle, last)))


def disk(share, mount="/var", kind="ext4", host="web1"):
    return {"metricset": {"name": "filesystem", "period": 60000}, "event": {"dataset": "system.filesystem", "module": "system"},
            "system": {"filesystem": {"mount_point": mount, "type": kind, "used": {"pct": share}, "total": 1000}}, "host": {"name": host}}


ODD = (None, "", 7, -1, float("nan"), [], {}, True, "0.95")
disk_full.fires_on([disk(0.91)] * 20, every="5m", alerts=1)
disk_full.fires_on([disk(0.91), disk(0.98), disk(0.91, "/home")], alerts=3)
disk_full.quiet_on([disk(0.89), disk(1.0, "/snap/core/1", "squashfs")] * 3)
disk_full.survives([disk(one, one, one, one) for one in ODD])
disk_filling.fires_on([disk(0.5 + 0.02 * n) for n in range(20)], every="20m", alerts=1)
disk_filling.quiet_on([disk(0.5 + 0.002 * n) for n in range(20)], every="20m")  # days are left
disk_filling.quiet_on([disk(0.8 + 0.1 * (n % 2)) for n in range(20)], every="20m")  # up and down
disk_filling.quiet_on([disk(0.5), disk(0.5), disk(0.5), disk(0.9), disk(0.9)], every="20m")  # one large file
disk_filling.survives([disk(one, one, one, one) for one in ODD], every="1h")
