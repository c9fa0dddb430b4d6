"""What is new, for as long as a page is open: the library and the ledger, whoever wrote there."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.web.gallery.library_index import LibraryIndex

LOOK_INTERVAL_S: Final = 1.0

Event = dict[str, str]


async def follow_changes(
    index: LibraryIndex,
    load_work: Callable[[], Awaitable[dict[str, Any]]],
    *,
    is_let_in: Callable[[], Awaitable[bool]],
    clock: Clock,
) -> AsyncGenerator[Event, None]:
    """Server-sent events: ``pictures`` and ``gone`` with rows and handles, ``work`` with jobs and spending.

    ``load_work`` gives jobs and spending as they stand. They end when ``is_let_in`` says that whoever reads them has
    lost the right to.
    """
    entries, version = index.snapshot()
    known = {entry.handle for entry in entries}
    last_work = ""
    while await is_let_in():
        await asyncio.to_thread(index.refresh)
        entries, current_version = index.snapshot()
        # By number: several pages look at one index, and any of them may have refreshed it.
        if current_version != version:
            version = current_version
            fresh = [entry.to_row() for entry in entries if entry.handle not in known and entry.is_on_wall]
            handles = {entry.handle for entry in entries}
            if fresh:
                yield {"event": "pictures", "data": json.dumps(fresh)}
            if gone := sorted(known - handles):
                yield {"event": "gone", "data": json.dumps(gone)}
            known = handles
        work = json.dumps(await load_work(), ensure_ascii=False)
        if work != last_work:
            last_work = work
            yield {"event": "work", "data": work}
        await clock.sleep(LOOK_INTERVAL_S)
