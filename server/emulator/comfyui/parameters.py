"""The parameters of ``POST /prompt``, read as the service does (contract: prompt.post)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.emulator.comfyui.errors import build_error, refuse_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = ("api_key_comfy_org", "auth_token_comfy_org")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptParameters:
    """A workflow and how it is to be queued."""

    graph: Mapping[str, Any]
    prompt_id: str
    client_id: str
    extra_data: Mapping[str, Any]
    has_key: bool
    """A key that pays for partners' nodes came along; it is not kept (contract: auth.partner_nodes)."""
    is_first: bool
    number: float | None
    targets: tuple[str, ...] | None


def parse_prompt(body: Mapping[str, Any], *, mints_ids: bool, no_errors: Any) -> PromptParameters:
    """The parameters; raises ComfyuiHttpError for a body without a workflow, and for an id that is no UUID."""
    graph = body.get("prompt")
    if not isinstance(graph, dict):
        raise refuse_prompt(build_error("no_prompt", "No prompt provided", "No prompt provided"), no_errors)
    extra = body.get("extra_data")
    extra_data = dict(cast("dict[str, Any]", extra)) if isinstance(extra, dict) else {}
    keys = [extra_data.pop(name, None) for name in SECRETS]
    client_id = str(body.get("client_id") or extra_data.get("client_id") or "")
    number, targets = body.get("number"), body.get("partial_execution_targets")
    return PromptParameters(
        graph=cast("dict[str, Any]", graph),
        prompt_id=str(uuid.uuid4()) if mints_ids else _read_id(body.get("prompt_id"), no_errors),
        client_id=client_id,
        extra_data={**extra_data, "client_id": client_id} if client_id else extra_data,
        has_key=any(keys),
        is_first=bool(body.get("front")),
        number=float(number) if isinstance(number, int | float) else None,
        targets=tuple(str(target) for target in cast("list[Any]", targets)) if isinstance(targets, list) else None,
    )


def _read_id(value: Any, no_errors: Any) -> str:
    """An id of the client's, in the one spelling that is taken (contract: comfy.prompt_id)."""
    if value is None:
        return str(uuid.uuid4())
    try:
        is_good = isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        is_good = False
    if not is_good:
        raise refuse_prompt(build_error("invalid_prompt_id", "prompt_id is no UUID", str(value)), no_errors)
    return cast("str", value)
