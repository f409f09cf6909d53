"""`pluginhost setup kibana` and `dashboards`: data views, charts, searches, dashboards, and the detection rule."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from ...alerts.template import release
from ...outputs.cluster import Answered
from ...outputs.port import Unavailable
from ...problem import Problem, printable
from ...review import importing, rule, shipped, undoing
from ...review import steps as looking
from ...review.options import SPACE, Kibana, Section
from ...review.server import Server, lacks_space, version_of
from ...review.shipped import Form, Key, Object
from ...review.steps import Step
from ..common import configured
from . import doing
from .doing import Line
from .objects import lines

__all__ = ["dashboards", "kibana"]

_SINCE = (8, 9)  # the first Kibana that takes the newer form
_print_option = click.option("--print", "printed", is_flag=True, help="Only print the file, to import it by hand.")


@click.command()
@doing.options
@doing.key_option
@click.option("--space", default=None, help="In this space. Default: as configured.")
@click.option("--classic", is_flag=True, help="The form of the dashboards that Kibana before 8.9 takes.")
@_print_option
@click.option("--rule", "with_rule", is_flag=True, help="Also the detection rule for Elastic Security, switched off at first.")
def kibana(config: Path | None, key_in: str, username: str, space: str | None, classic: bool, printed: bool, **given: Any) -> None:
    """Data views, charts and dashboards in Kibana."""
    if printed:
        _print("classic" if classic else "kibana")
        return
    section = _section(configured(config).kibana, "kibana")
    own: dict[str, Any] = doing.login(username, key_in)
    if space is not None:
        if not re.search(SPACE, space):
            raise Problem("setup.space", f"`{printable(space, 100)}` is no name of a space", todo="a-z, 0-9, `_`, `-`, as in its address")
        own["space"] = space
    doing.run(_set_up(msgspec.structs.replace(section, **own), "classic" if classic else "kibana", **given))


@click.command()
@doing.options
@_print_option
def dashboards(config: Path | None, username: str, printed: bool, **given: Any) -> None:
    """Index patterns, charts and dashboards in OpenSearch Dashboards."""
    if printed:
        _print("classic")
        return
    section = _section(configured(config).dashboards, "dashboards")
    own = {name: value for name, value in doing.login(username).items() if name != "api_key"}
    doing.run(_set_up(msgspec.structs.replace(section, **own), "classic", with_rule=False, **given))


def _print(form: Form) -> None:
    for one in shipped.objects(form):
        click.echo(one.line)


def _section(section: Section | None, name: str) -> Section:
    if section is None:
        raise Problem("setup.section", f"the configuration has no `{name}`", todo=f"write: `{name}: {{url: https://{name}.example:5601}}`")
    return section


async def _set_up(section: Section, form: Form, *, undo: bool, with_rule: bool, **given: Any) -> int:
    server = Server(section)
    try:
        version = await version_of(server)
        where = f", space {section.space}" if isinstance(section, Kibana) and section.space else ""
        click.echo(f"{server.product} {printable(version, 40)}".rstrip() + f" at {section.url}{where}\n")
        await _fits(server, section, version, "classic" if undo else form)
        objects = _every(server) if undo else shipped.objects(form)
        work = (_Removal if undo else _Import)(server, objects, shipped.rule() if with_rule else None)
        return await doing.done(work.look, work.do, **given)
    except Answered as error:
        if error.status >= 500:
            raise doing.unreachable(section.url, error.reason, "wait until it is ready, and try again") from None
        lost = error.status == 404 or error.status < 400
        todo = "look at the base path in `url`" if lost else "mend the login, or do it as somebody who may: --username NAME"
        raise Problem("setup.refused", f"{section.url} does not let us go on: {error.reason}", todo=todo) from None
    except Unavailable as error:
        raise doing.unreachable(section.url, error.reason, "look at `url`, `tls` and the network") from None
    finally:
        await server.close()


async def _fits(server: Server, section: Section, version: str, form: Form) -> None:
    """Raises a `Problem` if this cannot be the right place."""
    number = release(version)
    if version and server.kibana != (number >= (7, 0)):
        other = ("OpenSearch Dashboards", "dashboards") if server.kibana else ("Kibana", "kibana")
        raise Problem("setup.version", f"{section.url} is {other[0]}, as its version says: {printable(version, 40)}",
                      todo=f"pluginhost setup {other[1]}")  # fmt: skip
    if version and form == "kibana" and number < _SINCE:
        raise Problem("setup.version", f"Kibana {printable(version, 40)} is too old for this form of the dashboards: it is read since 8.9",
                      todo="take the older form: pluginhost setup kibana --classic")  # fmt: skip
    if isinstance(section, Kibana) and section.space and await lacks_space(server, section.space):
        raise Problem("setup.space", f"{section.url} has no space `{section.space}`", todo="make it there, or name another: --space NAME")


def _every(server: Server) -> list[Object]:
    """The objects of either form, each once: what stands may be of the other."""
    forms: list[Form] = ["kibana", "classic"] if server.kibana else ["classic"]
    return [*{one.key: one for form in forms for one in shipped.objects(form)}.values()]


class _Import:
    """What stands, and what goes there."""

    def __init__(self, server: Server, objects: Sequence[Object], wanted: dict[str, Any] | None) -> None:
        self._server, self._objects, self._rule = server, objects, wanted
        self._planned: list[Step] = []

    async def look(self) -> AsyncIterator[Line]:
        """What is to be done."""
        self._planned = await self._steps()
        for line in lines((step.state, step, step.why) for step in self._planned):
            yield line

    async def do(self) -> AsyncIterator[Line]:
        """What came of it."""
        todo = [step for step in self._planned if step.todo]
        failed = await self._carried_out([step for step in todo if step.type != rule.RULE])
        for step in todo:
            if step.type == rule.RULE and self._rule is not None and (why := await rule.carry_out(self._server, step, self._rule)):
                failed[step.key] = why
        told = ((step, failed.get(step.key)) for step in todo)
        for line in lines(("done", step, step.why) if why is None else ("failed", step, why) for step, why in told):
            yield line

    async def _steps(self) -> list[Step]:
        made = await looking.steps(self._server, self._objects)
        return made if self._rule is None else [*made, await rule.step(self._server, self._rule)]

    async def _carried_out(self, todo: list[Step]) -> dict[Key, str]:
        """Why what is not done is not."""
        keys = {step.key for step in todo}
        return await importing.put(self._server, [one for one in self._objects if one.key in keys]) if keys else {}


class _Removal(_Import):
    """What stands, of either form, and is taken away."""

    async def _steps(self) -> list[Step]:
        made = [step for step in await undoing.removals(self._server, self._objects) if step.state != "ok"]
        made = made or [Step("ok", "", "", "what is pluginhost's", "not there")]
        return made if self._rule is None else [*made, await rule.removal(self._server, self._rule)]

    async def _carried_out(self, todo: list[Step]) -> dict[Key, str]:
        return {step.key: why async for step, why in undoing.remove(self._server, todo) if why}
