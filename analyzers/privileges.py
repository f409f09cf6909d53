from pluginhost import Alert, Event, FirstSeen, SlidingCount, Unjudged, analyzer

from ._hosts import on, said
from ._logins import nobody

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "su", "sudoedit", "visudo"})
REFUSED = ("user NOT in sudoers", "user NOT authorized", "command not allowed")


@analyzer(where="event.action:(sudo OR su) AND event.outcome:success AND user.effective.name:root", key="user.name")
def sudo_to_root(event: Event, hosts: FirstSeen = FirstSeen("90d"), each_time: bool = False,
                 ignored_users: tuple[str, ...] = ()) -> Alert | Unjudged | None:
    """A user who becomes root on a host for the first time.

    Reads what sudo and su log. A user is told once per host, and again when he was not root there for 90 days; with `each_time` whenever
    it happens. `ignored_users` are never told. A shell, and whatever edits the rules of sudo, is medium, any other command low.
    """
    if nobody(event):
        return Unjudged("nobody")
    user, host = event["user.name"], event.get("host.name")
    new = hosts.first(host, event)
    if user in ignored_users or not (new or each_time):
        return None
    shell = program(event) in SHELLS or event["event.action"] == "su"
    command = said(event, "process.command_line", "a shell" if shell else "a command")
    reason = f"{user} was not root{on(event)} within 90 days" if new else "every command as root is told (each_time)"
    return Alert("medium" if shell else "low", f"{user} became root{on(event)}: {command}", technique="T1548.003", reason=reason)


def program(event: Event) -> str:
    """The command's program, without its path."""
    command = event.get("process.command_line")
    words = command[:1024].split(None, 1) if isinstance(command, str) else ()
    return words[0].rpartition("/")[2] if words else ""


@analyzer(where="event.action:(sudo OR su) AND event.outcome:failure", key="user.name")
def sudo_failures(event: Event, failures: SlidingCount = SlidingCount("10m"), refused: FirstSeen = FirstSeen("1d", limit=100),
                  limit: int = 3) -> Alert | Unjudged | None:
    """A user who may not become somebody else and tries.

    What the rules of sudo forbid is told at once, once a day for a user and host. Wrong passwords, which happen, are told when `limit`
    commands failed within ten minutes, once in ten minutes while it goes on.
    """
    if nobody(event):
        return Unjudged("nobody")
    user, why = event["user.name"], said(event, "event.reason", "")
    whom = f"{user} tried to become {said(event, 'user.effective.name', 'root')}{on(event)}"
    if why.startswith(REFUSED):
        if not refused.first(event.get("host.name"), event):
            return None
        return Alert("medium", f"{whom}: {why}", technique="T1548.003", count=1,
                     reason=f"{said(event, 'event.action')} refused it: {why}; {said(event, 'process.command_line', 'no command is told')}")
    if not failures.reaches(event, limit):
        return None
    return Alert("medium", f"{whom} and failed {len(failures)} times", technique="T1548.003",
                 reason=f"{len(failures)} refused attempts of {user} within 10 minutes (limit {limit}); the last: {why or 'no word why'}")


HEAD = "Nov 21 10:00:00 web1"


def sudo(user="alice", becomes="root", command="/usr/bin/apt update", host="web1", why=""):
    return (f"Nov 21 10:00:00 {host} sudo: {user:>8} : {why}{' ; ' if why else ''}TTY=pts/0 ; PWD=/home/{user} ; USER={becomes} ; "
            f"COMMAND={command}")


sudo_to_root.fires_on([sudo()] * 5, every="1h", alerts=1)
sudo_to_root.fires_on([sudo(), sudo(host="web2"), sudo("bob")], alerts=3)
sudo_to_root.fires_on([sudo()] * 3, alerts=3, each_time=True)
sudo_to_root.fires_on(f"{HEAD} su[42]: (to root) alice on pts/0")
sudo_to_root.fires_on({"system": {"auth": {"sudo": {"user": "root", "command": "/bin/bash"}}}, "user": {"name": "alice"}})
sudo_to_root.quiet_on([sudo(becomes="postgres"), sudo(why="user NOT in sudoers"), sudo("-")])
sudo_to_root.quiet_on([sudo("ansible"), sudo("ansible", host="web2")], ignored_users=["ansible"])
sudo_to_root.survives([sudo()[:n] for n in range(20, 120, 7)])
sudo_to_root.survives([{"event": {"action": "sudo", "outcome": "success"}, "user": {"name": user, "effective": {"name": "root"}},
                        "process": {"command_line": command}} for user in (None, 7, [], "é" * 999) for command in (None, 7, [], "", "\t")])
sudo_failures.fires_on([sudo("eve", why="user NOT in sudoers")] * 3, alerts=1)
sudo_failures.fires_on([sudo(why="3 incorrect password attempts")] * 3, every="1m", alerts=1)
sudo_failures.fires_on([f"{HEAD} su: FAILED SU (to root) alice on pts/0"] * 3)
sudo_failures.quiet_on([sudo(why="1 incorrect password attempt")] * 2)
sudo_failures.quiet_on([sudo(why="3 incorrect password attempts")] * 9, every="5m")
sudo_failures.survives([{"event": {"action": "su", "outcome": "failure", "reason": why}, "user": {"name": user}}
                        for user in (None, 7, "a") for why in (None, 7, [], "x" * 9999)])
