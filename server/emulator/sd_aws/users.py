"""Roles and users: kept and listed; nobody is refused for want of a right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsCall


def build_rows() -> list[CallRow]:
    """The same calls for both."""
    return [*_build_rows_of("role"), *_build_rows_of("user")]


def _build_rows_of(kind: Literal["role", "user"]) -> list[CallRow]:
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

    return [
        ("2024", "POST", f"/{collection}", create_restful),
        ("2024", "GET", f"/{collection}", list_restful),
        ("2024", "DELETE", f"/{collection}", delete_restful),
        ("2023", "POST", f"/{kind}", create_legacy),
        ("2023", "GET", f"/{collection}", list_legacy),
    ]
