"""Atelier: an image server for LLM agents.

``atelier_mcp.server`` holds the server and its commands, ``atelier_mcp.tools`` one public tool per file;
``atelier_mcp.testing`` is for the tests of packages that bring a provider.
"""

import os

__version__ = "0.2.0"

# A checkout keeps both folders at its top and links to them from here. Where links cannot be had (git on Windows
# writes them as text files), the folders are found at the top of the checkout itself.
if not os.path.isdir(os.path.join(__path__[0], "server")):  # noqa: PTH112, PTH118  # pathlib would cost every start 10 ms
    __path__.append(os.path.dirname(os.path.dirname(__path__[0])))  # noqa: PTH120
