"""The verdict, from outside: the upstream's log, the ledger's rows, the audit log and the stored files.

For each picture that was asked for, under a prompt of its own:

lost      accepted by the upstream, or promised to a caller, and not finished; ``unconfirmed`` is no loss where the
          upstream's answer was never written down, and only there
doubled   accepted by the upstream more than once, or written down more than once
wrong     counted as spent although it was not, or not, or twice; its line in the audit log says another number
half      a file or record that can be seen and is not whole
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PIL import Image

from atelier_mcp.server.images.handles import compute_handle, is_handle
from tests.support.ledger_places import execute_behind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

UNFINISHED: Final = frozenset({"submitting", "queued", "running", "saving"})
CONFIRMED: Final = frozenset({"queued", "running", "saving", "succeeded"})
"""The upstream's answer is written down."""


class JobRow(NamedTuple):
    """A job as the ledger has it."""

    id: str
    state: str
    prompt: str
    image_count: int
    """Pictures it was written down with."""
    spent_count: int
    """Pictures it counts as now."""
    handles: tuple[str, ...]
    process: str


@dataclass
class Books:
    """Everything that was found."""

    submits: Counter[str]
    jobs: Sequence[JobRow]
    audit_lines: Sequence[Mapping[str, Any]]
    files: Mapping[str, bytes]
    """Stored files by name, without what no reader looks at."""
    promised_ids: Collection[str]
    """Jobs that were seen confirmed, by a caller or in the ledger."""
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    half: list[str] = field(default_factory=list[str])

    def check(self) -> None:
        """Find what is wrong."""
        self._check_jobs()
        self._check_spending()
        self._check_files()

    @property
    def states(self) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(job.state for job in self.jobs)

    @property
    def failures(self) -> list[str]:
        """Everything that is wrong, in words."""
        kinds = {"lost": self.lost, "doubled": self.doubled, "wrong": self.wrong, "half": self.half}
        return [f"{kind}: {what}" for kind, found in kinds.items() for what in found]

    def _check_jobs(self) -> None:
        jobs_by_prompt: dict[str, list[JobRow]] = defaultdict(list)
        for job in self.jobs:
            jobs_by_prompt[job.prompt].append(job)
        for prompt, number in self.submits.items():
            if number > 1:
                self.doubled.append(f"{prompt} was accepted {number} times")
            if prompt not in jobs_by_prompt:
                self.lost.append(f"{prompt} was accepted, and no job knows of it")
        for prompt, jobs in jobs_by_prompt.items():
            if len(jobs) > 1:
                self.doubled.append(f"{prompt} is {len(jobs)} jobs")
        ids = {job.id for job in self.jobs}
        self.lost += [f"{job_id} was promised, and is not in the ledger" for job_id in set(self.promised_ids) - ids]
        self.lost += [f"{job} should have succeeded" for job in self.jobs if self._is_lost(job)]

    def _is_lost(self, job: JobRow) -> bool:
        if job.state in UNFINISHED or job.id in self.promised_ids:
            return job.state != "succeeded"
        return self.submits[job.prompt] > 0 and job.state not in ("succeeded", "unconfirmed")

    def _check_spending(self) -> None:
        last_lines: dict[str, Mapping[str, Any]] = {}
        for line in sorted(self.audit_lines, key=lambda line: int(line["id"])):
            last_lines[line["job"]] = line
        reserved = Counter(line["job"] for line in _list_once(self.audit_lines) if line["event"] == "reserved")
        for job in self.jobs:
            due = len(job.handles) if job.state == "succeeded" else 0 if job.state == "failed" else job.image_count
            if job.spent_count != due:
                self.wrong.append(f"{job} counts as {job.spent_count}, and {due} are due")
            line = last_lines.get(job.id)
            if line is None or line["pictures"] != job.spent_count or reserved[job.id] != 1:
                self.wrong.append(f"{job} counts as {job.spent_count}; the audit log says {line}")
        for job_id in last_lines.keys() - {job.id for job in self.jobs}:
            self.wrong.append(f"{job_id} is in the audit log and not in the ledger")

    def _check_files(self) -> None:
        self.half += list_half_pictures(self.files)
        for job in self.jobs:
            missing = [handle for handle in job.handles if not self._has_picture(handle)]
            self.lost += [f"{handle} of {job} is not stored" for handle in missing]

    def _has_picture(self, handle: str) -> bool:
        return {name.endswith(".json") for name in self.files if name.partition(".")[0] == handle} == {True, False}


def list_half_pictures(files: Mapping[str, bytes]) -> list[str]:
    """What is not whole among pictures and their records, in words."""
    damage = {name: _find_damage(name, data) for name, data in files.items()}
    half = [f"{name}: {problem}" for name, problem in damage.items() if problem]
    pictures = {name.partition(".")[0] for name in files if not name.endswith(".json")}
    records = {name.partition(".")[0] for name in files if name.endswith(".json")}
    return half + [f"{handle} has a record and no picture" for handle in sorted(records - pictures)]


def read_jobs(ledger: str) -> list[JobRow]:
    """Every job of a ledger, a file's path or the URL of a PostgreSQL, with what it counts as."""
    rows = query(
        ledger,
        "SELECT jobs.id, jobs.state, jobs.request, jobs.cost, jobs.detail, jobs.process, spending.pictures "
        "FROM jobs JOIN spending ON spending.job_id = jobs.id ORDER BY jobs.created_at",
    )
    return [_to_job_row(*row) for row in rows]


def count_strays(ledger: str) -> int:
    """Rows of jobs without their spending, and of spending without its job."""
    ((number,),) = query(
        ledger,
        "SELECT (SELECT count(*) FROM jobs WHERE id NOT IN (SELECT job_id FROM spending)) + "
        "(SELECT count(*) FROM spending WHERE job_id NOT IN (SELECT id FROM jobs))",
    )
    return int(number)


def read_audit_lines(ledger: str, paths: Iterable[Path]) -> list[Mapping[str, Any]]:
    """What the audit logs of all servers say, and what is on its way there: a dead server's lines wait for a minute."""
    written = [json.loads(line) for path in paths if path.exists() for line in path.read_text().splitlines()]
    due = [{"id": line_id, **_load(line)} for line_id, line in query(ledger, "SELECT id, line FROM audit_lines")]
    return written + due


def query(ledger: str, statement: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a ledger that a statement asks for."""
    if not ledger.startswith("/proc/"):
        return execute_behind(ledger, statement)
    # SQLite would follow the link out of the server's own file system. A log that was not yet put into its file, as of
    # so few jobs, makes a copy of both whole.
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("-wal", ""):
            shutil.copy(f"{ledger}{suffix}", f"{folder}/copy{suffix}")
        return execute_behind(f"{folder}/copy", statement)


def _to_job_row(
    job_id: str, state: str, request: Any, image_count: int, detail: Any, process: str, spent_count: int
) -> JobRow:
    prompt = str(_load(request).get("prompt", ""))
    handles = tuple(image["handle"] for image in _load(detail).get("images", ())) if state == "succeeded" else ()
    return JobRow(job_id, state, prompt, image_count, spent_count, handles, process)


def _load(value: Any) -> dict[str, Any]:
    """A document as SQLite has it, in text, or as PostgreSQL's driver gives it."""
    return json.loads(value) if isinstance(value, str) else value


def _list_once(lines: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Lines without those that came again under their id, as the audit log's readers are told to take them."""
    return {line["id"]: line for line in lines}.values()


def _find_damage(name: str, data: bytes) -> str:
    handle, _, suffix = name.partition(".")
    if not is_handle(handle):
        return "its name is none of a picture"
    try:
        if suffix == "json":
            return "" if json.loads(data)["file"].startswith(handle) else "it is about another picture"
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, ValueError, KeyError) as err:
        return f"it is not whole: {err}"
    return "" if compute_handle(data) == handle else "its bytes are others"
