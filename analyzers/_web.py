"""What the web analyzers have in common: which records are requests, which of these load the parts of a page, when to tell one again."""

from pluginhost import Event, FirstSeen, LastSeen

REQUEST = "event.category:web AND _exists_:source.ip"
SHARED = "shared_addresses"
"""The table of addresses behind which several people sit; `agents_per_address` fills it."""

MINUTE = 60_000_000_000  # ns

_PARTS = (".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".avif", ".woff", ".woff2", ".ttf",
          ".mp4", ".webm", ".mp3", ".m4s", ".ts")


def part_of_page(event: Event) -> bool:
    """Whether the request is for what browsers load along with a page: images, styles, scripts, fonts, media."""
    path = event.get("url.path")
    return isinstance(path, str) and path.endswith(_PARTS)


def again(told: LastSeen, event: Event, pause: int) -> bool:
    """Whether `pause` (ns) is over since the key was last told, which it now is."""
    if told.last is not None and event.time - told.last < pause:
        return False
    told.gap(event)
    return True


def again_of(told: FirstSeen, name: str, event: Event, pause: int) -> bool:
    """The same for one of many that a state remembers."""
    last = told.seen(name)
    if last is not None and event.time - last < pause:
        return False
    told.first(name, event)
    return True
