"""What a deployment may be, by version, and which endpoint takes an inference.

(contract: routes, answered.instance_numbers, answered.no_endpoint, conventions.states.endpoint)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.endpoint_states import EndpointView, view_endpoint
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.paging import build_no_number
from atelier_mcp.server.emulator.sd_aws.people import get_user, may

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

REAL_TIME: Final = "Real-time"
ASYNC: Final = "Async"
LIVE: Final = ("Creating", "InService", "Updating")
EXTENSION: Final = re.compile(r"https://\S+\.git#[^#\s]+#[0-9a-f]{40}")
EXTENSION_FORM: Final = (
    "https://github.com/awslabs/stable-diffusion-aws-extension.git#main#a096556799b7b0686e19ec94c0dbf2ca74d8ffbc"
)


def read_settings(call: SdAwsCall) -> dict[str, Any]:
    """What the body asks for, and the beginning of the name; raises SdAwsHttpError."""
    body = call.body
    kind = str(body.get("endpoint_type", ASYNC))
    # v1.4 and v1.5 list Serverless in the model of the body and refuse it here (contract: POST /endpoints).
    if kind not in (ASYNC, REAL_TIME):
        raise SdAwsHttpError(400, f"{kind} endpoint is not supported yet")
    settings: dict[str, Any] = {
        "type": kind,
        "instance_type": str(body["instance_type"]),
        "autoscaling": body["autoscaling_enabled"],
        "roles": call.read_texts("assign_to_roles"),
        "service_type": body.get("service_type", "sd"),
        "custom_extensions": body.get("custom_extensions", ""),
        "suffix": str(body.get("endpoint_name") or ""),
        "prefix": _build_prefix(call, kind),
        "most": body.get("max_instance_number", "1")
        if call.version.has_instance_range
        else body["initial_instance_count"],
        "least": body.get("min_instance_number", "0"),
    }
    _check_scaling(call, settings)
    _check_extras(call, settings)
    return settings


async def get_creator(call: SdAwsCall) -> str:
    """Who deploys; before v1.5 whom the body names, who must exist and have the right."""
    if not call.version.has_authorizer:
        return call.user
    # v1.3 says 200 with a message of what it refuses (contract: routes, endpoint refused).
    creator = await get_user(call, str(call.body["creator"]), status=200 if call.version.is_legacy else 400)
    if not may(creator, "sagemaker_endpoint:create"):
        raise SdAwsHttpError(403, f"Creator {creator['username']} has no permission to create Sagemaker")
    return creator["username"]


async def check_roles(call: SdAwsCall, settings: dict[str, Any]) -> None:
    """One live endpoint per role and kind; raises SdAwsHttpError. Whether there is such a role nobody looks."""
    for record in await call.records.list_all("endpoint"):
        taken = [role for role in settings["roles"] if role in record["roles"]]
        # A role may have one of each kind: Async and Real-time, pictures and ComfyUI.
        same_kind = (record["type"], record["service_type"]) == (settings["type"], settings["service_type"])
        if taken and same_kind and (await view_endpoint(call, record)).word in LIVE:
            text = f"role [{taken[0]}] has a valid endpoint already, not allow to have another one"
            raise SdAwsHttpError(400, text)


async def check_name(call: SdAwsCall, name: str) -> None:
    """Names are the platform's, which takes none twice; raises SdAwsHttpError. v1.3 does not wait for its answer."""
    if call.version.is_legacy or all(r["name"] != name for r in await call.records.list_all("endpoint")):
        return
    # The platform's model is created before the endpoint, so it is the model's name that is taken.
    model = name if call.version.has_service_types else name.replace("esd-", "esd-model-", 1)
    raise SdAwsHttpError(
        400,
        "An error occurred (ValidationException) when calling the CreateModel operation: Cannot create already "
        f'existing model "arn:aws:sagemaker:us-east-1:123456789012:model/{model}".',
    )


async def get_named(call: SdAwsCall, name: str) -> EndpointView:
    """The endpoint of that name, in service; raises SdAwsHttpError. Of which kind it is nobody looks."""
    named = [record for record in await call.records.list_all("endpoint") if record["name"] == name]
    if not named:
        raise SdAwsHttpError(400, "list index out of range")
    view = await view_endpoint(call, named[0])
    # Stricter than without a name, where an endpoint that is being updated will do
    # (contract: conventions.states.endpoint).
    if view.word != "InService":
        raise SdAwsHttpError(400, f"sagemaker endpoint is not ready with status: {view.word}")
    return view


async def get_available(call: SdAwsCall, user: dict[str, Any], kind: str) -> EndpointView:
    """An endpoint of one of the user's roles that takes work; raises SdAwsHttpError."""
    serving = ("InService", "Updating") if call.version.serves_while_updating else ("InService",)
    for record in await call.records.list_all("endpoint"):
        # v1.3 has one kind only; the rest never give an unnamed job to ComfyUI.
        is_of_kind = call.version.is_legacy or (record["type"], record["service_type"]) == (kind, "sd")
        if is_of_kind and set(record["roles"]) & set(user["roles"]):
            view = await view_endpoint(call, record)
            if view.word in serving:
                return view
    wanted = "Endpoints" if call.version.is_legacy else f"{kind} endpoints"
    raise SdAwsHttpError(400, f'no available {wanted} for user "{user["username"]}"')


def _build_prefix(call: SdAwsCall, kind: str) -> str:
    of_sd, of_comfy = call.version.endpoint_prefixes
    if call.version.is_legacy:
        return f"{of_sd}-"
    service = of_comfy if call.body.get("service_type") == "comfy" else of_sd
    return f"{service}-{kind.lower()}-"


def _check_scaling(call: SdAwsCall, settings: dict[str, Any]) -> None:
    if call.version.is_legacy:
        try:
            # The gateway of v1.3 wants a text and does not look whether it is a number.
            int(settings["most"])
        except ValueError:
            raise SdAwsHttpError(200, build_no_number(settings["most"])) from None
    if settings["type"] != REAL_TIME or not settings["autoscaling"]:
        return
    if not call.version.has_instance_range:
        raise SdAwsHttpError(400, "Autoscaling is not supported for real-time endpoint")
    if int(settings["least"]) < 1:
        name = settings["suffix"]
        raise SdAwsHttpError(400, f"min_instance_number should be at least 1 for real-time endpoint: {name}")


def _check_extras(call: SdAwsCall, settings: dict[str, Any]) -> None:
    if workflow := call.body.get("workflow_name"):
        raise SdAwsHttpError(404, f"workflow {workflow} not found")
    extension = settings["custom_extensions"]
    if call.version.has_service_types and extension and not EXTENSION.fullmatch(extension):
        text = f"extension format is invalid: {extension}, valid format is like {EXTENSION_FORM}"
        raise SdAwsHttpError(400, text)
