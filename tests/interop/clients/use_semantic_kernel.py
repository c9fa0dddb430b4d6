"""semantic-kernel: a plugin whose functions a kernel calls."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import Answer, run
from semantic_kernel.connectors.mcp import MCPStdioPlugin, MCPStreamableHttpPlugin
from semantic_kernel.contents import ImageContent
from semantic_kernel.kernel import Kernel


@asynccontextmanager
async def open_tools(target):
    options = {"name": "atelier", "load_prompts": False, "request_timeout": 120}
    plugin = (
        MCPStreamableHttpPlugin(url=target.url, **options)
        if target.is_http
        else MCPStdioPlugin(command=target.command[0], args=target.command[1:], env=target.environ, **options)
    )
    async with plugin:
        functions = Kernel().add_plugin(plugin).functions

        async def call(name, arguments):
            parts = await plugin.call_tool(name, **arguments)
            parts = parts if isinstance(parts, list) else [parts]
            texts = [str(part) for part in parts if not isinstance(part, ImageContent)]
            return Answer("\n".join(texts), len(parts) - len(texts))

        yield list(functions), call


run(open_tools)
