"""Who calls: the owner of jobs, pictures and spending, and what it may do.

Over stdio, and over HTTP where no token is asked for, there is one principal: whoever uses this machine. Over HTTP each
request brings its own. It travels with the request and is carried into the task that answers it, since a session of
the older protocol answers in a task of its own, begun by whichever request came first.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ScopeMissing
from atelier_mcp.server.scopes import ADMIN, SCOPES

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcp.server.context import CallNext, ServerRequestContext

LOCAL_NAME: Final = "local"
SCOPE_KEY: Final = "atelier.principal"
"""Where in an ASGI scope the principal of its request stands."""


@dataclass(frozen=True, slots=True)
class Principal:
    """One caller; ``name`` is what jobs, pictures and spending are written down under."""

    name: str
    scopes: frozenset[str]
    """With those that they include (``scopes.expand_scopes``)."""
    subject: str = ""
    """Who of a tenant acts, where ``name`` stands for several people; for the log."""
    client: str = ""
    """The program that the token was given to; for the log."""
    image_url: str = ""
    """Where its pictures are read by signed links; empty for one on this machine, who gets their paths."""

    @property
    def is_admin(self) -> bool:
        """Whether it sees what others have made."""
        return ADMIN in self.scopes


LOCAL: Final = Principal(LOCAL_NAME, frozenset(SCOPES))
"""Whoever uses this machine."""

_current: ContextVar[Principal | None] = ContextVar("principal", default=None)


def find_principal() -> Principal | None:
    """Whose request is being answered; None outside of any request over HTTP."""
    return _current.get()


@contextmanager
def act_for(principal: Principal) -> Generator[None]:
    """Answer for ``principal`` within the block, and in the tasks that are begun in it."""
    token = _current.set(principal)
    try:
        yield
    finally:
        _current.reset(token)


async def carry_principal(context: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
    """A middleware of the SDK's, over HTTP: each message is answered for the principal of its own request."""
    principal = context.request.scope[SCOPE_KEY] if context.request is not None else None
    if not isinstance(principal, Principal):
        raise TypeError("a request came in without its principal")
    with act_for(principal):
        return await call_next(context)


def require_scope(principal: Principal, scope: str) -> None:
    """Raise ``ScopeMissing`` where the principal lacks the scope."""
    if scope not in principal.scopes:
        raise ScopeMissing(f"This token lacks the scope {scope}.", hint="Whoever runs the server can grant it.")
