"""The command ``atelier``.

Collecting garbage while some six hundred modules are imported is work for nothing: it waits until they are loaded, and
never looks through them later.
"""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    gc.disable()
    from atelier_mcp.server.cli import run

    return run(sys.argv[1:], on_loaded=_begin_to_collect)


def _begin_to_collect() -> None:
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
