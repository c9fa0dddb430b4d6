"""The check of a body's keys by the code, in the words of the language it is written in.

(contract: conventions.required_flags)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.body_models import find_violations
from atelier_mcp.server.emulator.sd_aws.errors import CRASHED, INVALID_BODY, CodeFault, GatewayError, SdAwsHttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_aws.forms import BodyForm
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion

READ_WITHIN_A_TRY = frozenset({"create_checkpoint"})
"""The calls whose keys v1.4 looks at where it can still answer."""


def check_model(version: DeployedVersion, form: BodyForm, body: Any) -> None:
    """Refuse a body the gateway's model does not fit; raises GatewayError."""
    if form.model is None:
        return
    violations = list(find_violations(form.model, body))
    if violations:
        raise GatewayError(400, INVALID_BODY if version.is_legacy else f"[{', '.join(violations)}]")


def check_keys(version: DeployedVersion, form_name: str, form: BodyForm, body: Mapping[str, Any]) -> None:
    """Refuse a body with keys too many or too few for the code; raises as the version does."""
    if not form.required and not form.optional:
        return
    prefix = f"{form.event}." if version.names_events and form.event else ""
    text = describe_keys(form, body)
    if not text:
        return
    if version.is_legacy:
        raise CodeFault(f"__init__() {text}", "TypeError")
    if version.crashes_to_502 and form_name not in READ_WITHIN_A_TRY:
        raise GatewayError(502, CRASHED)
    raise SdAwsHttpError(400, f"{prefix}__init__() {text}")


def describe_keys(form: BodyForm, body: Mapping[str, Any]) -> str:
    """What is wrong with the keys of a body; empty for nothing."""
    # Unknown keys before missing ones, and only the first: so Python's own TypeError has it.
    if unknown := [name for name in body if name not in (*form.required, *form.optional)]:
        return f"got an unexpected keyword argument '{unknown[0]}'"
    missing = [f"'{name}'" for name in form.required if name not in body]
    if not missing:
        return ""
    plural = "s" if len(missing) > 1 else ""
    # Python puts a comma before "and" from three names on.
    names = ", ".join(missing[:-1]) + ("," if len(missing) > 2 else "") + " and " if len(missing) > 1 else ""
    return f"missing {len(missing)} required positional argument{plural}: {names}{missing[-1]}"
