"""Several workers on one machine: to try it out. They share one place, so they agree.

    python one_machine.py

Needs: pip install 'regionbench[dask]'
"""

import tempfile
from pathlib import Path

from distributed import Client, LocalCluster, Security

import bench
from bench.vantage.certificates import write_certificates

# Processes, not threads: threads of one process would be in each other's times.
WORKERS = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}


def security(folder: Path) -> Security:
    """Certificates of this cluster's own; without them everybody on this machine could join."""
    write_certificates(folder)
    keys = {
        f"tls_{part}_{kind}": str(folder / f"{part}.{end}")
        for part in ("scheduler", "worker", "client")
        for kind, end in (("cert", "crt"), ("key", "key"))
    }
    return Security(require_encryption=True, tls_ca_file=str(folder / "ca.pem"), **keys)


def main() -> None:
    """Measure a fleet that each worker starts for itself: no key, no money."""
    with tempfile.TemporaryDirectory() as folder:
        secure = security(Path(folder) / "tls")
        with LocalCluster(security=secure, **WORKERS) as cluster, Client(cluster) as client:
            tour = bench.run(bench.make_plan(catalogue="fleet", rounds=10), scheduler=client)
    for one in tour.finished:
        print(f"{one.run.vantage}: {one.status}, {one.folder}")


if __name__ == "__main__":  # workers are new processes, which read this file again
    main()
