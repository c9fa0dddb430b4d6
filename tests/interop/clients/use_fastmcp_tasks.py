"""fastmcp's client with its tasks: a picture by a task's handle, everything else by calls that may become one."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import describe_blocks, run
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp_tasks.client import call_tool_task


@asynccontextmanager
async def open_tools(target):
    source = target.url or StdioTransport(target.command[0], target.command[1:], env=target.environ)
    async with Client(source, timeout=120) as client:
        tried = []

        async def call(name, arguments):
            if tried:
                result = await client.call_tool(name, arguments)
            else:  # the first is the one that makes a picture
                tried.append(name)
                task = await call_tool_task(client, name, arguments)
                assert (await task.status()).status == "working", "a task is over at once"
                result = await task.result()
                assert task.task_id in str(result.content), "a task is not its job"
            return describe_blocks(result.content)

        yield [tool.name for tool in await client.list_tools()], call


run(open_tools)
