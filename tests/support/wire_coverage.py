"""Which calls and parameters of a contract were really sent: the emulator's access log against a page of contracts.

A drive is a test that calls every tool of a service through an MCP client, and ends with::

    check_coverage("miaohua", await read_whole_log(site, path), exceptions=NEVER_SENT)

``exceptions`` names what is never sent, with the reason; a call stands for its parameters. One that was sent after all,
or that the page does not have, is a complaint as much as a parameter that is missing.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.upstreams import find_upstreams
from tests.support.contract_pages import read_calls
from tests.support.emulator_harness import BOUND_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness

FIRST_ERROR_STATUS: Final = 400
LAST_PATH: Final = "/the-log-is-whole"
_PLACEHOLDER: Final = re.compile(r"<\w+>")


@dataclass(frozen=True, slots=True)
class WireCoverage:
    """What a log says of a contract; calls by their ids, parameters as ``call/parameter``."""

    page: str
    calls: frozenset[str]
    sent_calls: frozenset[str]
    parameters: frozenset[str]
    sent_parameters: frozenset[str]
    exceptions: Mapping[str, str]

    @property
    def complaints(self) -> list[str]:
        """A line for each thing that is missing without a reason, and for each reason that no longer holds."""
        all_names, sent_names = self.calls | self.parameters, self.sent_calls | self.sent_parameters
        excused = set(self.exceptions)
        never_sent = [name for name in sorted(all_names - sent_names) if not {name, _get_call(name)} & excused]
        return [
            *(f"{name}: never sent" for name in never_sent if "/" not in name or _get_call(name) in self.sent_calls),
            *(f"{name}: sent, though it is said never to be" for name in sorted(sent_names & excused)),
            *(f"{name}: the contract has no such thing" for name in sorted(excused - all_names)),
        ]

    def format_report(self) -> str:
        """The shares, what is left out and why, and the complaints."""
        shares = (
            f"{self.page}: {len(self.sent_calls)}/{len(self.calls)} calls, "
            f"{len(self.sent_parameters)}/{len(self.parameters)} parameters over the wire"
        )
        reasons = [f"  left out: {name}: {reason}" for name, reason in self.exceptions.items()]
        return "\n".join([shares, *reasons, *(f"  {complaint}" for complaint in self.complaints)])


def measure_coverage(
    page: str,
    entries: Iterable[Mapping[str, Any]],
    *,
    exceptions: Mapping[str, str],
    other_paths: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> WireCoverage:
    """What the entries of an access log have of a page's calls; a request that was refused does not count.

    ``other_paths`` gives method and path where a call is deployed, by its id, if that is not where it is printed.
    """
    contract = find_upstreams()[page].contract
    answered = [entry for entry in entries if entry["upstream"] == contract and entry["status"] < FIRST_ERROR_STATUS]
    calls = read_calls(page)
    places = {call.id: {(call.method, call.path), other_paths.get(call.id, (call.method, call.path))} for call in calls}
    sent = {call_id: _list_sent(where, answered) for call_id, where in places.items()}
    return WireCoverage(
        page,
        calls=frozenset(sent),
        sent_calls=frozenset(name for name, names in sent.items() if names is not None),
        parameters=frozenset(f"{call.id}/{parameter}" for call in calls for parameter in call.parameters),
        sent_parameters=frozenset(
            f"{call.id}/{parameter}"
            for call in calls
            for parameter in call.parameters
            if _is_among(parameter, sent[call.id] or ())
        ),
        exceptions=exceptions,
    )


def check_coverage(
    page: str,
    entries: Iterable[Mapping[str, Any]],
    *,
    exceptions: Mapping[str, str],
    other_paths: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> None:
    """Print the shares, which ``make check`` shows, and fail where there is anything to complain of."""
    coverage = measure_coverage(page, entries, exceptions=exceptions, other_paths=other_paths)
    sys.stdout.write(f"{coverage.format_report()}\n")
    assert not coverage.complaints, coverage.format_report()


async def read_whole_log(site: EmulatorHarness, path: Path) -> list[dict[str, Any]]:
    """The access log with everything that was sent up to now: it is written in order, so that a last call ends it."""
    await site.client.get(LAST_PATH)
    async with asyncio.timeout(BOUND_S):
        while (whole_log := _cut_at_last_call(await asyncio.to_thread(path.read_text, "utf-8"))) is None:
            await asyncio.sleep(0.01)
    return [json.loads(line) for line in whole_log.splitlines()]


def _cut_at_last_call(text: str) -> str | None:
    """The lines before that of the last call; None while that is not there in full, and others may be half written."""
    before, mark, _ = text.partition(f'"upstream": "{LAST_PATH[1:]}"')
    return before.rpartition("\n")[0] if mark else None


def _get_call(name: str) -> str:
    """The call of a parameter, or itself."""
    return name.partition("/")[0]


def _list_sent(places: Iterable[tuple[str, str]], entries: Sequence[Mapping[str, Any]]) -> set[str] | None:
    """The names sent with a call, in whichever place; None for a call that was never made at any of its paths."""
    patterns = [(method, _compile_path(path)) for method, path in places]
    made = [
        entry
        for entry in entries
        if any(entry["method"] == method and pattern.search(entry["path"]) for method, pattern in patterns)
    ]
    if not made:
        return None
    return {
        name
        for entry in made
        for source in (entry["body"], entry["query"], dict.fromkeys(entry.get("form", ())))
        for name in _list_names(source)
    }


def _list_names(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names in a document, a list's own and that of what is in it: ``a``, ``a.b``, ``c``, ``c[].d``."""
    match value:
        case dict():
            for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]  # JSON
                yield f"{prefix}{key}"
                yield from _list_names(item, f"{prefix}{key}.")
        case list() if value:
            yield f"{prefix.rstrip('.')}[]"
            for item in value:  # pyright: ignore[reportUnknownVariableType]  # JSON
                yield from _list_names(item, f"{prefix.rstrip('.')}[].")
        case _:
            return


def _is_among(parameter: str, names: Iterable[str]) -> bool:
    """Whether a parameter was sent; ``<filename>`` in its name stands for any word."""
    if "<" not in parameter:
        return parameter in names or parameter.removesuffix("[]") in names
    pattern = re.compile(_PLACEHOLDER.sub(r".+", re.escape(parameter)))
    return any(pattern.fullmatch(name) for name in names)


@cache
def _compile_path(path: str) -> re.Pattern[str]:
    """A contract's path below whatever prefix the service has; ``{id}`` stands for any word."""
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$")
