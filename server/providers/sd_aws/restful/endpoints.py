"""Endpoints of the later generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.calls import ASYNC, REAL_TIME, SUBMIT_TIMEOUT_S, RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsEndpointBody,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.requests.aws import DeployEndpoint


class RestfulEndpointCalls(RestfulCalls):
    """Endpoints."""

    async def list_endpoints(self) -> list[SdAwsEndpointBody]:
        """All endpoints."""
        document = await self._request(HttpRequest("GET", "/endpoints"))
        return parse_models(SdAwsEndpointBody, list(unwrap_list(document, "data", "endpoints")))

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment."""
        body: dict[str, Any] = {
            "endpoint_type": REAL_TIME if request.real_time else ASYNC,
            "instance_type": request.instance_type,
            "initial_instance_count": request.instances,
            "autoscaling_enabled": request.autoscaling,
            "assign_to_roles": list(request.roles),
            "creator": self._middleware.username,
            "service_type": "sd",
        }
        if request.name:
            body["endpoint_name"] = request.name
        http_request = HttpRequest("POST", "/endpoints", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        endpoint = parse_model(SdAwsEndpointBody, unwrap_object(await self._request(http_request), "data"))
        if endpoint is None or not (endpoint.job_id or endpoint.name):
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return endpoint

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment, out of the list."""
        return next((endpoint for endpoint in await self.list_endpoints() if endpoint.job_id == job_id), None)

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down."""
        await self._request(HttpRequest("DELETE", "/endpoints", body={"endpoint_name_list": list(names)}))
