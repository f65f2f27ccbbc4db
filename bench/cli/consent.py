"""Money is agreed on before it is spent: asked for on a terminal, an option in a script."""

from __future__ import annotations

import sys

import click

from bench.errors import UsageError
from bench.prepare import Prepared, Where
from bench.units import format_usd

FREE_HAND_USD = 5.0
"""What a run may be expected to cost without anybody being asked."""


def agree_on_cost(prepared: Prepared, where: Where, per: str = "") -> None:
    """Return when the run may spend what it should cost at most; see `agree_on_usd`."""
    agree_on_usd(
        0.0 if prepared.catalogue.provider.simulated else prepared.estimated_usd(), where, per
    )


def agree_on_usd(usd: float | None, where: Where, per: str = "") -> None:
    """Return when so much may be spent; None is not known.

    ``--yes`` agrees, and so does ``--max-usd``, which is a limit that holds. Raises UsageError when
    nobody agreed. ``per`` follows the sum: `` a day``.
    """
    if usd is None or usd <= FREE_HAND_USD or where.yes or where.max_usd is not None:
        return
    costs = f"This may cost up to {format_usd(usd)}{per}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{costs}. Nothing was spent: agree with --yes, or limit it with --max-usd"
        )
    if not click.confirm(f"{costs}. Go on?", err=True):
        raise UsageError("Nothing was spent. --rounds, --endpoints and --max-usd make it cheaper")
