"""From what a tool returns to what a client gets, and the boundary that no error crosses."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, TypeVar

import mcp_types as types

from atelier_mcp.server.disk_errors import explain_disk_error
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.tool_result import FACTS_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.tool_result import ToolResult

log: logging.Logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


def build_result(result: ToolResult, notes: Sequence[str] = ()) -> types.CallToolResult:
    """The result as clients get it, with ``notes`` below its text."""
    text = "\n".join([result.format_text(), *notes])
    content = [types.TextContent(type="text", text=text), *result.blocks]
    if result.shows_images:
        return types.CallToolResult(content=content, _meta={FACTS_KEY: result.to_facts()})
    return types.CallToolResult(content=content, structured_content=result.to_facts())


async def put_errors_in_words(
    answer: Awaitable[Answer], *, tool: str, service_host: ServiceHost, is_local: bool = False
) -> Answer | types.CallToolResult:
    """The answer of ``tool``. Our errors become words, any other a logged crash and neutral words.

    One that ``is_local`` asks no service, so that nothing was spent whatever became of it.
    """
    try:
        return await answer
    # A result that is marked as an error, not an error of the protocol: only the former is put before the model.
    except AtelierError as err:
        return _build_error_result(service_host.hide_home(str(err)))
    except Exception as err:  # noqa: BLE001  # the boundary: a bug must not reach the model as a stack trace
        reason = explain_disk_error(err)
        words = _explain_disk(reason, err, tool) if reason else _report_incident(err, tool, is_local=is_local)
        return _build_error_result(words)


def _explain_disk(reason: str, err: Exception, tool: str) -> str:
    log.error("a file of the server's cannot be used: %s", err, extra={"tool": tool})
    return (
        f"The server cannot use its own files: {reason}. Nothing more was done.\n"
        "Whoever runs the server can mend it: look at the disk and at ATELIER_HOME."
    )


def _report_incident(err: Exception, tool: str, *, is_local: bool) -> str:
    incident_id = uuid.uuid4().hex[:8]
    log.error("tool crashed", exc_info=err, extra={"tool": tool, "incident": incident_id})
    what = f"{tool} failed inside Atelier: whoever runs the server finds incident {incident_id} in its log.\n"
    if is_local:
        return f"{what}Nothing was spent: this tool asks no service. Do it in another way, or without."
    return f"{what}A job that was already accepted goes on: look for it with list_jobs before asking again."


def _build_error_result(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
