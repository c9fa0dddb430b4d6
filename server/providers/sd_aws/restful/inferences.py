"""Inferences of the later generation: prepared, their parameters uploaded, then started."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from atelier_mcp.server.errors import AtelierError, ProviderUnavailable, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import GATEWAY_TIMEOUT, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.failure_reasons import find_reason, has_worker_error
from atelier_mcp.server.providers.sd_aws.inference_parameters import encode_parameters
from atelier_mcp.server.providers.sd_aws.restful.calls import ASYNC, REAL_TIME, RestfulCalls
from atelier_mcp.server.providers.sd_aws.versions import V1_7
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    SdAwsRows,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload

TASK_TYPES: Final = ("txt2img", "img2img", "rembg", "extra-single-image", "extra-batch-images")
"""A list is of one of these (contract: answered.list_types)."""


class RestfulInferenceCalls(RestfulCalls):
    """Inferences."""

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Prepare an inference, upload its parameters and start it: only the last step can be charged for."""
        body: dict[str, Any] = {
            "task_type": payload.task_type,
            "inference_type": REAL_TIME if payload.real_time else ASYNC,
            "models": payload.models,
        }
        if payload.endpoint:
            body["sagemaker_endpoint_name"] = payload.endpoint
        if self._version.believes_body:  # both are wanted there (contract: answered.filters)
            body |= {"filters": {}, "user_id": self._middleware.username}
        document = await self._request(HttpRequest("POST", "/inferences", body=body))
        prepared = parse_model(SdAwsPreparedBody, unwrap_object(document, "data", "inference"))
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise ProviderUnavailable(f"{self._service} prepared an inference and did not say where.")
        report(None, "uploading the parameters")
        await self._middleware.put_file(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id)
        return prepared.id

    async def get_inference(self, inference_id: str) -> SdAwsInferenceBody:
        """One inference with its links."""
        document = await self._get_record("/inferences", inference_id)
        inference = parse_model(SdAwsInferenceBody, unwrap_object(document, "data"))
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        return inference

    async def list_inferences(self, limit: int) -> SdAwsRows[SdAwsInferenceBody]:
        """The latest inferences of every type, newest first."""
        # v1.4 gives every type at once and knows no such key.
        types = TASK_TYPES if self._version.pages_by_key else ("",)
        lists = await asyncio.gather(*(self._list_inferences_of(task_type, limit) for task_type in types))
        by_id = {inference.id: inference for inference in chain.from_iterable(lists)}
        newest = sorted(by_id.values(), key=lambda inference: inference.moment, reverse=True)
        found = SdAwsRows(newest[:limit])
        found.unreadable_count = sum(rows.unreadable_count for rows in lists)
        return found

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with; None until the service has written that down."""
        links = (await self.get_inference(inference_id)).parameters
        return await self._middleware.download(links[0]) if links else None

    async def _list_inferences_of(self, task_type: str, limit: int) -> SdAwsRows[SdAwsInferenceBody]:
        query = {"type": task_type} if task_type else None
        return await self._list_rows(SdAwsInferenceBody, "/inferences", "inferences", query=query, max_rows=limit)

    async def _run_inference(self, inference_id: str) -> None:
        """Start a prepared inference. What its worker refuses has failed; what outlasts the gateway goes on.

        After 29 seconds the gateway says 504 to a Real-time job that runs (contract: answered.real_time).
        """
        path = f"/inferences/{quote(inference_id, safe='')}/start"
        http_request = HttpRequest("PUT", path, is_submit=True, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.status == GATEWAY_TIMEOUT:
                return
            # The job ran and failed: without this it would count as a refused request, or as unconfirmed.
            if has_worker_error(err.fault.message):
                reason = self._middleware.client.quote(find_reason(err.fault.message))
                raise UpstreamFailed(f"The endpoint could not finish the job. {reason}") from None
            if not isinstance(err.error, SubmitUnconfirmed):
                raise err.error from None
            await self._confirm_start(inference_id, err.error)
        except SubmitUnconfirmed as err:
            await self._confirm_start(inference_id, err)

    async def _confirm_start(self, inference_id: str, error: SubmitUnconfirmed) -> None:
        """Return where the record shows that the job was started, else raise ``error``."""
        try:
            inference = await self.get_inference(inference_id)
        except AtelierError:  # it says nothing of the start, which stays unconfirmed
            raise error from None
        # before v1.7 a start time stands there from the beginning
        if inference.is_created and not (self._version >= V1_7 and inference.started):
            raise error
