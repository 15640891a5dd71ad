"""`benchmarks/scaling.py` as a program, its part for Dask on a scheduler that runs elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

distributed = pytest.importorskip("distributed", reason="needs the extra `search`")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scaling.py"


def test_the_same_program_runs_against_the_address_of_a_scheduler():
    # Threads of this process behind a real TCP address.
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "protocol": "tcp"}
    with distributed.LocalCluster(**options, dashboard_address=None) as cluster:
        words = [sys.executable, SCRIPT, "--workers", "2", "--trials", "8", "--repeats", "1"]
        words += ["--seconds", "0.02", "--address", cluster.scheduler_address]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("2 ")]
    assert [row[1] for row in rows] == ["processes", "threads", "Dask"]
    assert cluster.scheduler_address in done.stdout
    for row in rows:
        seconds, faster = float(row[2]), float(row[3])
        assert seconds > 0
        assert 0 < faster <= 2
