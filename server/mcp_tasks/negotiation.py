"""Which clients take tasks, and how a call of theirs ends with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.mcpserver import Context

EXTENSION: Final = "io.modelcontextprotocol/tasks"
REVISION: Final = "2026-07-28"
"""The only revision of the protocol that this version of the extension is made for."""
CANCEL_METHOD: Final = "tasks/cancel"


class TaskForClient(Exception):  # no error: it is how a call ends that goes on
    """Ends a call with a task, in place of a result."""

    def __init__(self, document: dict[str, Any]) -> None:
        """``document`` is the task as the client gets it."""
        super().__init__("the call goes on as a task")
        self._document = document

    def build_result(self, notes: Sequence[str]) -> dict[str, Any]:
        """What answers the call, with ``notes`` on its arguments before what is said of its jobs."""
        words = [*notes, self._document["statusMessage"]]
        return {"resultType": "task", **self._document, "statusMessage": " ".join(words)}


def accepts_tasks(context: Context[Any, Any]) -> bool:
    """Whether the client of this very call has declared the extension, in a revision that has it."""
    capabilities = context.client_capabilities if context.protocol_version == REVISION else None
    return EXTENSION in ((capabilities and capabilities.extensions) or {})
