"""How a call is carried out, beside what it asks for: the arguments that many tools share."""

from __future__ import annotations

import functools
from typing import Any, Literal, Optional

from pydantic import Field, create_model

from atelier_mcp.server.requests.base import RequestModel


class CallOptions(RequestModel):
    """How long a call waits, and which service it goes to. Each tool publishes those that mean something to it."""

    wait_s: float | None = Field(None, ge=0, le=50, description="Seconds (45)")
    provider: str | None = Field(None, description="Service")


@functools.cache
def limit_providers(providers: tuple[str, ...]) -> type[CallOptions]:
    """The options with ``provider`` narrowed to these names."""
    choice: Any = Optional[Literal[providers]]  # noqa: UP045  # X | None wants a type, and this is built at run time
    description = CallOptions.model_fields["provider"].description
    return create_model("CallOptions", __base__=CallOptions, provider=(choice, Field(None, description=description)))
