"""What a user agent claims, and which claims no browser makes: a table over (browser, version, system, version of the system) as data."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["RULES", "Claim", "Rule", "automated", "unlikely"]

_LONGEST = 1024  # characters that are looked at
_BROWSERS = (("IE", r"MSIE (\d{1,4})"), ("IE", r"Trident/[^)]{0,200}?\brv:(\d{1,4})"), ("Edge", r"Edge?/(\d{1,4})"), ("Opera",
r"OPR/(\d{1,4})"),
             ("Firefox", r"Firefox/(\d{1,4})"), ("Chrome", r"Chrome/(\d{1,4})"), ("Safari",
             r"Version/(\d{1,4})[^ ]{0,20} (?:Mobile/\S{1,20} )?Safari/"))
_SYSTEMS = (("Windows", r"Windows NT ?(\d{1,2}\.\d{1,2})?"), ("Windows", r"Windows (95|98|CE|ME|XP)|Win ?9x"),
            ("Android", r"Android ?(\d{1,2}(?:\.\d{1,2})?)?"), ("iOS", r"(?:iPhone|iPad|iPod)()"), ("Mac",
            r"Mac OS X|Macintosh|Mac_PowerPC"),
            ("ChromeOS", r"CrOS()"), ("Linux", r"Linux|X11"))
_FINDERS = [(name, re.compile(pattern)) for name, pattern in (*_BROWSERS, *_SYSTEMS)]
_ITSELF = ("Opera", "IEMobile", "Windows Phone", "chromeframe")  # they say they are others, and say so

_HEADLESS = ("headless", "phantomjs", "puppeteer", "playwright", "selenium", "slimerjs", "splash", "cypress", "webdriver")

XP = ("4.0", "5.0", "5.1", "5.2", "95", "98", "ME", "XP", "CE")
OLD = (*XP, "6.0", "6.1", "6.2", "6.3")
WINDOWS = ("4.0", "4.10", "4.90", "5.0", "5.1", "5.01", "5.2", "6.0", "6.1", "6.2", "6.3", "6.4", "10.0", "95", "98", "ME", "XP", "CE", "")


class Claim(NamedTuple):
    """One browser of one version (0: not said) on one system of one version ("": not said)."""

    browser: str
    major: int
    system: str
    version: str


class Rule(NamedTuple):
    """Claims that do not hold, and what is wrong with them. `systems` and `versions` () are any; `but` turns `systems` round."""

    why: str
    severity: str
    browser: str = ""
    least: int = 0
    most: int = 9999
    systems: tuple[str, ...] = ()
    but: bool = False
    versions: tuple[str, ...] = ()

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is one of these."""
        return (self.browser in ("", claim.browser) and self.least <= claim.major <= self.most and claim.system != ""
                and (not self.systems or (claim.system in self.systems) is not self.but)
                and (not self.versions or claim.version in self.versions))


RULES = (
    Rule("Internet Explorer 6 and later ran on Windows only", "medium", "IE", 6, systems=("Windows",), but=True),
    Rule("Internet Explorer 5 and earlier ran on Windows and Mac only", "medium", "IE", 0, 5, ("Windows", "Mac"), but=True),
    Rule("Internet Explorer 9 and later does not run on this Windows", "medium", "IE", 9, systems=("Windows",), versions=XP),
    Rule("there was no Edge on Linux before version 88", "medium", "Edge", 0, 87, ("Linux",)),
    Rule("there is no Safari on Windows after version 5", "medium", "Safari", 6, systems=("Windows",)),
    Rule("there is no Safari on Android", "medium", "Safari", 5, systems=("Android",)),  # Version/4.0 is Android's own old browser
    Rule("there is no Safari on Linux, only browsers that look like it", "low", "Safari", systems=("Linux", "ChromeOS")),
    Rule("Chrome calls itself CriOS on iOS", "medium", "Chrome", systems=("iOS",)),
    Rule("Chrome 110 and later does not run on this Windows", "medium", "Chrome", 110, systems=("Windows",), versions=OLD),
)
"""Checked in this order. Beside them: systems that exclude each other, versions of Windows that there never were, browsers far too new."""


@lru_cache(maxsize=20_000)
def unlikely(agent: str, newest: int) -> tuple[str, str] | None:
    """(what is wrong with a user agent, the severity), or None; `newest` is the highest version that is believed."""
    if any(name in agent for name in _ITSELF):
        return None
    browsers, systems = _told(agent, len(_BROWSERS), 0), _told(agent, len(_FINDERS), len(_BROWSERS))
    if "Windows" in systems and systems.keys() & {"Android", "iOS", "Mac"}:
        return f"it runs on Windows and {next(name for name in ('Android', 'iOS', 'Mac') if name in systems)} at once", "medium"
    if systems.get("Windows", "") not in WINDOWS:
        return f"there is no Windows NT {systems['Windows']}", "medium"
    for claim in _claims(browsers, systems):
        if claim.major > newest:
            return f"there is no {claim.browser} {claim.major}", "medium"
        for rule in RULES:
            if rule.holds(claim):
                return f"{rule.why} ({' '.join(str(one) for one in claim if one)})", rule.severity
    if "IE" in browsers and browsers.keys() & {"Chrome", "Firefox"}:
        return "it is Internet Explorer and another browser at once", "medium"
    return None


@lru_cache(maxsize=20_000)
def automated(agent: str) -> str | None:
    """The mark of a browser that a program drives, or of one that does not say what it is; None if there is none."""
    if agent in ("", "-"):
        return "no user agent"
    agent = agent.lower()
    return next((one for one in _HEADLESS if one in agent), None)


def _told(agent: str, end: int, start: int) -> dict[str, str]:
    """The browsers, or the systems, that the agent names, each with its version."""
    found: dict[str, str] = {}
    for name, finder in _FINDERS[start:end]:
        if name not in found and (hit := finder.search(agent, 0, _LONGEST)) is not None:
            found[name] = (hit[1] or "") if finder.groups else ""
    return found


def _claims(browsers: dict[str, str], systems: dict[str, str]) -> Iterator[Claim]:
    """The browser that leads (those behind it are what it is compatible with) on the system that leads: Android says Linux, too."""
    system = next(iter(systems.items()), ("", ""))
    browser = next(iter(browsers.items()), ("", ""))
    yield Claim(browser[0], int(browser[1] or 0), *system)
    if browser[0] == "Edge" and "Chrome" in browsers:
        yield Claim("Chrome", int(browsers["Chrome"] or 0), *system)
