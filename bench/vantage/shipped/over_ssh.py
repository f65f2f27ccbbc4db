"""Machines that you reach by SSH: one worker on each, the scheduler on the first.

    regionbench vantages --write-tls tls --host vm-paris --host vm-tokyo --host vm-dallas
    for host in vm-paris vm-tokyo vm-dallas; do rsync -a tls/ $host:tls/; done
    python over_ssh.py

Needs on each machine: Python with `pip install 'regionbench[dask]'` of this very version, and in
the environment of a non-interactive SSH session (such as ~/.ssh/environment, or SetEnv) the key,
XAI_API_KEY. The first machine runs the scheduler and its worker: its scheduler can read the key of
its user too. Where that matters, put a machine without a key in front and name it first.

Needs here: pip install 'regionbench[dask]' asyncssh
"""

import dask
from distributed import Client, SSHCluster

import bench

HOSTS = ["vm-paris", "vm-paris", "vm-tokyo", "vm-dallas"]  # the first: the scheduler's
PLAN = bench.make_plan(rounds=30)
WHERE = bench.Where(max_usd=1.0)  # all machines together
PYTHON = None  # where it is on the machines, such as "/opt/bench/bin/python"; None: as here

# Dask takes its configuration along to the machines; paths are relative to the home folder there.
SECURE = {
    "distributed.comm.require-encryption": True,
    "distributed.comm.tls.ca-file": "tls/ca.pem",
    **{
        f"distributed.comm.tls.{part}.{kind}": f"tls/{part}.{end}"
        for part in ("scheduler", "worker", "client")
        for kind, end in (("cert", "crt"), ("key", "key"))
    },
}
SCHEDULER = {"protocol": "tls", "dashboard": False}
WORKER = {"protocol": "tls", "nthreads": 1, "n_workers": 1}


def main() -> None:
    """Each vantage is called as its host, unless REGIONBENCH_VANTAGE there says otherwise."""
    with (
        dask.config.set(SECURE),
        SSHCluster(
            HOSTS, scheduler_options=SCHEDULER, worker_options=WORKER, remote_python=PYTHON
        ) as cluster,
        Client(cluster) as client,
    ):
        tour = bench.run(PLAN, where=WHERE, scheduler=client)
    for one in tour.finished:
        print(f"{one.run.vantage}: {one.status}, {one.folder}")


if __name__ == "__main__":
    main()
