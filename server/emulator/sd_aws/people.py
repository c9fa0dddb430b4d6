"""Users and roles: who there is, what they may do, and which roles' things they see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.versions import ALL_RIGHTS, OPERATOR_ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall


async def list_roles(call: SdAwsCall) -> list[dict[str, Any]]:
    """All roles, built in or made, in the order of the version's tables."""
    version = call.version
    rows = {
        name: {"role_name": name, "creator": version.built_in_creator, "permissions": list(ALL_RIGHTS)}
        for name in version.built_in_roles
    }
    for record in await call.records.list_all("role"):
        names = ("role_name", "creator", "permissions")
        rows[record["id"]] = {name: record[name] for name in names}
    return [rows[name] for name in sorted(rows, reverse=not version.has_authorizer)]


async def list_users(call: SdAwsCall) -> list[dict[str, Any]]:
    """All users with their rights and, in clear, their passwords."""
    version = call.version
    rows = {
        name: {"username": name, "roles": [OPERATOR_ROLE], "creator": version.built_in_creator, "password": name}
        for name in version.built_in_users
    }
    for record in await call.records.list_all("user"):
        rows[record["id"]] = {name: record[name] for name in ("username", "roles", "creator", "password")}
    rights_of = {role["role_name"]: role["permissions"] for role in await list_roles(call)}
    for row in rows.values():
        row["permissions"] = sorted({right for role in row["roles"] for right in rights_of.get(role, ())})
    return [rows[name] for name in sorted(rows, reverse=not version.has_authorizer)]


async def find_user(call: SdAwsCall, name: str) -> dict[str, Any] | None:
    """The user of that name."""
    return next((row for row in await list_users(call) if row["username"] == name), None)


async def find_rights(call: SdAwsCall, name: str) -> list[str] | None:
    """What a user may do; None for one there is not."""
    row = await find_user(call, name)
    return None if row is None else row["permissions"]


async def get_user(call: SdAwsCall, name: str, *, status: int = 400, key: str = "error") -> dict[str, Any]:
    """The user of that name; raises SdAwsHttpError."""
    row = await find_user(call, name)
    if row is None:
        raise SdAwsHttpError(status, build_unknown(name), key=key)
    return row


async def get_user_or_crash(call: SdAwsCall, name: str) -> dict[str, Any]:
    """The user of that name; raises CodeFault, as where nobody has thought of one there is not."""
    row = await find_user(call, name)
    if row is None:
        raise CodeFault(build_unknown(name))
    return row


def build_unknown(name: str) -> str:
    """What is said of a user there is not."""
    return f'user: "{name}" not exist'


def list_accepted_rights(right: str) -> list[str]:
    """The rights that allow a thing: all of its kind, or that alone."""
    kind, _, _ = right.partition(":")
    return [f"{kind}:all"] if right == f"{kind}:all" else [f"{kind}:all", right]


def may(row: dict[str, Any], right: str) -> bool:
    """Whether a user has a right."""
    return bool(set(list_accepted_rights(right)) & set(row["permissions"]))


def sees(row: dict[str, Any], kind: str, owners: Sequence[str]) -> bool:
    """Whether a user sees a thing that belongs to roles or users: with all rights of its kind, or as one of them."""
    if f"{kind}:all" in row["permissions"]:
        return True
    return f"{kind}:list" in row["permissions"] and bool({*row["roles"], row["username"]} & set(owners))
