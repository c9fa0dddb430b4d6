"""What a command does before it does anything."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COUNT_COLLECTIONS = """
import atexit, gc, sys
from atelier_mcp.server.__main__ import main

modules_at_collections = []
gc.callbacks.append(lambda phase, info: modules_at_collections.append(len(sys.modules)))
atexit.register(lambda: print(min(modules_at_collections, default=0), gc.isenabled(), file=sys.stderr))
sys.argv = ["atelier", "serve"]
main()
"""


def test_no_garbage_is_collected_before_the_sdk_is_loaded(tmp_path: Path) -> None:
    """A tenth of the way to the first answer went into looking through its modules again and again."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_COLLECTIONS],
        env={"ATELIER_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    modules_at_first, is_on = done.stderr.splitlines()[-1].split()
    assert int(modules_at_first) > 500
    assert is_on == "True", "it begins once they are loaded"
