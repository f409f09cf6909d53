"""The detection rule of Elastic Security: shown, put there switched off, brought up to date, taken away.

Whether it is switched on is its user's to say, and stays as it is, with the actions and exceptions that were given to it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..outputs.cluster import Answered
from ..outputs.port import Unavailable
from .server import Server
from .shipped import marked
from .steps import Step

__all__ = ["RULE", "carry_out", "removal", "step"]

RULE = "rule"
"""What stands as the type of a step that is about the rule."""
_RULES = "/api/detection_engine/rules"


class _Standing(msgspec.Struct):
    description: str = ""
    enabled: bool = False


class _Why(msgspec.Struct):
    message: str = ""


class _Refused(msgspec.Struct):
    error: _Why


class _Answer(msgspec.Struct):
    success: bool
    errors: tuple[_Refused, ...] = ()


async def step(server: Server, rule: dict[str, Any]) -> Step:
    """What should be done for the rule to stand. Raises what the server raises, unless the answer is a plain no."""
    newest = marked(rule)
    made = Step("create", RULE, rule["rule_id"], rule["name"], f"version {newest}, switched off")
    change = msgspec.structs.replace
    try:
        there = await _standing(server, rule)
    except Answered as error:
        return change(made, state="cannot", why=_cannot(error))
    if there is None:
        return made
    version, switched = marked({"description": there.description}), f"switched {'on' if there.enabled else 'off'}"
    if version is None:
        return change(made, state="leave", why="it is not pluginhost's")
    if version > (newest or 0):
        return change(made, state="leave", why=f"it is newer ({version}) than ours ({newest})")
    if version < (newest or 0):
        return change(made, state="update", why=f"from version {version} to {newest}, {switched}")
    return change(made, state="ok", why=f"version {version}, {switched}")


async def removal(server: Server, rule: dict[str, Any]) -> Step:
    """Whether the rule should go."""
    made = Step("remove", RULE, rule["rule_id"], rule["name"])
    try:
        there = await _standing(server, rule)
    except Answered as error:
        return msgspec.structs.replace(made, state="cannot", why=_cannot(error))
    if there is None:
        return msgspec.structs.replace(made, state="ok", why="not there")
    ours = marked({"description": there.description}) is not None
    return made if ours else msgspec.structs.replace(made, state="leave", why="it is not pluginhost's")


async def carry_out(server: Server, planned: Step, rule: dict[str, Any]) -> str:
    """Does what the step says; why it could not be done, or ""."""
    try:
        if planned.state == "create":
            return await _created(server, rule)
        if planned.state == "update":
            await server.ask("PATCH", _RULES, body={name: value for name, value in rule.items() if name not in ("enabled", "version")})
        elif planned.state == "remove":
            await server.ask("DELETE", _RULES, params=[("rule_id", planned.id)])
    except (Answered, Unavailable) as error:
        return error.reason
    return ""


async def _created(server: Server, rule: dict[str, Any]) -> str:
    file = msgspec.json.encode(rule) + b"\n"
    answer: _Answer = await server.ask("POST", f"{_RULES}/_import", file=file, shape=_Answer)
    if answer.success:
        return ""
    return server.safe("; ".join(one.error.message for one in answer.errors)) or "it says that it was not taken, and not why"


async def _standing(server: Server, rule: dict[str, Any]) -> _Standing | None:
    try:
        there: _Standing = await server.ask("GET", _RULES, params=[("rule_id", rule["rule_id"])], shape=_Standing)
    except Answered as error:
        if error.status == 404 and "rule_id" in error.reason:
            return None
        raise
    return there


def _cannot(error: Answered) -> str:
    if error.status == 404:
        return "this Kibana has no Elastic Security"
    return f"it may not be looked at: {error.reason}" if error.status in (400, 403) else error.reason
