"""Scores over time for a page: the highest of each stretch of time, in bounded room, however many there are and however long it goes on."""

from __future__ import annotations

__all__ = ["Trend"]

_POINTS = 1000


class Trend:
    """The scores of one analyzer."""

    def __init__(self) -> None:
        self._unit, self._peaks = 1, dict[int, tuple[int, float, float | None]]()

    def add(self, time: int, value: float, threshold: float | None) -> None:
        """Takes one; `time` is in ms."""
        self._keep((time, value, threshold))
        while len(self._peaks) > _POINTS:
            before, self._peaks, self._unit = self._peaks, {}, 2 * self._unit
            for point in before.values():
                self._keep(point)

    def _keep(self, point: tuple[int, float, float | None]) -> None:
        at = point[0] // self._unit
        if at not in self._peaks or point[1] > self._peaks[at][1]:
            self._peaks[at] = point

    def points(self) -> list[tuple[int, float, float | None]]:
        """(time in ms, score, threshold), the earliest first."""
        return sorted(self._peaks.values(), key=lambda point: point[0])
