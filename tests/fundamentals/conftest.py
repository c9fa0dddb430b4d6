"""The server behind an MCP client, and the emulator in place of the service."""

from tests.e2e.conftest import call, client, engine, environ, new_client, settings, site

__all__ = ["call", "client", "engine", "environ", "new_client", "settings", "site"]
