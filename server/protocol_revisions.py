"""What each revision of the protocol knows, so that a session of an older one gets nothing that came later.

Clients of an old revision read answers by its schema; some refuse a whole list for one field they do not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.context import CallNext, ServerRequestContext

    Result = dict[str, Any]

ANNOTATIONS_SINCE: Final = "2025-03-26"
"""Hints of tools; and words beside a progress."""
STRUCTURE_SINCE: Final = "2025-06-18"
ICONS_SINCE: Final = "2025-11-25"
_LISTS: Final = frozenset({"tools", "resources", "resourceTemplates", "prompts"})
_CONTENT_TYPES: Final = frozenset({"text", "image", "resource"})
"""Those of the first revision; ``audio`` and ``resource_link`` came later."""


async def fit_to_revision(context: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
    """A middleware of the SDK's: the answer without what the session's revision does not know."""
    result = await call_next(context)
    if not isinstance(result, dict):
        return result
    is_handshake = context.method == "initialize"
    return _fit(result, result.get("protocolVersion", "") if is_handshake else context.protocol_version)


def _fit(result: Result, revision: str) -> Result:
    unknown = _list_unknown_fields(revision)
    fitted = _drop(result, unknown)
    for name in _LISTS.intersection(fitted):
        unknown_of_entry = unknown | _META if revision < STRUCTURE_SINCE else unknown
        if name == "tools" and revision < ANNOTATIONS_SINCE:
            unknown_of_entry |= _UNKNOWN_OF_TOOLS
        fitted[name] = [_drop(entry, unknown_of_entry) for entry in fitted[name]]
    if "serverInfo" in fitted:
        unknown_of_server = unknown | {"description"} if revision < ICONS_SINCE else unknown
        fitted["serverInfo"] = _drop(fitted["serverInfo"], unknown_of_server)
    if "content" in fitted and revision < STRUCTURE_SINCE:
        fitted["content"] = [block for block in fitted["content"] if block.get("type") in _CONTENT_TYPES]
    return fitted


_UNKNOWN_OF_TOOLS: Final = frozenset({"annotations"})
_META: Final = frozenset({"_meta"})
"""Answers had it from the first; what they list, only later."""


def _list_unknown_fields(revision: str) -> frozenset[str]:
    """Fields of answers, and of what they list, that came after a revision."""
    unknown: set[str] = set()
    if revision < ICONS_SINCE:
        unknown |= {"icons", "websiteUrl", "execution"}
    if revision < STRUCTURE_SINCE:
        unknown |= {"title", "outputSchema", "structuredContent"}
    return frozenset(unknown)


def _drop(entry: Mapping[str, Any], unknown: frozenset[str]) -> Result:
    return {name: value for name, value in entry.items() if name not in unknown}
