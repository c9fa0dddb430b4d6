"""What passes between the jobs and a provider: plans, tasks, what is known of a task, models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

from atelier_mcp.server.images.exchange import ImageRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atelier_mcp.server.errors import AtelierError
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.finish_plan import Box, Finish
    from atelier_mcp.server.providers.price import Price
    from atelier_mcp.server.requests.base import Request

AccountId = NewType("AccountId", str)
"""One set of credentials at one provider, without a secret in it: ``mhapi:3f9a12c4``."""

EMULATED_NOTE = "Made by the built-in preview engine, no neural model."
EMULATED_WORDS_NOTE = (
    "In the words of the built-in preview engine, which tells colours and light and recognizes no things: view_image "
    "shows you the picture."
)
"""What the reader must know of whatever a built-in emulator made."""

ProgressCallback: TypeAlias = "Callable[[float | None, str], None]"
"""Told while a submit is still going on: the share done in [0, 1] if known, and a word for the reader."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request as it will be sent: the provider's own choices filled in, the rules for its pictures."""

    request: Request
    image_rules: Mapping[str, ImageRule] = field(default_factory=dict[str, ImageRule])
    """By place in the request, as ``Request.list_image_references`` names them."""
    notes: tuple[str, ...] = ()
    """What was chosen, for the reader: ``model artist_v0.4.0, 50 steps, guidance 7``."""
    sent_request: Request | None = None
    """What ``submit`` gets instead of ``request``, where the service's own steps and sizes ask for another size than
    the caller's; ``request`` is what is written down and can be asked again."""
    finish: Finish | None = None
    """What makes the service's pictures the ones that were asked for."""
    tiles: Mapping[str, tuple[Box, ...]] = field(default_factory=dict[str, "tuple[Box, ...]"])
    """Pictures that are sent in parts, by place: ``image`` is then delivered as ``image[0]``, ``image[1]``, ..."""
    image_count: int | None = None
    """Pictures the job counts as, where that is not what its request says."""
    has_unchecked_ids: bool = False
    """A name in it was taken as it came, since no list could be read: a provider that lists the name goes first."""
    price: Price | None = None
    """What the service is known to charge for it; None where it publishes nothing."""
    expected_tokens: Mapping[str, int] | None = None
    """How many tokens it will take, by kind, where they have a price: rather too many."""
    needs_seed: bool = False
    """The service does not tell which seed it took: where the request leaves it open, one is chosen before it is sent,
    so that the picture can be asked for again."""


@dataclass(frozen=True, slots=True)
class SubmitCall:
    """The one call by which a job is sent."""

    job_id: str
    """For a service that takes an id of ours, or logs one."""
    report: ProgressCallback
    task: UpstreamTask | None = None
    """The one that is written down for the job, where its id is ours; a lost answer then leaves it to be polled."""


@dataclass(frozen=True, slots=True)
class UpstreamTask:
    """A job as the upstream knows it."""

    id: str
    kind: str
    """Which status endpoint answers for it; tasks of one kind are asked about together."""


@dataclass(frozen=True, slots=True)
class TaskPending:
    """The upstream has the task and has not begun."""


@dataclass(frozen=True, slots=True)
class TaskRunning:
    """The upstream is at it; ``progress`` in [0, 1] where it says."""

    progress: float | None = None
    note: str = ""
    poll_after_s: float | None = None
    """When to poll again, where that is known."""


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """The upstream has finished."""

    outputs: tuple[OutputImage, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What is not a picture: faces, text, a model id. JSON values only."""
    missing_reasons: tuple[str, ...] = ()
    """Why pictures are missing from ``outputs``, one reason each: ``Sensitive``."""
    image_count: int | None = None
    """What a job without outputs counts as against the budgets, where that is not what its request counts as."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The upstream has given up, as it says in an answer about this very task; the reason is one of our errors.

    Unless its ``spent`` says more, the job may have been charged. ``SubmitUnconfirmed``: it knows nothing of a task
    whose submit it may have taken all the same.
    """

    reason: AtelierError


@dataclass(frozen=True, slots=True)
class TaskLost:
    """The upstream says, in an answer of its own, that nothing more will come of the task: it does not know it, or has
    finished it without a result.

    Right after a submit, or behind a gateway in trouble, that can be wrong: it counts only when it is said for a while
    (``PollQueue.judge_losses``).
    """

    reason: AtelierError


TaskSnapshot: TypeAlias = TaskPending | TaskRunning | TaskSucceeded | TaskFailed | TaskLost
SubmitAnswer: TypeAlias = UpstreamTask | TaskSucceeded | TaskFailed
"""What comes of a submit that was accepted: a task to poll, or at once its end."""


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What a service says of itself, for who set it up."""

    words: str
    """``version 0.3.65, 412 nodes, 3 checkpoints``."""
    capabilities: tuple[str, ...]
    """Those of its provider's that it can serve with what it has."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """Something that can be chosen by name: a checkpoint, a LoRA, a controlnet, a style."""

    id: str
    kind: str
    name: str = ""
    description: str = ""
    base: str = ""
    triggers: str = ""
    abilities: tuple[str, ...] = ()
    """What a checkpoint can do, in words: ``picture to picture``, ``controls``."""


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of models."""

    models: tuple[ListedModel, ...]
    has_more: bool
