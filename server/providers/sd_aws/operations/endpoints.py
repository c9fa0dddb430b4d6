"""Endpoints: machines that draw, paid for by the hour from their deployment to their deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Plan, UpstreamTask
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.requests.aws import PRICES_LINK, DeleteEndpoints, DeployEndpoint, ListEndpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody

ENDPOINT: Final = "endpoint"
"""The kind of a deployment's task."""


class SdAwsDeployment(SdAwsJobOperation[DeployEndpoint]):
    """``aws_deploy_endpoint``."""

    request_type = DeployEndpoint

    async def plan(self, request: DeployEndpoint, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # there are none
        """As it is, with the word of what is paid for."""
        machines = f"{request.instances} x {request.instance_type}"
        return Plan(request, notes=(f"{machines}: the price of an hour stands at {PRICES_LINK}.",))

    async def submit(
        self,
        request: DeployEndpoint,
        images: Mapping[str, str],  # noqa: ARG002  # there are none
        call: SubmitCall,  # noqa: ARG002  # it is one call
    ) -> UpstreamTask:
        """Begin to deploy; followed by its own id, or where the answer has none by the endpoint's name."""
        dialect = await self._account.get_dialect()
        max_chars = dialect.version.max_endpoint_name_chars
        if request.name and len(request.name) > max_chars:
            raise InvalidRequest(f"name: {dialect.version} takes {max_chars} characters at most.")
        endpoint = await dialect.deploy_endpoint(request)
        # The poller looks the id up as either of the two.
        return UpstreamTask(endpoint.job_id or endpoint.name, ENDPOINT)


class SdAwsEndpointListing(SdAwsDirectOperation[ListEndpoints]):
    """``aws_list_endpoints``."""

    request_type = ListEndpoints

    async def execute(self, request: ListEndpoints, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """All of them."""
        endpoints = await (await self._account.get_dialect()).list_endpoints()
        return build_listing("endpoints", [_format_endpoint(endpoint) for endpoint in endpoints], endpoints)


class SdAwsEndpointDeletion(SdAwsDirectOperation[DeleteEndpoints]):
    """``aws_delete_endpoints``."""

    request_type = DeleteEndpoints

    async def execute(self, request: DeleteEndpoints, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Unknown names count as success at the service (contract: delete_endpoints), so they are told apart here."""
        dialect = await self._account.get_dialect()
        known_names = {endpoint.name for endpoint in await dialect.list_endpoints()}
        unknown_names = [name for name in request.names if name not in known_names]
        if unknown_names:
            raise InvalidRequest(
                f"There is no endpoint {unknown_names[0]}; nothing was deleted.", hint="See aws_list_endpoints."
            )
        await dialect.delete_endpoints(request.names)
        return {"deleted": list(request.names)}


def _format_endpoint(endpoint: SdAwsEndpointBody) -> dict[str, Any]:
    row = {
        "name": endpoint.name,
        "state": endpoint.state or endpoint.job_state,
        "kind": f"ComfyUI, {endpoint.kind}" if endpoint.is_comfy else endpoint.kind,
        "instance_type": endpoint.machine,
        "instances": endpoint.most,
        "started": endpoint.started,
        "error": endpoint.error,
    }
    return {name: value for name, value in row.items() if value}
