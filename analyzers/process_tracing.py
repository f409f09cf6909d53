from pluginhost import Alert, Event, FirstSeen, analyzer

from ._hosts import on, said

TRACERS = "strace OR ltrace OR gdb OR gcore OR bpftrace OR procdump"


@analyzer(where=f"event.category:process AND event.type:start AND process.name:({TRACERS}) AND NOT event.outcome:failure",
          key="process.name", group=("user.name", "host.name"))
def process_tracing(event: Event, told: FirstSeen = FirstSeen("1d", limit=10_000), ignored_hosts: tuple[str, ...] = ()) -> Alert | None:
    """Somebody looks into a running program: strace, gdb and their like.

    Passwords and keys can be read that way. Told once a day for a user, host and program; `ignored_hosts` are those of developers.
    """
    host, user = event.get("host.name"), said(event, "user.name", "") or said(event, "user.audit.id", "somebody")
    if host in ignored_hosts or not told.first((host, user), event):
        return None
    command = said(event, "process.command_line", said(event, "process.executable", said(event, "process.name")))
    return Alert("medium", f"{user} traces a program{on(event)}: {command}", technique="T1055.008",
                 reason=f"{said(event, 'process.name')} was started, and not by {user}{on(event)} in the day before")


def traced(program="strace", user="alice"):
    return ("Nov 21 10:00:00 web1 audispd: type=SYSCALL msg=audit(1795255200.123:456): arch=c000003e syscall=59 success=yes exit=0 "
            f'ppid=41 pid=42 auid=1000 uid=0 comm="{program}" exe="/usr/bin/{program}" key="trace"\x1dAUID="{user}" EUID="root"')


JSON = {"category": "execve", "processname": "audisp-json", "hostname": "web1", "summary": "Execve: strace -p 1",
        "details": {"originaluser": "alice", "user": "root", "processname": "strace", "command": "strace -p 1", "parentprocess": "bash"}}
process_tracing.fires_on([traced(), JSON, traced()], every="1h", alerts=1)
process_tracing.fires_on([traced(), traced("gdb"), traced(user="bob")], alerts=3)
process_tracing.quiet_on([traced("ls"), traced().replace("success=yes", "success=no")])
process_tracing.quiet_on(traced(), ignored_hosts=["web1"])
process_tracing.survives([{"event": {"category": "process", "type": "start"}, "process": {"name": "strace", "command_line": one},
                           "user": {"name": one}, "host": {"name": one}} for one in (None, 7, [], {}, "", "x" * 5000)])
