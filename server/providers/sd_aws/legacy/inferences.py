"""Inferences of 2023: prepared, uploaded and run, or on older deployments started by one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import AtelierError, ProviderUnavailable, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import GATEWAY_TIMEOUT, SdAwsRejection, build_record_error
from atelier_mcp.server.providers.sd_aws.inference_parameters import encode_parameters
from atelier_mcp.server.providers.sd_aws.legacy.calls import LegacyCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    SdAwsRows,
    parse_rows,
    parse_texts,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload


class LegacyInferenceCalls(LegacyCalls):
    """Inferences."""

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Prepare an inference with the five keys that are taken, upload its parameters, and run it.

        What the reference prints, all in one call, is refused (contract: answered.three_steps).
        """
        body: dict[str, Any] = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "models": payload.models,
            "filters": {},
            "user_id": self._middleware.username,
        }
        try:
            # Not marked as a submit: a prepared job costs nothing, so a lost answer may be followed by another try.
            document = await self._middleware.send(HttpRequest("POST", "/inference/v2", body=body))
        except SdAwsRejection as err:
            if not err.fault.is_missing_route:
                raise err.error from None
            return await self._start_in_one_step(payload)
        prepared = parse_model(SdAwsPreparedBody, unwrap_object(document, "inference"))
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise ProviderUnavailable(f"{self._service} prepared an inference and did not say where.")
        report(None, "uploading the parameters")
        await self._middleware.put_file(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id)
        return prepared.id

    async def get_inference(self, inference_id: str) -> SdAwsInferenceBody:
        """One inference; its links are asked for once it has succeeded (contract: get_inference_images.empty_list)."""
        query = {"jobID": inference_id}
        http_request = HttpRequest("GET", "/inference/get-inference-job", query=query)
        try:
            document = await self._middleware.send(http_request, bare=True)
        except SdAwsRejection as err:
            raise build_record_error(err, inference_id, client=self._middleware.client) from None
        inference = parse_model(SdAwsInferenceBody, document)
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        if not inference.is_done:
            return inference
        links = await self._get_bare("/inference/get-inference-job-image-output", query)
        if not isinstance(links, list):
            raise ProviderUnavailable(
                f"{self._service} answered the look at a job's pictures with something unreadable."
            )
        return inference.model_copy(update={"images": parse_texts(links)})

    async def list_inferences(self, limit: int) -> SdAwsRows[SdAwsInferenceBody]:
        """The latest inferences; the service orders nothing (contract: list_inference_jobs.no_paging)."""
        rows = parse_rows(SdAwsInferenceBody, await self._get_bare("/inference/list-inference-jobs"))
        # The times are texts of one format, which sort as they stand (contract: conventions.times).
        found = SdAwsRows(sorted(rows, key=lambda inference: inference.moment, reverse=True)[:limit])
        found.unreadable_count = rows.unreadable_count
        return found

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with; None until the service has written that down."""
        links = parse_texts(await self._get_bare("/inference/get-inference-job-param-output", {"jobID": inference_id}))
        return await self._middleware.download(links[0]) if links else None

    async def _start_in_one_step(self, payload: InferencePayload) -> str:
        """The single call there is; older deployments have no other (contract: inference_v2.one_step_or_two)."""
        body = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "models": payload.models,
            **payload.parameters,
        }
        document = await self._request(
            HttpRequest("POST", "/inference-api/inference", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        )
        # The deployed call wraps the job in `inference`, the printed answer is the job
        # (contract: inference_v2.one_step_or_two).
        inference = parse_model(SdAwsInferenceBody, unwrap_object(document, "inference") or document)
        if inference is not None and inference.has_failed:
            reason = self._middleware.client.quote(inference.status)
            raise UpstreamFailed(f"The endpoint refused the inference. {reason}")
        if inference is None or not inference.id:
            raise SubmitUnconfirmed(f"{self._service} answered the submit without an id.")
        return inference.id

    async def _run_inference(self, inference_id: str) -> None:
        """Run a prepared inference; when the answer is lost, its state tells whether it runs."""
        http_request = HttpRequest("PUT", f"/inference/v2/{quote(inference_id, safe='')}/run", is_submit=True)
        try:
            await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.status == GATEWAY_TIMEOUT:  # the work goes on (contract: errors.504)
                return
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
        # The start itself sets another state: a record that is still "created" was not started.
        if inference.is_created:
            raise error
