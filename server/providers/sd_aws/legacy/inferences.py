"""Inferences of 2023: started in one step or in two, their links asked for by calls of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from atelier_mcp.server.errors import ProviderUnavailable, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.errors import NO_SUCH_ROUTE, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.legacy.calls import SUBMIT_TIMEOUT_S, LegacyCalls
from atelier_mcp.server.providers.sd_aws.training_drafts import encode_parameters
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    parse_texts,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload


class LegacyInferenceCalls(LegacyCalls):
    """Inferences."""

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Start an inference in as many steps as the deployment wants (contract: inference_v2.one_step_or_two)."""
        body = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "models": payload.models,
            **payload.parameters,
        }
        document = await self._submit_inference(body)
        inner = unwrap_object(document, "inference")
        state = parse_model(
            SdAwsInferenceBody,
            {"id": "", **document, **({"inference_id": i} if (i := _find_inference_id(document)) else {})},
        )
        if state is not None and state.has_failed:
            raise UpstreamFailed(f"The endpoint refused the inference. {self._middleware.client.quote(state.status)}")
        if inference_id := _find_inference_id(document):
            return inference_id
        prepared = parse_model(SdAwsPreparedBody, inner)
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise SubmitUnconfirmed(f"{self._service} answered the submit without an id.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id)
        return prepared.id

    async def get_inference(self, inference_id: str) -> SdAwsInferenceBody:
        """One inference; its links are asked for once it has succeeded (contract: get_inference_images.empty_list)."""
        query = {"jobID": inference_id}
        document = await self._get_bare("/inference/get-inference-job", query)
        inference = parse_model(SdAwsInferenceBody, document)
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        if not inference.is_done:
            return inference
        image_links = parse_texts(await self._get_bare("/inference/get-inference-job-image-output", query))
        return inference.model_copy(update={"pictures": image_links})

    async def list_inferences(self, limit: int) -> list[SdAwsInferenceBody]:
        """The latest inferences; the service orders nothing (contract: list_inference_jobs.no_paging)."""
        found = parse_models(
            SdAwsInferenceBody, list(unwrap_list(await self._get_bare("/inference/list-inference-jobs")))
        )
        return sorted(found, key=lambda inference: inference.started, reverse=True)[:limit]

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = parse_texts(await self._get_bare("/inference/get-inference-job-param-output", {"jobID": inference_id}))
        return await self._middleware.download(links[0]) if links else None

    async def _submit_inference(self, body: dict[str, Any]) -> dict[str, Any]:
        http_request = HttpRequest("POST", "/inference/v2", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            document = await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise err.error from None
            other = HttpRequest(
                "POST", "/inference-api/inference", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S
            )
            document = await self._request(other)
        return cast("dict[str, Any]", document) if isinstance(document, dict) else {}

    async def _run_inference(self, inference_id: str) -> None:
        """Run a prepared inference; when the answer is lost, its state tells whether it runs."""
        http_request = HttpRequest("PUT", f"/inference/v2/{quote(inference_id, safe='')}/run", is_submit=True)
        try:
            await self._request(http_request)
        except SubmitUnconfirmed:
            if (await self.get_inference(inference_id)).status == "created":
                raise


def _find_inference_id(document: Mapping[str, Any]) -> str:
    """The id of an inference that runs already, wherever it is."""
    return str(document.get("inference_id") or unwrap_object(document, "inference").get("inference_id") or "")
