"""What ComfyUI says when it refuses (contract: errors)."""

from __future__ import annotations

from http.client import responses
from typing import Any


class ComfyuiHttpError(Exception):
    """A request that is answered with an HTTP error; ``body`` is its JSON document."""

    def __init__(self, status: int, body: Any) -> None:
        """Hold status and body."""
        super().__init__(status)
        self.status = status
        self.body = body


def build_error(kind: str, message: str, details: str = "", **extra_info: Any) -> dict[str, Any]:
    """One error, of a prompt or of a node (contract: errors.400)."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def refuse_prompt(error: dict[str, Any], node_errors: Any) -> ComfyuiHttpError:
    """HTTP 400."""
    return ComfyuiHttpError(400, {"error": error, "node_errors": node_errors})


def build_error_body(status: int) -> dict[str, Any]:
    """What is said with a status, for faults on order."""
    return {"error": build_error("server_error", responses.get(status, "Error")), "node_errors": {}}
