"""Not written yet."""

from __future__ import annotations

from aiohttp import web

from ..visit import Door

__all__ = ["Bulk"]


class Bulk:
    """Not written yet."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """None yet."""
        return []
