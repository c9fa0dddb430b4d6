"""Endpoints of the later generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.restful.calls import ASYNC, REAL_TIME, RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody, SdAwsRows, unwrap_object
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.requests.aws import DeployEndpoint


class RestfulEndpointCalls(RestfulCalls):
    """Endpoints."""

    async def list_endpoints(self) -> SdAwsRows[SdAwsEndpointBody]:
        """All endpoints."""
        return await self._list_rows(SdAwsEndpointBody, "/endpoints", "endpoints")

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment."""
        body: dict[str, Any] = {
            "endpoint_type": REAL_TIME if request.real_time else ASYNC,
            "instance_type": request.instance_type,
            "autoscaling_enabled": request.autoscaling,
            "assign_to_roles": list(request.roles),
            **self._build_counts(request),
        }
        # Keys that a version does not know are refused, so each is sent only where it is wanted (contract: routes).
        if self._version.needs_endpoint_creator:
            body["creator"] = self._middleware.username
        if self._version.has_service_types:
            body["service_type"] = "sd"
        if request.name:
            body["endpoint_name"] = request.name
        http_request = HttpRequest("POST", "/endpoints", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        endpoint = parse_model(SdAwsEndpointBody, unwrap_object(await self._request(http_request), "data"))
        if endpoint is None or not (endpoint.job_id or endpoint.name):
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return endpoint

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment, out of the list: asked for alone its row has types beside every value (raw_endpoint_row)."""
        return (await self.list_endpoints()).find(job_id, "job_id")

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down."""
        body: dict[str, Any] = {"endpoint_name_list": list(names)}
        if self._version.believes_body:
            body["username"] = self._middleware.username
        await self._request(HttpRequest("DELETE", "/endpoints", body=body))

    def _build_counts(self, request: DeployEndpoint) -> dict[str, int]:
        """How many machines; where autoscaling has bounds, one is enough to begin with (answered.instance_numbers)."""
        if not (request.autoscaling and self._version.has_instance_bounds):
            if request.min_instances:
                raise InvalidRequest(f"min_instances: {self._version} scales down to none, or does not scale.")
            return {"initial_instance_count": request.instances}
        # A Real-time endpoint needs one machine at least, an Async one may rest with none.
        fewest = request.min_instances if request.min_instances is not None else int(request.real_time)
        return {
            "initial_instance_count": max(1, fewest),
            "min_instance_number": fewest,
            "max_instance_number": request.instances,
        }
