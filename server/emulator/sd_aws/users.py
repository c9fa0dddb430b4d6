"""Roles and users: made, listed, deleted; what they may is in ``people``.

(contract: paging.users, answered.passwords)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.people import find_user, get_user_or_crash, list_roles, list_users, may

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

NO_ROLES: Final = (
    "Parameter validation failed:\nInvalid type for parameter ExpressionAttributeValues.:sort_key, value: None, "
    "type: <class 'NoneType'>, valid types: <class 'dict'>"
)
NOT_APPLICABLE: Final = "not_applicable"


def build_rows() -> list[CallRow]:
    """The calls about both."""
    return [
        CallRow(method="POST", path="/roles", handler=create_role, form="create_role", right="role:create"),
        CallRow(
            method="GET", path="/roles", handler=show_roles, versions=("1.3", "1.4", "1.5", "1.7"), is_gated=True,
            right="role:list",
        ),
        CallRow(method="DELETE", path="/roles", handler=delete_roles, form="delete_roles"),
        CallRow(
            method="POST", path="/users", handler=create_user, form="create_user", is_gated=True, right="user:create"
        ),
        CallRow(
            method="GET", path="/users", handler=show_users, versions=("1.3", "1.4", "1.5", "1.7"), is_gated=True,
            right="user:list",
        ),
        CallRow(
            method="DELETE", path="/users", handler=delete_users, form="delete_users", is_gated=True,
            right="user:delete",
        ),
        CallRow(method="POST", path="/role", handler=create_role, versions=("1.3",), form="create_role"),
        CallRow(
            method="POST", path="/user", handler=create_user, versions=("1.3",), form="create_user", is_gated=True
        ),
        CallRow(method="DELETE", path="/user/{id}", handler=delete_user, versions=("1.3",), is_gated=True),
    ]  # fmt: skip


async def create_role(call: SdAwsCall) -> Any:
    """Make a role, or make it anew; the form of a permission is not looked at."""
    creator = await _find_creator(call, f"creator {call.body.get('creator')} not exist")
    role = {"role_name": str(call.body["role_name"]), "permissions": call.body["permissions"], "creator": creator}
    await call.records.put("role", role["role_name"], {**role, "created": call.now})
    return {"statusCode": 200, "role": role} if call.version.is_legacy else SdAwsApiResponse(None, 201, "role created")


async def create_user(call: SdAwsCall) -> Any:
    """Make a user, or make them anew."""
    roles = call.body.get("roles")
    # The code looks the roles up without asking whether there are any.
    if roles is None:
        raise CodeFault(NO_ROLES, "ParamValidationError")
    known = {role["role_name"] for role in await list_roles(call)}
    for role in map(str, roles):
        if role not in known:
            raise SdAwsHttpError(400, f'user roles "{role}" not exist', key="errMsg")
    creator = await _find_creator(call, f"creator {call.body.get('creator')} not exist")
    user: dict[str, Any] = {"username": str(call.body["username"]), "roles": list(map(str, roles)), "creator": creator}
    record = {**user, "password": call.body["password"], "created": call.now}
    await call.records.put("user", user["username"], record)
    return {"statusCode": 200, "user": user} if call.version.is_legacy else SdAwsApiResponse(None, 201, "Created")


async def show_roles(call: SdAwsCall) -> Any:
    """All roles, or the one that is asked for; never in pages."""
    caller = await get_user_or_crash(call, call.user)
    wanted = call.query.get("role")
    rows = [row for row in await list_roles(call) if may(caller, "role:list") and wanted in (None, row["role_name"])]
    older = {} if call.version.fills_unset else {"previous_evaluated_key": NOT_APPLICABLE}
    data = {"roles": rows, **older, "last_evaluated_key": None}
    return {"statusCode": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data)


async def show_users(call: SdAwsCall) -> Any:
    """All users, or the one that is asked for; who may not list sees themselves alone."""
    caller, wanted = await get_user_or_crash(call, call.user), call.query.get("username")
    rows = [
        row
        for row in await list_users(call)
        if wanted in (None, row["username"]) and (may(caller, "user:list") or row["username"] == call.user)
    ]
    if call.query.get("show_password") != "1":
        rows = [{**row, "password": call.version.hidden_password} for row in rows]
    if call.version.fills_unset:
        return SdAwsApiResponse({"users": rows, "last_evaluated_key": None})
    data = {"users": rows, "previous_evaluated_key": NOT_APPLICABLE, "last_evaluated_key": NOT_APPLICABLE}
    return {"status": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data)


async def delete_roles(call: SdAwsCall) -> Any:
    """Delete by names; unknown ones are no error, those the service came with are one."""
    names = call.read_texts("role_name_list")
    if any(name in call.version.built_in_roles for name in names):
        raise SdAwsHttpError(400, "cannot delete default role")
    for name in names:
        await call.records.delete("role", name)
    return SdAwsApiResponse(status=204)


async def delete_users(call: SdAwsCall) -> Any:
    """Delete by names; unknown ones are no error."""
    for name in call.read_texts("user_name_list"):
        await call.records.delete("user", name)
    return SdAwsApiResponse(status=204)


async def delete_user(call: SdAwsCall) -> Any:
    """Delete one, whether there is one or not."""
    await call.records.delete("user", call.path_id)
    return {"statusCode": 200, "user": {"username": call.path_id, "status": "deleted"}}


async def _find_creator(call: SdAwsCall, unknown: str) -> str:
    """Who makes it: since v1.5 the caller, before it whom the body names (contract: auth.acting_user)."""
    if not call.version.has_authorizer:
        return call.user
    creator = str(call.body.get("creator") or call.user)
    if await find_user(call, creator) is None:
        raise SdAwsHttpError(400, unknown, key="errMsg")
    return creator
