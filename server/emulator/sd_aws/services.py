"""What is no life cycle: the connection test, name lists, a signed link for one file, model merge, roles and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, Reply
from atelier_mcp.server.emulator.sd_aws.checkpoints import active
from atelier_mcp.server.emulator.sd_aws.objects import BUCKET, Objects

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door

NAME_LISTS: Final = {
    "get-texual-inversion-list": "embeddings",
    "get-lora-list": "Lora",
    "get-hypernetwork-list": "hypernetworks",
    "get-controlnet-model-list": "ControlNet",
}
MERGED: Final = ("primary_model_name", "secondary_model_name", "tertiary_model_name")


class Services:
    """The calls that stand alone."""

    def __init__(self, objects: Objects) -> None:
        """Sign links to ``objects``."""
        self._objects = objects

    def offer(self, door: Door) -> None:
        """Hang up the calls."""
        door.legacy("GET", "/inference/test-connection", connection)
        door.legacy("GET", "/inference/generate-s3-presigned-url-for-uploading", self.presign)
        door.legacy("POST", "/inference/run-model-merge", merge)
        for path, kind in NAME_LISTS.items():
            door.legacy("GET", f"/inference/{path}", _names_of(kind))
        door.restful("GET", "/ping", ping)
        door.restful("GET", "/", root)
        for kind in ("role", "user"):
            _offer_people(door, kind)

    async def presign(self, call: Call) -> Any:
        """A link that takes one file, as a bare string."""
        query = call.request.query_params
        if not query.get("key"):
            raise Refused(400, "Key parameter is required")
        if query.get("s3_bucket_name", BUCKET) != BUCKET:
            raise Refused(500, "the bucket does not belong to this deployment")
        return self._objects.upload_link(f"uploads/{call.account}/{query['key']}", origin=call.origin)


async def connection(_: Call) -> Any:
    """The key is right, or the gateway would have said so."""
    return {"message": "Success"}


async def ping(_: Call) -> Any:
    """This is the later generation."""
    return Reply(message="pong")


async def root(_: Call) -> Any:
    """The root of the later generation."""
    return Reply()


async def merge(call: Call) -> Any:
    """The three names back (run_model_merge.unusable)."""
    return {name: call.text(name) for name in MERGED}


def _names_of(kind: str) -> Any:
    async def names(call: Call) -> Any:
        return await active(call, kind)

    return names


def _offer_people(door: Door, kind: Any) -> None:
    """Roles or users: kept and listed; nobody is refused for want of a right."""
    name = f"{kind}name" if kind == "user" else f"{kind}_name"
    listed = "users" if kind == "user" else "roles"

    async def create(call: Call) -> Any:
        call.need(name, *(["permissions"] if kind == "role" else []))
        return await call.records.put(kind, call.text(name), {**call.body, "created": call.now})

    async def create_later(call: Call) -> Any:
        return Reply(await create(call), 201, "Created")

    async def create_legacy(call: Call) -> Any:
        await create(call)
        return {"statusCode": 200, kind: {name: call.text(name)}}

    async def rows(call: Call) -> Any:
        return [{k: v for k, v in record.items() if k != "password"} for record in await call.records.all(kind)]

    async def list_later(call: Call) -> Any:
        return Reply({listed: await rows(call)})

    async def list_legacy(call: Call) -> Any:
        return {"statusCode": 200, listed: await rows(call)}

    async def delete_later(call: Call) -> Any:
        call.need(f"{kind}_name_list")
        for entry in call.texts(f"{kind}_name_list", least=1, most=100):
            await call.records.drop(kind, entry)
        return Reply(status=204)

    door.restful("POST", f"/{listed}", create_later)
    door.restful("GET", f"/{listed}", list_later)
    door.restful("DELETE", f"/{listed}", delete_later)
    door.legacy("POST", f"/{kind}", create_legacy)
    door.legacy("GET", f"/{listed}", list_legacy)
