from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer

from ._hosts import by, on, said, windows

SERVICES = 'auditd OR "Security Auditing Service" OR rsyslog OR "System Logging Service" OR syslog-ng OR "Windows Event Log"'
OFF = f'event.action:audit_disabled OR (event.action:service_stopped AND service.name:({SERVICES}))'
CLEARED = f'event.action:audit_cleared OR (event.provider:"Microsoft-Windows-Eventlog" AND event.code:(1102 OR 104)) OR {windows(1102)}'
LESS = "event.code:(PutEventSelectors OR UpdateTrail OR PutInsightSelectors) AND event.category:configuration"
DOWN = "event.action:host_stopped"
LEAVING = 300_000_000_000  # ns: so long a shutdown may take


@analyzer(where=f"({OFF}) OR ({CLEARED}) OR ({LESS}) OR {DOWN}", pinned=True, group=("host.name", "user.name"))
def audit_tampering(event: Event, leaving: FirstSeen = FirstSeen("10m", limit=10_000),
                    told: FirstSeen = FirstSeen("10m", limit=10_000)) -> Alert | Unjudged | None:
    """Auditing or logging was switched off, emptied or made to see less.

    The audit daemon stopped or lost its rules, the logging service stopped, a Windows log was cleared, CloudTrail or another recorder of
    a cloud was stopped or deleted: high. A refused attempt, and a trail that was changed (it may record less now): medium. A host that
    stops its services because it shuts down is not told for five minutes from there on, but counted as unjudged. The same of the same
    host is told once in ten minutes.
    """
    action, host = event.get("event.action"), event.get("host.name")
    if action == "host_stopped":
        leaving.first(host, event)
        return None
    went = leaving.seen(host)
    ends = action in ("audit_disabled", "service_stopped") and host is not None and went is not None
    if ends and 0 <= event.time - went <= LEAVING:
        return Unjudged("host_shuts_down")
    what, technique, severity = kind(event)
    where = on(event) or f" in the account {said(event, 'cloud.account.id', 'at hand')}"
    refused = event.get("event.outcome") == "failure"
    if not told.first((what, host, event.get("cloud.account.id"), refused), event):
        return None
    if refused:
        return Alert("medium", f"refused: {what}{where}{by(event)}", technique=technique, reason=f"{named(event)}, which was refused")
    return Alert(severity, f"{what}{where}{by(event)}", technique=technique, reason=named(event))


def kind(event: Event) -> tuple[str, str, str]:
    """What happened in words, its technique, its severity."""
    action, code = event.get("event.action"), str(event.get("event.code"))
    if code in ("PutEventSelectors", "UpdateTrail", "PutInsightSelectors"):
        return "what the trail records was changed", "T1562.008", "medium"
    if action == "audit_cleared" or code in ("1102", "104"):
        return "a log was cleared", "T1070.001" if code in ("1102", "104") else "T1070", "high"
    if action == "service_stopped":
        return f"{said(event, 'service.name')} was stopped", "T1562.001", "high"
    return "auditing was switched off", "T1562.008" if event.get("cloud.provider") else "T1562.012", "high"


def named(event: Event) -> str:
    """The source's own words for it."""
    words = [said(event, field, "") for field in ("event.code", "pluginhost.audit.type", "event.action")]
    return " ".join(word for word in words if word)


HEAD, ID = "Nov 21 10:00:00 web1", "msg=audit(1795255200.123:456):"
END = f"{HEAD} audispd: type=DAEMON_END {ID} op=terminate auid=0 uid=0 ses=1 pid=1 subj=unconfined res=success"


def called(call, service="cloudtrail", **more):
    return {"eventSource": f"{service}.amazonaws.com", "eventName": call, "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
            "userIdentity": {"type": "IAMUser", "userName": "alice"}, **more}


def winlog(code, provider="Microsoft-Windows-Eventlog", channel="Security"):
    return {"winlog": {"channel": channel, "provider_name": provider, "event_id": code, "computer_name": "dc1",
                       "user_data": {"SubjectUserName": "ops"}}}


audit_tampering.fires_on([END] * 3, alerts=1)
audit_tampering.fires_on(f"type=CONFIG_CHANGE {ID} op=set audit_enabled=0 old=1 auid=1000 ses=3 res=1", alerts=1)
audit_tampering.fires_on(f"{HEAD} systemd[1]: Stopped auditd.service - Security Auditing Service.")
audit_tampering.fires_on([winlog(1102), winlog(104, channel="System")], alerts=1)
audit_tampering.fires_on([called("DeleteTrail", errorCode="AccessDenied"), *[called("StopLogging")] * 2, called("PutEventSelectors")],
                         alerts=3)
audit_tampering.fires_on([f"{HEAD} systemd-logind[4]: System is rebooting.", END], every="6m", alerts=1)
audit_tampering.quiet_on([f"{HEAD} systemd-logind[4]: System is rebooting.", END], every="20s")
audit_tampering.quiet_on([f'type=CONFIG_CHANGE {ID} auid=1000 ses=3 op=add_rule key="trace" list=4 res=1', called("DescribeTrails"),
                          f"{HEAD} systemd[1]: Stopped nginx.service - A web server.", winlog(1102, "Backup", "Application")])
audit_tampering.survives([{"event": {"action": action, "code": code, "outcome": code}, "host": {"name": code}, "user": {"name": code}}
                          for action in ("audit_disabled", "audit_cleared", "host_stopped")
                          for code in (None, 7, [], {}, "1102", "x" * 999)])
