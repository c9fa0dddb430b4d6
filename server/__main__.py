"""The command ``atelier``.

Collecting garbage while some six hundred modules are imported is work for nothing: it waits until they are loaded.
"""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    gc.disable()
    try:
        from atelier_mcp.server.cli import run
    finally:
        gc.enable()
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
