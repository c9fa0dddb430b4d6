"""Endpoints of 2023."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import SdAwsFault, build_error
from atelier_mcp.server.providers.sd_aws.legacy.calls import LegacyCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsEndpointBody,
    SdAwsRows,
    get_text,
    parse_rows,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.requests.aws import DeployEndpoint


class LegacyEndpointCalls(LegacyCalls):
    """Endpoints."""

    async def list_endpoints(self) -> SdAwsRows[SdAwsEndpointBody]:
        """All endpoints, those that were deleted among them."""
        return parse_rows(SdAwsEndpointBody, await self._request(HttpRequest("GET", "/endpoints")), "endpoints")

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment with all six fields (contract: create_endpoint.required_code_fields)."""
        if request.real_time:
            raise InvalidRequest("real_time: this deployment's middleware has no Real-time endpoints.")
        if request.min_instances:
            raise InvalidRequest(f"min_instances: {self._version} scales down to none.")
        body = {
            "instance_type": request.instance_type,
            # A text here; a number is refused, which later versions want (contract: create_endpoint.count_type).
            "initial_instance_count": str(request.instances),
            "endpoint_name": request.name or "",
            "autoscaling_enabled": request.autoscaling,
            "assign_to_roles": list(request.roles),
            "creator": self._middleware.username,
        }
        http_request = HttpRequest("POST", "/endpoints", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        document = await self._request(http_request)
        endpoint = parse_model(SdAwsEndpointBody, unwrap_object(document, "data"))
        if endpoint is not None and (endpoint.job_id or endpoint.name):
            return endpoint
        if document is not None:  # a reply without data is a failure (contract: create_endpoint.error_as_200)
            fault = SdAwsFault(400, get_text(document, "message"), in_body=True)
            raise build_error(fault, client=self._middleware.client, is_submit=True)
        # The printed answer is null and names nothing (contract: create_endpoint.null_reply).
        return await self._find_newest_endpoint()

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment; an unknown one is answered with an empty object."""
        document = await self._get_bare("/inference/get-endpoint-deployment-job", {"jobID": job_id})
        return parse_model(SdAwsEndpointBody, document) if document else None

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down; the answer is a text (contract: delete_endpoints.reply_not_json)."""
        body = {"delete_endpoint_list": list(names), "username": self._middleware.username}
        response = await self._middleware.request(HttpRequest("DELETE", "/endpoints", body=body), lenient=True)
        # Failures are texts in an HTTP 200, too; only the beginning of the text tells them apart.
        if not str(response).strip().strip('"').startswith("Endpoint delete"):
            fault = SdAwsFault(400, str(response), in_body=True)
            raise build_error(fault, client=self._middleware.client, is_submit=False)

    async def _find_newest_endpoint(self) -> SdAwsEndpointBody:
        # v1.3 keeps the rows of deleted endpoints (contract: conventions.states.endpoint).
        endpoints = [endpoint for endpoint in await self.list_endpoints() if not endpoint.has_failed]
        if not endpoints:
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return max(endpoints, key=lambda endpoint: endpoint.started)
