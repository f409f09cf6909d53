from pluginhost import Alert, Event, SlidingCount, analyzer


@analyzer(where="event.action:ssh_login AND event.outcome:failure", key="source.ip")
def ssh_bruteforce(event: Event, failures: SlidingCount = SlidingCount("10m"), limit: int = 10) -> Alert | None:
    """Many failed SSH logins from one address.

    Counts failed logins per source address in a sliding window of ten minutes and fires once per window while it goes on.
    The address stands inside the message: the sshd mapping reads it from there.
    """
    if failures.reaches(event, limit):
        reason = f"{len(failures)} failed SSH logins from one address within 10 minutes (limit {limit})"
        return Alert("high", f"SSH brute force from {event['source.ip']}", technique="T1110.001", reason=reason)
    return None


FAILED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
OTHER = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 198.51.100.7 port 50000 ssh2"
FORGED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for invalid user from 203.0.113.9 port 1 ssh2"

ssh_bruteforce.fires_on([FAILED] * 10, every="59s", tag="auth.sshd", alerts=1)
ssh_bruteforce.fires_on([FAILED] * 30, every="5s", tag="auth.sshd", alerts=1)
ssh_bruteforce.quiet_on([FAILED] * 9 + [OTHER] * 9, every="5s", tag="auth.sshd")
ssh_bruteforce.quiet_on([FAILED] * 20, every="67s", tag="auth.sshd")
ssh_bruteforce.survives([FAILED[:n] for n in range(0, len(FAILED), 3)], tag="auth.sshd")
ssh_bruteforce.survives([FORGED, {"message": None}, {"message": [FAILED]}, {}], tag="auth.sshd")
