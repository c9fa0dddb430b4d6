"""Jobs as lines for people: one each where they are piped; in a terminal, files on lines of their own below."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROMPT_CHARS: Final = 48
MIN_PROMPT_COLUMNS: Final = 16
"""With less room beside the other columns, a prompt stands below them."""
_GAP: Final = "  "
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_STYLES: Final = {"succeeded": "green", "failed": "red", "unconfirmed": "yellow", "cancelled": "dim"}
_WORDS: Final = ("prompt", "subject", "name")
"""Arguments that tell a person which job it was, the most telling first."""


class JobRow(NamedTuple):
    """What a person is told of one job."""

    job: str
    when: str
    state: str
    tool: str
    prompt: str
    files: tuple[str, ...]


def read_rows(jobs: Sequence[dict[str, Any]]) -> list[JobRow]:
    """The jobs of an answer of ``list_jobs``, in its order."""
    return [_read_row(job, datetime.now(UTC)) for job in jobs]


def format_row(row: JobRow) -> str:
    """One job on one line."""
    return _GAP.join((*row[:5], *row.files))


def format_piped(rows: Sequence[JobRow]) -> list[str]:
    """A head and a line for each job, whatever its length: programs that read lines find one job on each."""
    widths = _measure(rows, 5)
    head = _align(JobRow._fields[:5], widths)
    return [f"{head}{_GAP}files", *(f"{_align(row[:5], widths)}{_GAP}{' '.join(row.files)}".rstrip() for row in rows)]


def format_for_terminal(rows: Sequence[JobRow], width: int) -> list[Text]:
    """The same for a terminal of so many columns: paths stand alone, to be copied, and prompts where there is room."""
    widths = _measure(rows, 4)
    room = width - sum(widths) - len(_GAP) * 4
    has_room = room >= MIN_PROMPT_COLUMNS
    head = _align(JobRow._fields[: 5 if has_room else 4], widths)
    lines = [Text(head, style="bold")]
    for row in rows:
        line = Text(_align(row[:4], widths))
        state_start = sum(widths[:2]) + len(_GAP) * 2
        line.stylize(_STYLES.get(row.state, ""), state_start, state_start + len(row.state))
        prompt = Text(row.prompt)
        if has_room:
            prompt.truncate(room, overflow="ellipsis")
            line = Text.assemble(line, _GAP, prompt)
        below = row.files if has_room or not row.prompt else (row.prompt, *row.files)
        lines += [line, *(Text(f"{_GAP}{text}", overflow="fold") for text in below)]
    return lines


def _measure(rows: Sequence[JobRow], count: int) -> list[int]:
    return [
        max(map(cell_len, column))
        for column in zip(JobRow._fields[:count], *(row[:count] for row in rows), strict=True)
    ]


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells in columns; those behind the last width as they are."""
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=False)]
    return _GAP.join([*padded, *cells[len(widths) :]])


def _read_row(job: dict[str, Any], now: datetime) -> JobRow:
    request: dict[str, Any] = job.get("request") or {}
    prompt = " ".join(next((str(request[name]) for name in _WORDS if request.get(name)), "").split())
    if len(prompt) > MAX_PROMPT_CHARS:
        prompt = f"{prompt[: MAX_PROMPT_CHARS - 3]}..."
    files = tuple(str(image["path"]) for image in job.get("images", []))
    return JobRow(job["job_id"], format_age(job.get("created_at", ""), now), job["state"], job["tool"], prompt, files)


def format_age(moment: str, now: datetime) -> str:
    """How long ago a moment was that ``list_jobs`` tells: ``3 min ago``; older than a month, its day."""
    try:
        then = datetime.fromisoformat(moment.removesuffix(" UTC")).replace(tzinfo=UTC)
    except ValueError:
        return moment
    seconds = max(0, int((now - then).total_seconds()))
    if seconds >= 31 * 86_400:
        return f"{then:%Y-%m-%d}"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit} ago"
