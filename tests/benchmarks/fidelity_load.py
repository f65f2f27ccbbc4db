"""A busy host on demand: four loops that want all of two cores."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LOOPS = 4
LIFETIME_S = 900
_LOOP = f"import time\nend = time.monotonic() + {LIFETIME_S}\nwhile time.monotonic() < end: pass"


@contextmanager
def busy(loops: int = LOOPS) -> Iterator[None]:
    """So many processes that never rest, until the block ends."""
    with ExitStack() as stack:
        for _ in range(loops):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", _LOOP]))
            stack.callback(process.kill)
        if loops:
            time.sleep(1.0)  # until the scheduler has spread them
        yield


def shares(seconds: float = 1.0) -> dict[str, float]:
    """How much of all cores others keep busy right now, and how much the hypervisor takes."""
    before = _jiffies()
    time.sleep(seconds)
    spent = {name: after - before[name] for name, after in _jiffies().items()}
    total = max(1, sum(spent.values()))
    busy_jiffies = total - spent["idle"] - spent["iowait"]
    return {
        "others_busy_share": round(busy_jiffies / total, 3),
        "steal_share": round(spent["steal"] / total, 3),
    }


def _jiffies() -> dict[str, int]:
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    stat = Path("/proc/stat")
    if not stat.exists():
        return dict.fromkeys(names, 0)
    values = stat.read_text().split("\n", 1)[0].split()[1:]
    return {name: int(value) for name, value in zip(names, values, strict=False)}
