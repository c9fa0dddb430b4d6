"""What is kept for how long: old pictures, finished jobs and the built-in emulator's files are found and deleted.

Nothing of a job that is unfinished goes, nor, by age, a picture that a younger job made or was given. A picture's JSON
goes before the picture: without it the picture counts as not stored, so a process killed in between leaves no half one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

EVERYTHING: Final = frozenset({"pictures", "jobs", "emulator"})
MIN_AGE_S: Final = 3600.0
"""Younger pictures stay in any case: the call that made one may not have answered yet."""
_HANDLE: Final = re.compile(r"img_[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """What is to go: whatever is older than ``max_age``, and the oldest pictures until ``max_bytes`` hold the rest."""

    max_age: timedelta | None = None
    max_bytes: int | None = None
    parts: Collection[str] = EVERYTHING


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """A stored picture as it lies in the folder."""

    files: tuple[Path, ...]
    """In the order in which they are deleted."""
    handle: str
    size_bytes: int
    created_s: float


@dataclass(slots=True)
class PrunePlan:
    """What would be deleted."""

    images: list[ImageFiles] = field(default_factory=list[ImageFiles])
    jobs: int = 0
    jobs_before: datetime | None = None
    emulator_files: int = 0
    emulator_bytes: int = 0
    emulator_before: float | None = None

    @property
    def image_bytes(self) -> int:
        """The room that the pictures take."""
        return sum(image.size_bytes for image in self.images)

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to delete."""
        return not (self.images or self.jobs or self.emulator_files)


def plan_prune(home: Path, database_url: str, rules: RetentionRules, *, now: datetime | None = None) -> PrunePlan:
    """What these rules would delete. Blocks; deletes nothing."""
    now, plan = now or datetime.now(UTC), PrunePlan()
    before = None if rules.max_age is None else now - rules.max_age
    if "pictures" in rules.parts:
        plan.images = _select_images(home, database_url, rules, before=before, now=now)
    if before is not None and "jobs" in rules.parts:
        plan.jobs, plan.jobs_before = _count_jobs(database_url, before), before
    if before is not None and "emulator" in rules.parts:
        plan.emulator_before = before.timestamp()
        old = _find_emulator_files(home / "emulator", plan.emulator_before)
        plan.emulator_files, plan.emulator_bytes = len(old), sum(map(_get_size, old))
    return plan


def carry_out(plan: PrunePlan, home: Path, database_url: str) -> None:
    """Delete what is planned; what is gone already, or held by another process, is passed over. Blocks."""
    for image in plan.images:
        with suppress(OSError):
            for path in image.files:
                path.unlink(missing_ok=True)
            image.files[0].parent.rmdir()  # refused unless it is empty
    if plan.jobs and plan.jobs_before is not None:
        _delete_jobs(database_url, plan.jobs_before)
    if plan.emulator_files and plan.emulator_before is not None:
        from atelier_mcp.server.emulator.task_store import TaskStore

        store = TaskStore()
        store.open(home / "emulator")
        store.delete_before(plan.emulator_before)


def prune(home: Path, database_url: str, rules: RetentionRules) -> PrunePlan:
    """Delete what the rules say; returns what that was. Blocks."""
    plan = plan_prune(home, database_url, rules)
    carry_out(plan, home, database_url)
    return plan


def _select_images(
    home: Path, database_url: str, rules: RetentionRules, *, before: datetime | None, now: datetime
) -> list[ImageFiles]:
    from atelier_mcp.server.images.library_keys import list_library_keys
    from atelier_mcp.server.images.store import ImageStore

    libraries = (ImageStore(home, library=key) for key in list_library_keys(home))
    found = (image for library in libraries for image in _iterate_images(library.folder))
    images = sorted(found, key=lambda image: image.created_s)
    # Those of every unfinished job, whatever the rule; by age, those of younger jobs, too.
    needed = _find_handles(database_url, since=now)
    recent = needed | _find_handles(database_url, since=before) if before else needed
    free = [p for p in images if p.handle not in needed and now.timestamp() - p.created_s > MIN_AGE_S]
    chosen = [p for p in free if before and p.created_s < before.timestamp() and p.handle not in recent]
    if rules.max_bytes is None:
        return chosen
    gone = {image.files for image in chosen}
    left_bytes = sum(p.size_bytes for p in images if p.files not in gone)
    for image in free:
        if left_bytes <= rules.max_bytes:
            break
        if image.files not in gone:
            chosen.append(image)
            left_bytes -= image.size_bytes
    return chosen


def _iterate_images(folder: Path) -> Iterator[ImageFiles]:
    """Every picture with its files: the JSON first. A picture whose JSON is missing is found, too."""
    for day in folder.glob("????-??-??"):
        names: dict[str, list[Path]] = {}
        for path in day.glob("img_*"):
            names.setdefault(path.stem, []).append(path)
        for handle, paths in names.items():
            ordered = sorted(paths, key=lambda path: path.suffix != ".json")
            with suppress(OSError):
                yield ImageFiles(tuple(ordered), handle, sum(map(_get_size, ordered)), ordered[0].stat().st_mtime)


def _is_ledger_there(database_url: str) -> bool:
    from atelier_mcp.server.jobs.ledger_check import check_ledger

    path = check_ledger(database_url)
    return path is None or path.exists()


def _find_handles(database_url: str, *, since: datetime) -> set[str]:
    """The pictures of jobs that are unfinished or have moved since then."""
    from atelier_mcp.server.jobs.database import open_database

    if not _is_ledger_there(database_url):
        return set()
    database = open_database(database_url)
    try:
        documents = database.read(lambda records: records.list_documents(since=since))
    finally:
        database.close()
    return {handle for document in documents for handle in _HANDLE.findall(document)}


def _count_jobs(database_url: str, before: datetime) -> int:
    from atelier_mcp.server.jobs.database import open_database

    if not _is_ledger_there(database_url):
        return 0
    database = open_database(database_url)
    try:
        return database.read(lambda records: records.count_finished(before=before))
    finally:
        database.close()


def _delete_jobs(database_url: str, before: datetime) -> None:
    from atelier_mcp.server.jobs.database import open_database

    database = open_database(database_url)
    try:
        database.commit([lambda records: records.delete_finished(before=before)])
    finally:
        database.close()


def _find_emulator_files(folder: Path, before: float) -> list[Path]:
    """The files that the emulator would delete by itself, had it been set to."""
    if not folder.is_dir():
        return []
    from atelier_mcp.server.emulator.task_store import TaskStore

    store = TaskStore()
    store.open(folder)
    return [file for path in store.find_before(before) for file in (path.rglob("*") if path.is_dir() else [path])]


def _get_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def parse_age(text: str) -> timedelta:
    """``30d``, ``12h``, ``2w``, ``45min``. Raises ``ValueError``."""
    match = re.fullmatch(r"(\d{1,6})\s*(min|h|d|w)", text.strip().lower())
    if match is None:
        raise ValueError(f"{text} is no age: write 30d, 12h or 2w")
    unit = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def parse_size(text: str) -> int:
    """``5GB``, ``500 MB``, ``1.5G``: in steps of a thousand. Raises ``ValueError``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([kmgt]?)i?b?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text} is no size: write 500MB or 5GB")
    return int(float(match[1]) * 1000 ** ("", "k", "m", "g", "t").index(match[2]))
