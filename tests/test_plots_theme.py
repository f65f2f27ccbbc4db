"""Both palettes can be read on their paper, and told apart by every eye."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_rgb

from bench.plots.style import contrast, ink_on
from bench.plots.theme import HUES, LOOKS, THEMES, Theme

Array = npt.NDArray[np.float64]

VISIONS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""What each vision makes of linear RGB. Source: G. M. Machado, M. M. Oliveira and L. Fernandes, A
Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE TVCG 15 (2009)."""

TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
"""From linear sRGB, D65 (IEC 61966-2-1)."""


def _lab(color: str, vision: str) -> Array:
    """CIE 1976 L*a*b* of a colour as that vision sees it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(VISIONS[vision]) @ linear, 0, 1)
    t = (TO_XYZ @ seen) / TO_XYZ.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def smallest_difference(colors: list[str], vision: str) -> float:
    """The smallest ΔE (CIE 1976) between any two."""
    points = [_lab(color, vision) for color in colors]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_all_inks_and_all_endpoints_are_readable_text_on_their_paper(theme: Theme) -> None:
    """WCAG 1.4.3 (4.5:1), which holds 1.4.11 (3:1) for marks and lines."""
    for color in ("ink", "grey", "failed", *HUES):
        assert contrast(theme[color], theme.paper) >= 4.5, color
    assert contrast(theme.grey, theme.shade) >= 4.5
    assert contrast(theme.failed, theme.shade) >= 4.5


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_endpoints_can_be_told_apart_by_every_eye(theme: Theme, vision: str) -> None:
    """ΔE of 20 or more between any two endpoints, the global one's ink among them."""
    colors = [theme.look(0, True).color, *(theme.look(i, False).color for i in range(len(LOOKS)))]
    assert smallest_difference(colors, vision) >= 20


def test_the_measure_knows_a_palette_that_fails() -> None:
    """Matplotlib's own first six fall to 4.6 (reference: experience.md)."""
    tab10 = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]
    assert smallest_difference(tab10, "protanopia") == pytest.approx(4.6, abs=0.05)


def test_endpoints_differ_by_more_than_colour() -> None:
    """Each has a marker and a line of its own."""
    kinds = [THEMES["light"].look(0, True), *(THEMES["dark"].look(i, False) for i in range(7))]
    assert len({kind.marker for kind in kinds}) == len(kinds)
    assert len({(str(kind.line), kind.width) for kind in kinds}) == len(kinds)


def test_contrast_is_that_of_wcag() -> None:
    """Its two ends, and a value of its own examples."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("name", ["cividis", "cividis_r"])
def test_numbers_are_readable_in_every_cell_of_a_heat_map(name: str) -> None:
    """Either theme's ink, whichever contrasts more."""
    import matplotlib as mpl

    shades = [tuple(map(float, mpl.colormaps[name](x))) for x in np.linspace(0, 1, 64)]
    for red, green, blue, alpha in shades:
        color = (red, green, blue, alpha)
        assert contrast(ink_on(color), color) >= 3.7
