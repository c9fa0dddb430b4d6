"""Run every measurement in a process of its own and print each figure beside its target.

``python -m tests.bench [PART ...]``; exits with 1 when a target is missed.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.figures import Figure

PARTS = ("start_up", "submits", "waiting_jobs", "large_ledger", "http_clients", "replicas", "burst", "engine_times")
"""Modules of this package, in the order they are run. A new measurement is a module and its name here."""


def main(parts: list[str]) -> int:
    """Measure the parts named, or all of them."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.stderr.write(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}\n")
        return 2
    figures = [figure for part in parts or PARTS for figure in _run_part(part)]
    return 0 if all(figure.is_met for figure in figures) else 1


def _run_part(part: str) -> list[Figure]:
    run = subprocess.run([sys.executable, "-m", f"tests.bench.{part}"], stdout=subprocess.PIPE, text=True, check=True)
    figures = [Figure(**json.loads(line)) for line in run.stdout.splitlines()]
    for figure in figures:
        sys.stdout.write(figure.format_row() + "\n")
    sys.stdout.flush()
    return figures


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
