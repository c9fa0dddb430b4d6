"""Names that people give models, found among those that a service lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import ListedModel

NEAR_SPELLING: Final = 0.75
"""Of 1 for the same."""
_SEPARATORS: Final = re.compile(r"[\s_.-]+")
_AMERICAN: Final = {"color": "colour", "gray": "grey"}


def find_by_name(models: Sequence[ListedModel], name: str) -> ListedModel | None:
    """The model with that id, or else with that name, whatever its case, separators and spelling of colour."""
    # Ids first: a name may equal the id of another model.
    found = [model for model in models if model.id == name]
    return next(iter(found or [model for model in models if _fold(model.name) == _fold(name)]), None)


def find_near_id(models: Sequence[ListedModel], name: str) -> str:
    """The id of the model whose name or id is spelled nearly like that; "" where none is."""
    import difflib

    ids = {_fold(spelling): model.id for model in models for spelling in (model.id, model.name)}
    near = difflib.get_close_matches(_fold(name), ids, n=1, cutoff=NEAR_SPELLING)
    return ids[near[0]] if near else ""


def _fold(name: str) -> str:
    folded = _SEPARATORS.sub("", name.lower())
    for american, british in _AMERICAN.items():
        folded = folded.replace(american, british)
    return folded
