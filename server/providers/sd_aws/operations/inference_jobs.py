"""The service's own record of inferences."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.requests.aws import ListInferenceJobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.wire import SdAwsInferenceBody

MAX_TEXT_CHARS: Final = 200
"""Longer parameters are images, and cut."""


class SdAwsInferenceListing(SdAwsDirectOperation[ListInferenceJobs]):
    """``aws_list_inference_jobs``."""

    request_type = ListInferenceJobs

    async def execute(self, request: ListInferenceJobs, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """The latest ones, or one with what it was run with."""
        dialect = await self._account.get_dialect()
        if request.job_id is None:
            found = await dialect.list_inferences(request.limit)
            return build_listing("jobs", [_format_inference(inference) for inference in found], found)
        inference, parameters = await asyncio.gather(
            dialect.get_inference(request.job_id), dialect.get_parameters(request.job_id)
        )
        row = _format_inference(inference)
        return {"jobs": [{**row, "parameters": _shorten(parameters)} if parameters else row]}


def _format_inference(inference: SdAwsInferenceBody) -> dict[str, Any]:
    row = {
        "id": inference.id,
        "state": inference.status,
        "task": inference.task_type,
        "started": inference.moment,
        "completed": inference.completed,
    }
    return {name: value for name, value in row.items() if value}


def _shorten(value: Any) -> Any:
    """Parameters without megabytes."""
    match value:
        case dict():
            return {name: _shorten(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
        case list():
            return [_shorten(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case str() if len(value) > MAX_TEXT_CHARS:
            return f"{value[:40]}... ({len(value)} characters)"
        # Infinity stands in stored parameter files (contract: inference_v2.non_finite) and is no JSON; NaN neither.
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case _:
            return value
