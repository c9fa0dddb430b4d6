"""What a client carries from one request to the next, when the server asks it something in between.

A question of the newest protocol ends the request; the answer comes with another one, which may reach another server,
and brings along what the first one needs to go on. That is sealed, so that a client can neither read nor change it, and
it opens only for the principal that it was made for.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mcp.server.request_state import RequestStateSecurity

from atelier_mcp.server.principals import SCOPE_KEY, Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.context import ServerRequestContext

KEY_BYTES: Final = 32
_PURPOSE: Final = b"atelier request state"
"""Of their own for this: the same secrets sign links."""


def create_state_security(shared_secrets: Sequence[str]) -> RequestStateSecurity:
    """How request state is sealed: every server with one of these secrets opens it, and the first one seals.

    Without any, a key of this process alone does.
    """
    keys = [_derive_key(secret) for secret in shared_secrets] or [secrets.token_bytes(KEY_BYTES)]
    return RequestStateSecurity(keys=keys, bind_principal=_find_principal_name)


def _derive_key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.encode())


def _find_principal_name(context: ServerRequestContext[Any, Any]) -> str | None:
    # The SDK's own would look for its tokens, which are not used here.
    principal = context.request.scope.get(SCOPE_KEY) if context.request is not None else None
    return principal.name if isinstance(principal, Principal) else None
