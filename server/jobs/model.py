"""A job and the states it passes through.

                          submit answered       upstream began      upstream done      pictures stored
    (asked) -> submitting ----------> queued ----------> running ----------> saving ----------> succeeded
                  |  |                  '------------------'-- refused, too late, given up --> failed
                  |  '---- refused ------------------------------------------------------------> failed
                  '------- answer lost, process died ------------------------------------------> unconfirmed

States may be skipped, never gone back to, and the last column is final. ``cancelled`` is reached from every unfinished
state. A submit that is still on its way is the one thing that goes on behind a final state: its answer may turn
``cancelled`` into the same with ``upstream_stopped``, when the upstream was told to stop or had refused it, or, when
it is the finished work itself and so paid for, into ``saving``.

``unconfirmed`` means that the process died, or the connection broke, between sending a submit and reading its answer:
such a job is never sent again by us, since that could be paid for twice. A sender that only seemed dead, since it was
cut off from the ledger, still writes its answer down: ``unconfirmed`` becomes ``queued`` or ``saving`` then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NewType, TypeAlias

from atelier_mcp.server.providers.quote import UNKNOWN_QUOTE, Quote

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.finish_plan import Finish
    from atelier_mcp.server.providers.base import UpstreamTask

JobId = NewType("JobId", str)
"""``job_`` and sixteen letters and digits."""


@dataclass(frozen=True, slots=True)
class JobImage:
    """One stored picture of a job."""

    handle: str
    seed: int | None = None
    label: str = ""
    """What it is, where a job has pictures of several kinds: ``cut-out``, ``mask``."""


@dataclass(frozen=True, slots=True)
class Submitting:
    """Written down; the submit may or may not have left."""

    is_waiting: bool = False
    """It has certainly not left: the service takes no more calls at once."""
    progress: float | None = None
    """How far a call is that is itself the job, in [0, 1]; told to who waits, never written down."""
    note: str = ""
    task: UpstreamTask | None = None
    """Under which id it is sent, where the upstream takes one of our choice: it can then be asked what became of it."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The upstream has accepted it."""

    task: UpstreamTask
    problem: str = ""
    """Why the last polls of it failed; empty when the last one worked."""


@dataclass(frozen=True, slots=True)
class Running:
    """The upstream works on it; ``progress`` in [0, 1] where it says."""

    task: UpstreamTask
    progress: float | None = None
    note: str = ""
    problem: str = ""
    """Why the last polls of it failed; empty when the last one worked."""


@dataclass(frozen=True, slots=True)
class Saving:
    """The upstream has finished; the pictures are on their way into the store."""

    task: UpstreamTask | None
    outputs: tuple[OutputImage, ...]
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lost: tuple[str, ...] = ()
    tries: int = 0
    """How often they could not be stored so far."""
    problem: str = ""
    """Why they could not be, the last time."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every picture that was made is stored."""

    images: tuple[JobImage, ...]
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not be finished; ``what``, ``spent`` and ``then`` are the three lines of its error."""

    what: str
    spent: str = ""
    then: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave it up; ``upstream_stopped`` says whether the service stopped as well."""

    upstream_stopped: bool


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Sent, but nobody knows whether it was accepted."""


UnfinishedState: TypeAlias = Submitting | Queued | Running | Saving
FinalState: TypeAlias = Succeeded | Failed | Cancelled | Unconfirmed
State: TypeAlias = UnfinishedState | FinalState


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted request."""

    id: JobId
    capability: str
    provider: str
    account: str
    caller: str
    request: Mapping[str, Any]
    """The planned request as JSON, pictures as handles."""
    notes: tuple[str, ...]
    """What was chosen or changed for the caller."""
    image_count: int
    """Pictures it counts as against the budgets."""
    created_at: datetime
    updated_at: datetime
    deadline: datetime
    state: State
    finish: Finish | None = None
    """What makes the service's pictures the ones that were asked for, whoever fetches them."""
    quote: Quote = UNKNOWN_QUOTE
    """What it costs, as far as that was known when it was written down."""

    @property
    def is_finished(self) -> bool:
        """True when nothing more will happen."""
        return isinstance(self.state, Succeeded | Failed | Cancelled | Unconfirmed)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are looked for; what is left out does not matter."""

    states: Collection[str] | None = None
    """Names of states, as ``get_state_name`` gives them."""
    since: datetime | None = None
    """Asked for at this moment or later."""
    until: datetime | None = None
    """Asked for before this moment."""
    caller: str | None = None
    """Whose they are."""


class Move(NamedTuple):
    """A job's next state, what it costs from then on, and from which states the job may come."""

    job_id: JobId
    state: State
    at: datetime
    charge: int | None = None
    """Pictures the job counts as, by which its cost is settled too; ``None`` leaves what was reserved."""
    only_from: tuple[type[State], ...] | None = None
    """These states and no others; by default the rule of ``can_follow``."""

    def is_allowed_from(self, state: State) -> bool:
        """True when a job that stands at ``state`` may make this move."""
        if self.only_from is not None:
            return isinstance(state, self.only_from)
        return can_follow(state, self.state)


def get_state_name(state: State) -> str:
    """The state's word in answers and in the ledger: ``succeeded``."""
    return type(state).__name__.lower()


_STATE_ORDER = ("submitting", "queued", "running", "saving")
UNFINISHED_STATE_NAMES: frozenset[str] = frozenset(_STATE_ORDER)


def can_follow(state: State, following: State) -> bool:
    """True when a job in ``state`` may move to ``following``: never out of a final state and never backwards.

    Only a job whose submit has no answer can become unconfirmed: a search for dead processes may come late. One that
    is polled under an id of our choice names the states it comes from (``Move.only_from``).
    """
    if isinstance(state, Succeeded | Failed | Cancelled | Unconfirmed):
        return False
    if isinstance(following, Unconfirmed):
        return isinstance(state, Submitting)
    if isinstance(following, Succeeded | Failed | Cancelled):
        return True
    return _STATE_ORDER.index(get_state_name(state)) <= _STATE_ORDER.index(get_state_name(following))


def get_own_task(job: Job) -> UpstreamTask | None:
    """The task that a job is being sent as, under an id of our choice; None where the upstream takes none."""
    return job.state.task if isinstance(job.state, Submitting) else None


def get_upstream_task(state: State) -> UpstreamTask | None:
    """The upstream's task behind an unfinished job, where it has one."""
    return state.task if isinstance(state, Queued | Running | Saving) else None
