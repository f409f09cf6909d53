"""Log lines and documents as real programs write them: syslog, the audit daemon, nginx, Zeek, Heartbeat, Metricbeat."""

from __future__ import annotations

from datetime import UTC, datetime

from .item import SECOND, Record

__all__ = ["access", "audit", "beat", "connection", "disk", "syslog"]


def _utc(time: int) -> datetime:
    return datetime.fromtimestamp(time // SECOND, UTC)


def syslog(time: int, host: str, program: str, body: str) -> Record:
    """A line with an RFC 3164 header; `program` may carry its process id."""
    when = _utc(time)
    return {"message": f"{when:%b} {when.day:2} {when:%H:%M:%S} {host} {program}: {body}"}


def audit(time: int, host: str, kind: str, body: str) -> Record:
    """A line of the audit daemon; the shipper says which host it is from."""
    stamp = f"{time // SECOND}.{time // 10**6 % 1000:03}:{time // SECOND % 100_000}"
    return {"message": f"type={kind} msg=audit({stamp}): {body}", "host": host}


def access(time: int, address: str, user: str, request: str, status: int, size: int, referrer: str, agent: str) -> Record:
    """A line of the combined format; what is empty is a dash."""
    head = f"{address} - {user or '-'} [{_utc(time):%d/%b/%Y:%H:%M:%S} +0000]"
    return {"message": f'{head} "{request}" {status} {size} "{referrer or "-"}" "{agent or "-"}"'}


def connection(time: int, source: tuple[str, int], target: tuple[str, int], state: str, *, seconds: float = 0, sent: int = 0,
               received: int = 0, unique: int = 0) -> Record:  # fmt: skip
    """A connection as Zeek's conn log in JSON has it; `state` is SF for one that was used (only then do times and
    sizes count), S0 for no answer, REJ for refused."""
    record: Record = {"_path": "conn", "ts": time / SECOND, "uid": f"C{unique:016x}", "id.orig_h": source[0], "id.orig_p": source[1],
                      "id.resp_h": target[0], "id.resp_p": target[1], "proto": "tcp", "conn_state": state, "missed_bytes": 0,
                      "history": {"SF": "ShADadFf", "S0": "S"}.get(state, "Sr"), "orig_pkts": 1,
                      "resp_pkts": int(state != "S0")}  # fmt: skip
    if state == "SF":
        record |= {"duration": round(seconds, 6), "orig_bytes": sent, "resp_bytes": received, "orig_pkts": 4 + sent // 1400,
                   "resp_pkts": 4 + received // 1400}  # fmt: skip
    return record


def beat(host: str, address: str, micros: int) -> Record:
    """A successful check of a host, as Heartbeat writes it."""
    return {"monitor": {"id": f"tcp-{host}", "name": host, "type": "tcp", "status": "up", "ip": address, "duration": {"us": micros}},
            "summary": {"up": 1, "down": 0}, "url": {"full": f"tcp://{address}:22", "domain": address, "port": 22},
            "event": {"dataset": "uptime", "type": "heartbeat/summary"}, "agent": {"type": "heartbeat", "version": "8.15.0"}}  # fmt: skip


def disk(host: str, used: float) -> Record:
    """How full a host's disk is (a share of 1), as Metricbeat writes it."""
    total, taken = 100 << 30, round(used * (100 << 30))
    sizes = {"total": total, "free": total - taken, "available": total - taken, "used": {"pct": round(used, 4), "bytes": taken}}
    return {"host": {"name": host}, "event": {"module": "system", "dataset": "system.filesystem", "duration": 115_000},
            "metricset": {"name": "filesystem", "period": 300_000}, "service": {"type": "system"},
            "system": {"filesystem": {"device_name": "/dev/sda1", "mount_point": "/", "type": "ext4", **sizes}},
            "agent": {"type": "metricbeat", "version": "8.15.0"}}  # fmt: skip
