"""The house is drawn here and kept: imports go down only, and walls stand where they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import bench
from tests.conftest import LONG

PACKAGE = Path(bench.__file__).parent

FLOORS = (
    # 0 words
    {"model", "errors", "units", "words", "html"},
    # 1 rooms
    {
        "arms",
        "budget",
        "catalogue",
        "core",
        "frame",
        "interpreter",
        "key",
        "kit",
        "manners",
        "objective",
        "plan",
        "price",
        "request",
        "schedule",
        "shield",
        "simulator",
        "snippets",
        "stats",
        "store",
        "wire",
    },
    # 2 halls
    {"admission", "choice", "clients", "examples", "foreign", "gate", "history", "loading"},
    # 3 windows
    {"awake", "doctor", "notebook", "plots", "preflight", "prepare", "probe", "report", "tally"},
    # 4 wings
    {
        "choosing",
        "comparing",
        "pytest_plugin",
        "resuming",
        "running",
        "session",
        "suite",
        "vantage",
        "watch",
    },
    # 5 door
    {"cli", "__main__"},
)

NEIGHBOURS = {
    ("words", "units"),
    ("html", "words"),
    ("model", "html"),
    ("plan", "catalogue"),
    ("plan", "arms"),
    ("key", "catalogue"),
    ("simulator", "shield"),
    ("simulator", "core"),
    ("core", "wire"),
    ("history", "loading"),
    ("gate", "foreign"),
    ("gate", "history"),
    ("gate", "loading"),
    ("frame", "store"),
    ("stats", "frame"),
    ("stats", "objective"),
    ("plan", "objective"),
    ("price", "catalogue"),
    ("price", "request"),
    ("report", "plots"),
    ("prepare", "preflight"),
    ("notebook", "prepare"),
    ("notebook", "tally"),
    ("tally", "prepare"),
    ("choosing", "session"),
    ("session", "resuming"),
    ("watch", "session"),
    ("vantage", "session"),
    ("running", "session"),
    ("running", "vantage"),
    ("loading", "foreign"),
    ("foreign", "clients"),
    ("pytest_plugin", "session"),
    ("suite", "pytest_plugin"),
    ("__main__", "cli"),
}
"""Imports between rooms of one floor that are meant; every other one is a knot."""

WALLS = {
    "httpx": {"wire/httplib.py"},
    "httpcore": {"wire/httplib.py"},
    "grpc": {"clients/xai_sdk.py"},
    "matplotlib": {"plots/"},
    "pandas": {
        "frame/",
        "stats/",
        "plots/",
        "report/",
        "loading.py",
        "examples/",
        "history/",
        "cli/",
        "session.py",
        "vantage/tour.py",
        "choice.py",
        "comparing.py",
        "gate.py",
        "watch/review.py",
    },
    "prometheus_client": {"watch/metrics.py"},
    "pyarrow": {"store/", "frame/"},
    "fsspec": {"store/remote.py"},
    "ruptures": {"stats/changes.py"},
    "hypercorn": {"simulator/"},
    "trustme": {"simulator/", "vantage/certificates.py"},
    "distributed": {"vantage/cluster.py", "vantage/shipped/"},
    "dask": {"vantage/shipped/"},
    "click": {"cli/"},
    "rich": {"cli/"},
    "pytest": {"pytest_plugin/", "suite.py"},
    "pytest_benchmark": {"pytest_plugin/"},
    "time": {
        "wire/",
        "probe.py",
        "simulator/",
        "store/",
        "cli/progress.py",
        "session.py",
        "doctor.py",
    },
}


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(_parsed(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            if node.module == "bench":
                names |= {f"bench.{alias.name}" for alias in node.names}
    return names


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_stands_on_a_floor() -> None:
    """A new file at the top of the package must be drawn here first."""
    rooms = {_room(file) for file in _files()} - {"__init__"}
    assert rooms == set().union(*FLOORS)


_ROOM_FILES = [file for file in _files() if file != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("file", _ROOM_FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_go_down_only(file: Path) -> None:
    """No room knows of a room above it, nor of one beside it that is not its neighbour."""
    room = _room(file)
    for name in _imports(file):
        parts = name.split(".")
        if parts[0] != "bench" or len(parts) < 2 or parts[1] == room:
            continue
        below = _floor(parts[1]) < _floor(room)
        assert below or (room, parts[1]) in NEIGHBOURS, f"{file.name} imports {name}"


@pytest.mark.parametrize("library", WALLS)
def test_libraries_stay_behind_their_walls(library: str) -> None:
    """Each third-party library has its few places."""
    for file in _files():
        place = file.relative_to(PACKAGE).as_posix()
        if any(name.split(".")[0] == library for name in _imports(file)):
            allowed = any(place.startswith(wall) for wall in WALLS[library])
            assert allowed, f"{place} imports {library}"


def test_only_the_door_prints() -> None:
    """A room that prints would break --json and progress."""
    for file in _files():
        recipe = file.match("vantage/shipped/*.py")
        if _room(file) in ("cli", "__main__") or file.match("simulator/__main__.py") or recipe:
            continue
        calls = [n for n in ast.walk(_parsed(file)) if isinstance(n, ast.Call)]
        names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
        assert "print" not in names, file


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import bench", "from bench.cli import main; main(['--help'])"],
    ids=["import bench", "regionbench --help"],
)
def test_the_way_in_loads_nothing_heavy(code: str) -> None:
    """Neither importing the package nor its help pays for what it does not use."""
    heavy = {"pandas", "numpy", "matplotlib", "httpx", "httpcore", "pydantic", "rich", "click"}
    assert not heavy & _modules_after(code)


def test_statistics_do_not_load_matplotlib() -> None:
    """A gate in CI needs numbers, not pictures."""
    assert "matplotlib" not in _modules_after("import bench.stats, bench.loading")


def test_public_names_are_there_sorted_and_documented() -> None:
    """What the package promises by name exists, in order, with a docstring."""
    assert list(bench.__all__) == sorted(bench.__all__)
    for name in bench.__all__:
        assert getattr(bench, name).__doc__ or name == "COLUMNS", name


def test_the_long_modules_of_tests_are_there() -> None:
    """A renamed one would come last again."""
    assert {*LONG} <= {file.stem for file in Path(__file__).parent.glob("test_*.py")}


def test_files_can_be_read_in_one_sitting() -> None:
    """A room that outgrows 400 lines has become two subjects."""
    for file in _files():
        assert len(file.read_text("utf-8").splitlines()) <= 400, file
