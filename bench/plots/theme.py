"""The colours of a figure, once for light paper and once for dark; nothing here draws."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from bench.errors import UsageError

ThemeName = Literal["light", "dark"]

Line = str | tuple[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """How one endpoint is drawn, everywhere."""

    color: str
    marker: str
    line: Line
    width: float = 1.9


@dataclass(frozen=True, slots=True)
class Theme:
    """Every colour that a figure may have, by name.

    ``ink`` and ``grey`` are for text, ``pale`` for grids and hatches, ``shade`` for areas that mean
    "not measured", ``failed`` for failures. The other names are hues: of endpoints, phases and
    classes of failures. ``cloud`` is the opacity of marks that lie on each other.
    """

    name: ThemeName
    cloud: float
    paper: str
    ink: str
    grey: str
    pale: str
    shade: str
    failed: str
    blue: str
    vermillion: str
    green: str
    purple: str
    ochre: str
    iris: str
    slate: str

    def __getitem__(self, color: str) -> str:
        """The colour of that name."""
        return str(getattr(self, color))

    def look(self, position: int, is_global: bool) -> Look:
        """The look of the endpoint at ``position`` among the regions; cycles after seven.

        Global's is ink and thick, so that the mixture stands before its parts.
        """
        if is_global:
            return Look(self.ink, "o", "-", 3.0)
        hue, marker, line = LOOKS[position % len(LOOKS)]
        return Look(self[hue], marker, line)


LOOKS: tuple[tuple[str, str, Line], ...] = (
    ("blue", "s", "-"),
    ("vermillion", "^", (0, (6, 1.5))),
    ("green", "D", (0, (4, 1, 1, 1))),
    ("purple", "v", (0, (2, 1))),
    ("ochre", "P", (0, (8, 2, 2, 2))),
    ("iris", "X", (0, (1, 1))),
    ("slate", "*", (0, (5, 3))),
)
"""Hue, marker and line of the regions in their order: never colour alone."""

HUES = tuple(field.name for field in fields(Theme))[-len(LOOKS) :]

# Found by a search: each hue has 4.5:1 or more against its paper, so that names can be written in
# it, and ΔE 21 or more to every other and to the ink, also under colour-vision deficiencies.
THEMES: dict[str, Theme] = {
    "light": Theme(
        name="light",
        cloud=0.45,
        paper="#ffffff",
        ink="#1a1a1a",
        grey="#5a5a5a",
        pale="#d9d9d9",
        shade="#f3f3f3",
        failed="#b3261e",
        blue="#044c8e",
        vermillion="#c43a00",
        green="#008751",
        purple="#891f58",
        ochre="#4a2201",
        iris="#9d21d5",
        slate="#7a6f98",
    ),
    "dark": Theme(
        name="dark",
        cloud=0.7,
        paper="#15181d",
        ink="#f2f2f2",
        grey="#a9aeb6",
        pale="#3c424b",
        shade="#1f242b",
        failed="#ff8a80",
        blue="#3887f2",
        vermillion="#f16928",
        green="#54dd84",
        purple="#a571b1",
        ochre="#ffd530",
        iris="#b2d3ff",
        slate="#8b9887",
    ),
}


def themed(name: str) -> Theme:
    """The theme of that name. Raises UsageError when there is none."""
    if name not in THEMES:
        raise UsageError(f"there is no theme {name!r}; there is {', '.join(THEMES)}")
    return THEMES[name]
