"""Small plots as SVG: panels one above the other over one x axis, with lines, bands, marks and a threshold. No package needed.

The colours follow the reader's light or dark setting, the background is the page's. Numbers are written with one decimal, so the same
points give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["Panel", "svg"]

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 720, 130, 56, 12, 10, 22, 34
_STYLE = """
text{font:11px system-ui,sans-serif;fill:#57606a}
.axis{stroke:#d0d7de;fill:none}.line{stroke:#2f6fab;fill:none;stroke-width:1.4}.line.faint{stroke:#8c959f;stroke-dasharray:3 2}
.band{fill:#2f6fab;fill-opacity:.14}.mark,.dot{fill:none;stroke-linecap:round}
.mark{stroke:#c2571a;stroke-width:6}.dot{stroke:#2f6fab;stroke-width:3;stroke-opacity:.5}.rule{stroke:#c2571a;stroke-dasharray:5 4}
.ring{fill:#2f6fab;fill-opacity:.1;stroke:#2f6fab}
@media(prefers-color-scheme:dark){text{fill:#9aa4ae}.axis{stroke:#3d444d}.line,.dot,.ring{stroke:#6cb0ee}.band,.ring{fill:#6cb0ee}
.line.faint{stroke:#7d8590}.mark,.rule{stroke:#f0883e}}"""


class Panel:
    """One diagram: what is drawn on it, over (x, y) points. `label` names the y axis; `low` and `high` bound it where they are given."""

    def __init__(self, label: str, low: float | None = None, high: float | None = None) -> None:
        self.label, self.low, self.high = label, low, high
        self._drawn: list[tuple[str, list[tuple[float, float]], float, str]] = []

    def line(self, points: Points, *, faint: bool = False) -> Panel:
        """Draws a line; a faint one is what was expected."""
        return self._draw("line faint" if faint else "line", points)

    def band(self, lower: Points, upper: Points) -> Panel:
        """Fills what lies between two lines of the same x."""
        return self._draw("band", [*lower, *reversed(upper)])

    def marks(self, points: Points) -> Panel:
        """Draws what stands out."""
        return self._draw("mark", points)

    def dots(self, points: Points) -> Panel:
        """Draws single points that do not."""
        return self._draw("dot", points)

    def ring(self, at: tuple[float, float], radius: float) -> Panel:
        """Draws a circle of so many pixels."""
        return self._draw("ring", [at], radius)

    def rule(self, y: float, text: str) -> Panel:
        """Draws a level line with its name."""
        return self._draw("rule", [(0.0, y)], text=text)

    def _draw(self, kind: str, points: Points, radius: float = 0.0, text: str = "") -> Panel:
        self._drawn.append((kind, list(points), radius, text))
        return self

    def across(self) -> list[float]:
        """Every x that is drawn at."""
        return [x for kind, points, _, _ in self._drawn if kind != "rule" for x, _ in points]

    def shapes(self, left: float, right: float, top: float, height: float) -> list[str]:
        """The panel as SVG elements, between two x and from `top` pixels on."""
        up = [y for _, points, _, _ in self._drawn for _, y in points]
        low, high = min(up) if self.low is None else self.low, max(up) if self.high is None else self.high
        high = high if high > low else low + 1

        def place(x: float, y: float) -> tuple[str, str]:
            inside = min(max(y, low), high)
            return (f"{_LEFT + (x - left) / (right - left or 1) * (_WIDTH - _LEFT - _RIGHT):.1f}",
                    f"{top + (high - inside) / (high - low) * height:.1f}")  # fmt: skip

        made = [f'<path class="axis" d="M{_LEFT} {top}V{top + height}H{_WIDTH - _RIGHT}"/>',
                _text(_LEFT - 6, top + 9, f"{high:g}", "end"), _text(_LEFT - 6, top + height, f"{low:g}", "end"),
                f'<g transform="rotate(-90 14 {top + height / 2})">{_text(14, top + height / 2, self.label, "middle")}</g>']  # fmt: skip
        for kind, points, radius, text in self._drawn:
            if kind == "rule":
                _, y = place(left, points[0][1])
                made += [f'<path class="rule" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>', _text(_WIDTH - _RIGHT, float(y) - 4, text, "end")]
            elif radius:
                made += ['<circle class="{}" cx="{}" cy="{}" r="{:g}"/>'.format(kind, *place(x, y), radius) for x, y in points]
            elif kind in ("mark", "dot"):  # points are lines of no length with round ends: that takes a third of the room
                made.append(f'<path class="{kind}" d="{"".join("M{} {}h0".format(*place(x, y)) for x, y in points)}"/>')
            else:
                path = "L".join(" ".join(place(x, y)) for x, y in points)
                made.append(f'<path class="{kind}" d="M{path}{"Z" if kind == "band" else ""}"/>')
        return made


def svg(*panels: Panel, x: str, about: str, height: int = _HEIGHT, across: Sequence[float] = ()) -> str:
    """The panels as an SVG document; `x` names the x axis, `about` says in words what is to be seen.

    `height` is a panel's in pixels, `across` the least and the most x where it is not what the points have.
    """
    across = across or [one for panel in panels for one in panel.across()]
    left, right, top, made = min(across), max(across), _TOP, list[str]()
    for panel in panels:
        made += panel.shapes(left, right, top, height)
        top += height + _GAP
    end = top - _GAP
    made += [_text(_LEFT, end + 14, f"{left:g}", "middle"), _text(_WIDTH - _RIGHT, end + 14, f"{right:g}", "end"),
             _text((_LEFT + _WIDTH) / 2, end + 26, x, "middle")]  # fmt: skip
    size = f'viewBox="0 0 {_WIDTH} {end + _BOTTOM}" width="{_WIDTH}" height="{end + _BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(about)}</title><style>{_STYLE}</style>'
    return "\n".join([head, *made, "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
