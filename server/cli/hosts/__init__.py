"""The programs that use MCP servers: where each keeps its configuration, and how a server is written into it."""
