"""What is no life cycle: the connection test, name lists, a signed link for one file, model merge, roles and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.checkpoints import list_active
from atelier_mcp.server.emulator.sd_aws.object_store import BUCKET, ObjectStore

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsRouter

NAME_LISTS: Final = {
    "get-texual-inversion-list": "embeddings",
    "get-lora-list": "Lora",
    "get-hypernetwork-list": "hypernetworks",
    "get-controlnet-model-list": "ControlNet",
}
MERGED_NAMES: Final = ("primary_model_name", "secondary_model_name", "tertiary_model_name")


class AdminRoutes:
    """The calls that stand alone."""

    def __init__(self, objects: ObjectStore) -> None:
        """Sign links to ``objects``."""
        self._objects = objects

    def add_routes(self, router: SdAwsRouter) -> None:
        """Add the routes."""
        router.add_legacy_route("GET", "/inference/test-connection", check_connection)
        router.add_legacy_route("GET", "/inference/generate-s3-presigned-url-for-uploading", self.presign)
        router.add_legacy_route("POST", "/inference/run-model-merge", merge_models)
        for path, kind in NAME_LISTS.items():
            router.add_legacy_route("GET", f"/inference/{path}", _build_names_handler(kind))
        router.add_restful_route("GET", "/ping", ping)
        router.add_restful_route("GET", "/", get_root)
        for kind in ("role", "user"):
            _add_people_routes(router, kind)

    async def presign(self, call: SdAwsCall) -> Any:
        """A link that takes one file, as a bare string."""
        query = call.request.query_params
        if not query.get("key"):
            raise SdAwsHttpError(400, "Key parameter is required")
        if query.get("s3_bucket_name", BUCKET) != BUCKET:
            raise SdAwsHttpError(500, "the bucket does not belong to this deployment")
        return self._objects.create_upload_link(f"uploads/{call.account}/{query['key']}", origin=call.origin)


async def check_connection(_: SdAwsCall) -> Any:
    """The key is right, or the gateway would have said so."""
    return {"message": "Success"}


async def ping(_: SdAwsCall) -> Any:
    """This is the later generation."""
    return SdAwsApiResponse(message="pong")


async def get_root(_: SdAwsCall) -> Any:
    """The root of the later generation."""
    return SdAwsApiResponse()


async def merge_models(call: SdAwsCall) -> Any:
    """The three names back (run_model_merge.unusable)."""
    return {name: call.read_text(name) for name in MERGED_NAMES}


def _build_names_handler(kind: str) -> Any:
    async def list_names(call: SdAwsCall) -> Any:
        return await list_active(call, kind)

    return list_names


def _add_people_routes(router: SdAwsRouter, kind: Any) -> None:
    """Roles or users: kept and listed; nobody is refused for want of a right."""
    name = f"{kind}name" if kind == "user" else f"{kind}_name"
    collection = "users" if kind == "user" else "roles"

    async def create(call: SdAwsCall) -> Any:
        call.require(name, *(["permissions"] if kind == "role" else []))
        return await call.records.put(kind, call.read_text(name), {**call.body, "created": call.now})

    async def create_restful(call: SdAwsCall) -> Any:
        return SdAwsApiResponse(await create(call), 201, "Created")

    async def create_legacy(call: SdAwsCall) -> Any:
        await create(call)
        return {"statusCode": 200, kind: {name: call.read_text(name)}}

    async def list_rows(call: SdAwsCall) -> Any:
        return [{k: v for k, v in record.items() if k != "password"} for record in await call.records.list_all(kind)]

    async def list_restful(call: SdAwsCall) -> Any:
        return SdAwsApiResponse({collection: await list_rows(call)})

    async def list_legacy(call: SdAwsCall) -> Any:
        return {"statusCode": 200, collection: await list_rows(call)}

    async def delete_restful(call: SdAwsCall) -> Any:
        call.require(f"{kind}_name_list")
        for entry in call.read_texts(f"{kind}_name_list", least=1, most=100):
            await call.records.delete(kind, entry)
        return SdAwsApiResponse(status=204)

    router.add_restful_route("POST", f"/{collection}", create_restful)
    router.add_restful_route("GET", f"/{collection}", list_restful)
    router.add_restful_route("DELETE", f"/{collection}", delete_restful)
    router.add_legacy_route("POST", f"/{kind}", create_legacy)
    router.add_legacy_route("GET", f"/{collection}", list_legacy)
