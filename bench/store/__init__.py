"""Rows to disk and back: nothing acknowledged is lost, and what is missing is said.

A run is a folder, readable by its owner only:

    run.json         what is true of all rows: plan, versions, clock, status. Replaced atomically
    samples.jsonl    one line per row, appended as each request ends. The truth, always
    samples.parquet  the same rows for speed, made and verified when the run finishes; a run that
                     was interrupted has none: nobody is kept waiting for it
    tags.json        words that people put on it afterwards; absent without any

Rows of many finished runs may lie in one file of ``packs/`` instead, which their run.json names.

Writing is `RunWriter`; reading (`read_table` by column, `read_run` and `read_runs` by row) never
writes and tells what it could not read as cautions; `repair` makes a folder fit to be appended to
again.
"""

from bench.store.archive import export_runs, import_runs
from bench.store.columns import Where, checked
from bench.store.compact import compact
from bench.store.packs import Packing, pack, packings, sweep
from bench.store.places import Local, Place
from bench.store.reader import StoredRun, is_run, read_file, read_run, read_runs, run_folders
from bench.store.reopen import Kept, reopen
from bench.store.repair import repair
from bench.store.shelf import Head, read_heads, remove_run
from bench.store.tables import StoredTable, of_rows, read_table
from bench.store.tags import change as change_tags
from bench.store.writer import RunWriter, try_results

__all__ = [
    "Head",
    "Kept",
    "Local",
    "Packing",
    "Place",
    "RunWriter",
    "StoredRun",
    "StoredTable",
    "Where",
    "change_tags",
    "checked",
    "compact",
    "export_runs",
    "import_runs",
    "is_run",
    "of_rows",
    "pack",
    "packings",
    "read_file",
    "read_heads",
    "read_run",
    "read_runs",
    "read_table",
    "remove_run",
    "reopen",
    "repair",
    "run_folders",
    "sweep",
    "try_results",
]
