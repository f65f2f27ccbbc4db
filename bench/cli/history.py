"""``regionbench history``."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.cli.options import Duration
from bench.cli.shell import print_json, say, tell
from bench.errors import NotEnoughData, StoreError, UsageError
from bench.model import GLOBAL
from bench.units import format_ms
from bench.wire.clock import utc_text

if TYPE_CHECKING:
    from bench.history import Glance, StoredBatch
    from bench.model import Caution

SHOWN = 20
_F = TypeVar("_F", bound=Callable[..., Any])
_HEAD = (
    *("batch", "began (UTC)", "runs", "endpoints", "n", "failed", "p50 of global"),
    *("status", "vantage", "tags"),
)
_NUMBERS = frozenset({"runs", "endpoints", "n", "failed", "p50 of global"})


class _ListFirst(click.Group):
    """A group that lists when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As the class says; help stays the group's own."""
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        bare = not args or args[0].startswith("-")
        return super().parse_args(ctx, args if named or not bare else ["list", *args])


def _results(command: _F) -> _F:
    return click.option(
        "--results",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder that the runs are in.",
    )(command)


@click.group(cls=_ListFirst)
def history() -> None:
    """Stored runs, oldest first: list them, put tags on them, take old ones away, move them.

    RUN is a batch, a run's id or its folder. Runs tagged `baseline` are never pruned.
    """


@history.command("list")
@click.option("--all", "everything", is_flag=True, help=f"Not the newest {SHOWN} alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@_results
def list_(results: Path, everything: bool, as_json: bool) -> None:
    """A line per batch: when, where, how many requests, the median of the global endpoint."""
    from bench.history import batches, glance

    known = batches(results)
    seen = [glance(batch) for batch in (known if everything else known[-SHOWN:])]
    if as_json:
        told = {"schema_version": 1, "results": str(results), "batches": len(known)}
        print_json({**told, "shown": [one.to_dict() for one in seen]})
    elif not known:
        say(f"There is no run in {results}; `regionbench run` makes one.")
    else:
        _print_table([_HEAD, *map(_line, seen)])
    if len(seen) < len(known):
        tell(f"{len(known) - len(seen)} older: --all")
    _warn(caution for one in seen for caution in one.cautions)


def _line(one: Glance) -> tuple[str, ...]:
    batch = one.batch
    p50 = "–" if one.p50_ms is None else _ms(one.p50_ms)
    if one.endpoint not in (GLOBAL, None):
        p50 = f"{p50} of {one.endpoint}"
    when = batch.started_at[:16].replace("T", " ")
    counts = map(str, (len(batch.heads), len(one.endpoints), one.n, one.failed, p50))
    tags = ", ".join(batch.tags)
    return (batch.name, when, *counts, batch.status, ", ".join(one.vantages), tags)


def _ms(ms: float) -> str:
    return "> timeout" if math.isinf(ms) else format_ms(ms)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(_HEAD, row, widths, strict=True)
        ]
        say("  ".join(cells).rstrip())


@history.command()
@click.argument("run")
@click.argument("name")
@_results
def tag(run: str, name: str, results: Path) -> None:
    """Put the tag NAME on every run of RUN. `baseline` keeps it from being pruned,
    `excluded` from judging other runs."""
    _retag(run, results, add=(name,))


@history.command()
@click.argument("run")
@click.argument("name")
@_results
def untag(run: str, name: str, results: Path) -> None:
    """Take the tag NAME off every run of RUN."""
    from bench.history import batches, find

    worn = {tag for head in find(batches(results), run) for tag in head.tags or ()}
    if worn and name not in worn:
        raise UsageError(f"{run} is not tagged {name!r}; it is tagged {', '.join(sorted(worn))}")
    _retag(run, results, drop=(name,))


def _retag(
    run: str, results: Path, *, add: tuple[str, ...] = (), drop: tuple[str, ...] = ()
) -> None:
    from bench.history import batches, find
    from bench.store import change_tags

    for head in find(batches(results), run):
        now = change_tags(head.folder, add=add, drop=drop)
        say(f"{head.folder.name}: {', '.join(now) or 'no tags'}")


@history.command()
@click.option("--older-than", type=Duration(), required=True, help="Age of a run that goes: 90d.")
@click.option("--keep-last", default=0, show_default=True, help="Batches that stay all the same.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@_results
def prune(older_than: float, keep_last: int, dry_run: bool, results: Path) -> None:
    """Take away batches that began longer ago. Never a baseline, and never a run that is live."""
    from bench.history import batches, pruning

    now = dt.datetime.fromisoformat(utc_text())
    age = dt.timedelta(seconds=older_than)
    found = pruning(batches(results), now=now, older_than=age, keep_last=keep_last)
    for name, reason in found.kept.items():
        say(f"kept     {name}: {reason}")
    gone = [batch for batch in found.remove if dry_run or _remove(batch)]
    for batch in gone:
        say(f"{'to go' if dry_run else 'gone':<8} {batch.name} ({batch.started_at[:10]})")
    if not dry_run:
        _sweep(results)
    done = "would go" if dry_run else "removed"
    say(f"{len(gone)} {done}, {len(found.kept)} kept for a reason")
    if len(gone) < len(found.remove):
        raise StoreError(f"{len(found.remove) - len(gone)} could not be removed; see above.")


@history.command()
@click.option("--older-than", type=Duration(), help="Only runs that began longer ago: 30d.")
@click.option("--baselines", is_flag=True, help="Runs tagged baseline too.")
@click.option("--dry-run", is_flag=True, help="Only say what would be packed.")
@_results
def compact(older_than: float | None, baselines: bool, dry_run: bool, results: Path) -> None:
    """Pack finished runs into one verified Parquet file per month.

    Each run keeps its folder with run.json and tags; its own files of rows go. Never a run that is
    live. A kill leaves every run readable; the next compact clears up after it.
    """
    from bench.history import BASELINE
    from bench.store import pack, packings, read_heads, sweep

    heads, unread = read_heads(results)
    _warn(unread)
    if not dry_run and not unread:
        sweep(results, heads)
    old = heads if older_than is None else [one for one in heads if _began_before(one, older_than)]
    found, kept = packings(old, () if baselines else (BASELINE,))
    for name, reason in kept.items():
        say(f"kept     {name}: {reason}")
    for packing in found:
        into = "" if dry_run else f" in {_packed(pack, packing, results)}"
        say(f"{'to pack' if dry_run else 'packed':<8} {packing.month}: {packing.words}{into}")
    say(f"{sum(len(packing.heads) for packing in found)} runs, {len(kept)} kept as they are")


def _packed(pack: Callable[..., tuple[Path, list[Caution]]], packing: Any, results: Path) -> Path:
    path, told = pack(packing, results)
    _warn(told)
    return path


def _began_before(head: Any, age_s: float) -> bool:
    from bench.history.batch import moment, started

    began = moment(started(head))
    now = dt.datetime.fromisoformat(utc_text())
    return began is not None and now - began > dt.timedelta(seconds=age_s)


def _sweep(results: Path) -> None:
    """Packs of runs that are gone go too, when every other run can be read."""
    from bench.store import read_heads, sweep

    heads, unread = read_heads(results)
    if not unread:
        sweep(results, heads)


def _remove(batch: StoredBatch) -> bool:
    """Whether all of it went; says why not, and goes on."""
    from bench.store import remove_run

    try:
        for folder in batch.folders:
            remove_run(folder)
    except StoreError as error:
        tell(f"regionbench: {error}")
        return False
    return True


@history.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--tag", "tagged", help="Every run with this tag.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), required=True, help="A .parquet file."
)
@_results
def export(runs: tuple[str, ...], tagged: str | None, output: Path, results: Path) -> None:
    """Write runs to one Parquet file, verified, with everything that is known of them."""
    from bench.history import batches, find
    from bench.store import export_runs

    if output.suffix != ".parquet":
        raise UsageError(f"cannot export to {output}: name a .parquet file")
    known = batches(results)
    heads = [head for run in runs for head in find(known, run)]
    if tagged is not None:
        heads += [head for batch in known for head in batch.heads if tagged in (head.tags or ())]
    folders = list(dict.fromkeys(head.folder for head in heads))
    if not folders:
        why = f"none is tagged {tagged}" if tagged else "name a run, or a --tag"
        raise NotEnoughData(f"There is no run to export: {why}.")
    _warn(export_runs(folders, output))
    tell(f"Wrote {_runs(len(folders))} to {output}")


@history.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_results
def import_(files: tuple[Path, ...], results: Path) -> None:
    """Read exported runs back. A run that is there already is left as it is."""
    from bench.store import import_runs

    for file in files:
        made, told = import_runs(file, results)
        _warn(told)
        tell(f"From {file}: {_runs(len(made))} into {results}")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _warn(cautions: Iterable[Caution]) -> None:
    for caution in dict.fromkeys(cautions):
        tell(f"! {caution.text}")
        if caution.advice:
            tell(f"  → {caution.advice}")
