"""Model lists, kept for a few minutes: many who ask at once cause one reading."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from atelier_mcp.server.errors import AtelierError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from atelier_mcp.server.clock import Clock

CACHE_TTL_S: Final = 300.0
MIN_REFRESH_INTERVAL_S: Final = 15.0
"""A list this young is not read again for a name that is not in it, nor because it could not be read."""
ListT = TypeVar("ListT")


@dataclass(frozen=True, slots=True)
class _CacheEntry(Generic[ListT]):
    outcome: ListT | AtelierError
    read_at_s: float

    def is_fresh(self, now_s: float, *, refresh: bool) -> bool:
        is_short_lived = refresh or isinstance(self.outcome, AtelierError)
        return now_s - self.read_at_s < (MIN_REFRESH_INTERVAL_S if is_short_lived else CACHE_TTL_S)


class ModelCache(Generic[ListT]):
    """Lists by key, each read when it is first asked for and again when it has become old."""

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._entries: dict[Hashable, _CacheEntry[ListT]] = {}
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: Hashable, read: Callable[[], Awaitable[ListT]], *, refresh: bool = False) -> ListT:
        """The list, at most five minutes old; with ``refresh`` at most fifteen seconds.

        A reading that failed with an ``AtelierError`` is not repeated for fifteen seconds either: until then everybody
        gets its error. Raises what ``read`` raises.
        """
        async with self._locks[key]:  # by key: a slow list holds up no other
            now_s = self._clock.monotonic()
            entry = self._entries.get(key)
            if entry is None or not entry.is_fresh(now_s, refresh=refresh):
                entry = self._entries[key] = await _read_entry(read, now_s)
        if isinstance(entry.outcome, AtelierError):
            raise entry.outcome.with_traceback(None)  # raised many times: it must not grow
        return entry.outcome

    def forget(self, key: Hashable) -> None:
        """Read one list anew."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Read every list anew."""
        self._entries.clear()


async def _read_entry(read: Callable[[], Awaitable[ListT]], now_s: float) -> _CacheEntry[ListT]:
    try:
        return _CacheEntry(await read(), now_s)
    except AtelierError as err:  # anything else, a refusal or a cancelled call, is not for others to hear of
        return _CacheEntry(err, now_s)
