"""What a token may be used for, and which of it a tool needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

READ: Final = "atelier:read"
"""Look: jobs, pictures, models, spending."""
CREATE: Final = "atelier:create"
"""Make, change, import and cancel."""
TRAIN: Final = "atelier:train"
"""Train models, keep data sets, and run the machines of Stable Diffusion on AWS."""
ADMIN: Final = "atelier:admin"
"""All of it, and what others have made."""
SCOPES: Final = (READ, CREATE, TRAIN, ADMIN)

_INCLUDED: Final[dict[str, frozenset[str]]] = {
    READ: frozenset({READ}),
    # What was made must be seen: a token that can only create could not fetch its pictures.
    CREATE: frozenset({READ, CREATE}),
    TRAIN: frozenset({READ, TRAIN}),
    ADMIN: frozenset(SCOPES),
}
_READABLE_TOOLSETS: Final = frozenset({"jobs", "library", "models"})
_TRAINING_TOOLSETS: Final = frozenset({"train", "aws"})


def expand_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes with those that they include; what is none of ours is left out."""
    return frozenset(included for scope in scopes for included in _INCLUDED.get(scope, ()))


def choose_scope(toolset: str, *, read_only: bool) -> str:
    """The scope that a tool of ``toolset`` needs; ``read_only`` as its annotation says."""
    if toolset in _TRAINING_TOOLSETS:
        return TRAIN
    # Only of toolsets that cost nothing: what a tool of the others reads, a service may charge for.
    return READ if read_only and toolset in _READABLE_TOOLSETS else CREATE
