from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer

from ._logins import SUCCESS, device, nobody


@analyzer(where=SUCCESS, key="user.name")
def new_device(event: Event, devices: FirstSeen = FirstSeen("90d", limit=20), logins: FirstSeen = FirstSeen("90d", limit=100),
               learning: int = 10) -> Alert | Unjudged | None:
    """A login with a device that the user has not used before.

    A device is what the user agent tells of it: operating system, kind (mobile, tablet, desktop) and browser, without versions, so that an
    update is no new device. Up to 20 devices are remembered, each for 90 days after it was last used. The first one teaches. Kept, but
    told to nobody: what is found in a user's first `learning` logins (100 at most), in which the usual devices come up.
    """
    if nobody(event):
        return Unjudged("nobody")
    told = device(event)
    if told is None:
        return Unjudged("no_user_agent")
    taught = len(logins) >= min(learning, 100)
    if not taught:
        logins.first(event.time, event)
    if not devices.first(told, event) or len(devices) == 1:
        return None
    user = event["user.name"]
    return Alert("low", f"{user} logged in with a new device: {told}", technique="T1078",
                 reason=f"no login of {user} with it in 90 days; {len(devices) - 1} other devices are known",
                 fields={"pluginhost.device": told}, suppressed=[] if taught else ["learning"])


LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"
PHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.1 Mobile/15E148 Safari/604.1")


def login(agent, user="alice"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": user},
            "source": {"ip": "203.0.113.9"}, "user_agent": {"original": agent}}


FIREFOX = LINUX.format(132, 132)
new_device.fires_on([*[login(FIREFOX)] * 10, login(PHONE), login(PHONE)], every="1h", alerts=1)
new_device.fires_on([login(FIREFOX), login("curl/8.5.0")], alerts=1, learning=0)
new_device.quiet_on([login(FIREFOX), login(PHONE)])  # too little is known
new_device.quiet_on([login(FIREFOX), login(LINUX.format(133, 133))])  # an update
new_device.quiet_on([login(FIREFOX), login(PHONE, user="bob")])
new_device.quiet_on([login(FIREFOX, user="N/A"), login(PHONE, user="N/A")])
new_device.survives([login(agent) for agent in (None, "", ["a", "b"], "x" * 100_000, {"a": 1}, "\u202e")])
new_device.survives([login(FIREFOX, user=7), login(PHONE, user=["a", "b"])])
