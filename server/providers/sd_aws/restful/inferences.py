"""Inferences of the later generation: prepared, their parameters uploaded, then started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.calls import ASYNC, REAL_TIME, SUBMIT_TIMEOUT_S, RestfulCalls
from atelier_mcp.server.providers.sd_aws.training_drafts import encode_parameters
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload

REAL_TIME_TIMEOUT_S = 120.0


class RestfulInferenceCalls(RestfulCalls):
    """Inferences."""

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Prepare an inference, upload its parameters and start it: only the last step can be charged for."""
        body = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "inference_type": REAL_TIME if payload.real_time else ASYNC,
            "models": payload.models,
        }
        document = await self._request(HttpRequest("POST", "/inferences", body=body))
        prepared = parse_model(SdAwsPreparedBody, unwrap_object(document, "data", "inference"))
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise ProviderUnavailable(f"{self._service} prepared an inference and did not say where.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id, real_time=payload.real_time)
        return prepared.id

    async def get_inference(self, inference_id: str) -> SdAwsInferenceBody:
        """One inference with its links."""
        document = await self._request(HttpRequest("GET", f"/inferences/{quote(inference_id, safe='')}"))
        inference = parse_model(SdAwsInferenceBody, unwrap_object(document, "data"))
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        return inference

    async def list_inferences(self, limit: int) -> list[SdAwsInferenceBody]:
        """The latest inferences."""
        document = await self._request(HttpRequest("GET", "/inferences", query={"limit": limit}))
        found = parse_models(SdAwsInferenceBody, list(unwrap_list(document, "data", "inferences")))
        return sorted(found, key=lambda inference: inference.started, reverse=True)

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = (await self.get_inference(inference_id)).parameters
        return await self._middleware.download(links[0]) if links else None

    async def _run_inference(self, inference_id: str, *, real_time: bool) -> None:
        """Start a prepared inference; when the answer is lost or late, its state tells whether it runs."""
        timeout_s = REAL_TIME_TIMEOUT_S if real_time else SUBMIT_TIMEOUT_S
        path = f"/inferences/{quote(inference_id, safe='')}/start"
        try:
            await self._request(HttpRequest("PUT", path, is_submit=True, read_timeout_s=timeout_s))
        except SubmitUnconfirmed:
            if (await self.get_inference(inference_id)).status == "created":
                raise
