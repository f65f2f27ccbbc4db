"""The container file built and run: does a worker in it measure a tour?

    python -m tests.lab.container

As root, with buildah and debootstrap (Debian), which need no engine and no registry of images: the
image that the file begins with is made of Debian's own packages, with Debian's Python. Everything
else is as the file says; the product comes from a wheel of this tree. It takes five minutes, leaves
nothing behind, and ends with 0 when every request of the tour was answered.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import bench
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.vantage import Tour
from tests.lab.cluster import DaskCluster, dask_cluster, with_real_key
from tests.profiles import TWO_REGIONS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "bench/vantage/shipped/Containerfile"
IMAGE = "localhost/regionbench-vantage"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
USER = 10001
ROUNDS = 10


class Store:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._place = ["--root", str(folder / "images"), "--runroot", str(folder / "running")]

    def command(self, *words: str) -> list[str]:
        """What buildah is asked with."""
        return ["buildah", *self._place, "--storage-driver", "vfs", *words]

    def ask(self, *words: str) -> str:
        """What it says. CalledProcessError with its own words when it fails."""
        return _ran(self.command(*words))


def _ran(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:8])} …: {done.stderr[-2000:]}")
    return done.stdout.strip()


def base(store: Store, folder: Path) -> None:
    """Debian with Python, under the name of the image that the file begins with."""
    name = re.findall(r"^FROM (\S+)$", FILE.read_text(), re.MULTILINE)[0]
    root = folder / "debian"
    _ran(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "stable", str(root)])
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    made = store.ask("from", "scratch")
    store.ask("add", "-q", made, str(root), "/")
    store.ask("commit", "-q", made, f"docker.io/library/{name}")


def build(store: Store, folder: Path) -> None:
    """The image, by the file; pip finds the product's own wheel in a folder."""
    wheels, settings = folder / "wheels", folder / "pip.conf"
    _ran([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)])
    settings.write_text(f"[global]\nfind-links = /wheels\ncert = {BUNDLE}\n")
    mounts = {wheels: "/wheels", settings: "/etc/pip.conf", Path(BUNDLE): BUNDLE}
    words = ["build", "--pull-never", "--isolation", "chroot", *_mounted(mounts)]
    store.ask(*words, "-t", IMAGE, "-f", str(FILE), str(folder / "wheels"))


def _mounted(mounts: Mapping[Path, str]) -> list[str]:
    return [word for here, there in mounts.items() for word in ("-v", f"{here}:{there}:ro")]


@contextmanager
def worker(store: Store, cluster: DaskCluster, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the cluster in a container, with a key of its own environment."""
    container = store.ask("from", "--pull-never", IMAGE)
    command = store.command(
        *("run", "--isolation", "chroot", *_mounted({cluster.folder / "tls": "/tls"})),
        *("--env", "REGIONBENCH_VANTAGE=container", "--env", f"FLEET_KEY={key}", container),
        *("dask", "worker", cluster.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"),
        *("--tls-ca-file", "/tls/ca.pem", "--tls-cert", "/tls/worker.crt"),
        *("--tls-key", "/tls/worker.key"),
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait(timeout=60)


def users(running: subprocess.Popen[bytes]) -> set[int]:
    """Who the processes in the container are."""
    found = {running.pid}
    for _ in range(4):  # generations
        found |= {child for one in found for child in _children(one)}
    return {Path(f"/proc/{pid}").stat().st_uid for pid in found - {running.pid}}


def _children(pid: int) -> set[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(word) for file in lists for word in file.read_text().split()}


def measure(store: Store, folder: Path) -> tuple[Tour, set[int]]:
    """A tour whose only vantage is the container, and as whom its worker runs."""
    profile = folder / "two.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile) as fleet, dask_cluster(folder / "dask") as cluster:
        _ran(["chmod", "-R", "a+rX", str(folder / "dask")])  # the container's user is another
        plan = make_plan(
            catalogue=with_real_key(fleet, folder, "FLEET_KEY"), endpoints=("near", "far"),
            model="m", rounds=ROUNDS,
        )  # fmt: skip
        where = Where(results=folder / "results")
        with worker(store, cluster, fleet.key) as running:
            cluster.await_workers(1)
            who = users(running)
            found = bench.run(plan, where=where, scheduler=cluster.address, tls=cluster.tls)
    assert isinstance(found, Tour)
    return found, who


def main() -> int:
    """The command."""
    if missing := [name for name in ("buildah", "debootstrap") if not shutil.which(name)]:
        sys.stderr.write(f"needs {' and '.join(missing)}: apt-get install {' '.join(missing)}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="regionbench-container-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the container's user looks into it
        store = Store(folder)
        base(store, folder)
        build(store, folder)
        found, who = measure(store, folder)
        rows = found.frame()
        store.ask("rm", "--all")
        store.ask("rmi", "--all", "--force")
    answered = int((rows["outcome"] == "ok").sum())
    sys.stdout.write(
        f"built and run as user {sorted(who)}: {answered} of {len(rows)} requests answered, "
        f"from {', '.join(rows['vantage'].astype(str).unique())}; {found.status}\n"
    )
    whole = found.status == "complete" and answered == len(rows) > 2 * ROUNDS
    return int(not (whole and USER in who))


if __name__ == "__main__":
    sys.exit(main())
