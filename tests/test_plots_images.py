"""Some figures as pixels: what moved in a curve is seen, what fonts do is not.

Texts are hidden and the layout is fixed, so that neither fonts nor their versions matter.
``python -m tests.test_plots_images`` draws the baselines anew: look at them before committing.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.legend import Legend
from matplotlib.text import Text

from bench.frame import tidy
from bench.plots import PLOTS
from tests.plots_kit import frame_of, panels
from tests.synthetic import rows, run

BASELINES = Path(__file__).parent / "golden" / "plots"
SHOWN = {
    "ecdf": "light",
    "tail": "dark",
    "quantiles": "light",
    "smoke": "dark",
    "hours": "light",
    "phases": "dark",
}
TOLERANCE = 2.0
"""Root mean square of grey levels (of 255) after blurring: an edge drawn a little otherwise has
less, a curve that moved by a few percent has more."""


def _frame(name: str, slower: float = 1.0) -> pd.DataFrame:
    """The figure's frame; ``slower`` changes us-east-1, and nothing else."""
    if name in ("smoke", "hours"):
        frame = frame_of(name).copy()
        one = (frame["endpoint"] == "us-east-1").to_numpy()
        moved = (frame.loc[one, "ttft_ns"].astype("float64") * slower).round().astype("Int64")
        frame.loc[one, "ttft_ns"] = moved
        return frame
    made = rows(80, fail={"eu-west-1": 0.1}, connections=("warm", "cold"), tail=0.0)
    for row in made:
        if row["endpoint"] == "us-east-1":
            _slow(row, slower)
    return tidy(made, [run()])


def _slow(row: dict[str, Any], factor: float) -> None:
    for column in ("ttfb_ns", "ttft_ns", "total_ns"):
        if row[column] is not None:
            row[column] = int(row[column] * factor)


def pixels(name: str, slower: float = 1.0) -> Any:
    """The figure without letters, shape (height, width, 3), from 0 to 255."""
    figure = PLOTS[name](_frame(name, slower), theme=SHOWN[name])
    return imread(io.BytesIO(_bare(figure)), format="png")[..., :3] * 255


def _bare(figure: Figure) -> bytes:
    for artist in figure.findobj(lambda artist: isinstance(artist, Text | Legend)):
        artist.set_visible(False)
    for axes in panels(figure):
        axes.tick_params(which="both", labelbottom=False, labelleft=False)
    figure.set_layout_engine("none")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50, metadata={"Software": None})
    return buffer.getvalue()


def distance(one: Any, other: Any) -> float:
    """Root mean square difference of two pictures, each averaged over squares of 3 pixels."""
    if one.shape != other.shape:
        return np.inf
    return float(np.sqrt(np.mean((_blurred(one) - _blurred(other)) ** 2)))


def _blurred(image: Any) -> Any:
    height, width = (side // 3 * 3 for side in image.shape[:2])
    cut = image[:height, :width]
    return cut.reshape(height // 3, 3, width // 3, 3, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("name", SHOWN)
def test_the_picture_is_as_it_was_looked_at(name: str) -> None:
    """And one endpoint slower by a tenth is another picture: the comparison can fail."""
    baseline = imread(BASELINES / f"{name}.png")[..., :3] * 255
    assert distance(pixels(name), baseline) < TOLERANCE
    assert distance(pixels(name, slower=1.1), baseline) > 1.5 * TOLERANCE


def test_baselines_stay_small() -> None:
    """They travel with every clone."""
    assert sum(file.stat().st_size for file in BASELINES.glob("*.png")) <= 400_000


if __name__ == "__main__":
    BASELINES.mkdir(parents=True, exist_ok=True)
    for each in SHOWN:
        figure = PLOTS[each](_frame(each), theme=SHOWN[each])
        (BASELINES / f"{each}.png").write_bytes(_bare(figure))
