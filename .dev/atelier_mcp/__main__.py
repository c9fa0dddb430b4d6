"""``python -m atelier_mcp`` is the command ``atelier``."""

import sys

from atelier_mcp.server.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
