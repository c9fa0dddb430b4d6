"""The protocol every upstream is put behind, and the words it is spoken in.

A provider is stateless towards jobs: it is asked to plan, submit and poll, and the ledger remembers. It never
repeats a submit unless the upstream certainly refused it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NewType, Protocol, TypeAlias, runtime_checkable

from atelier_mcp.server.images.exchange import ImageRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atelier_mcp.server.errors import AtelierError
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.rate_limit import RateLimit
    from atelier_mcp.server.requests.base import Request

AccountId = NewType("AccountId", str)
"""One set of credentials at one provider, without a secret in it: ``mhapi:3f9a12c4``."""

EMULATED_NOTE = "Made by the built-in preview engine, no neural model."
"""What the reader must know of whatever a built-in emulator made."""

ProgressCallback: TypeAlias = "Callable[[float | None, str], None]"
"""Told while a submit is still going on: the share done in [0, 1] if known, and a word for the reader."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request as it will be sent: the provider's own choices filled in, the rules for its pictures."""

    request: Request
    image_rules: Mapping[str, ImageRule] = field(default_factory=dict[str, ImageRule])
    """By place in the request, as ``Request.pictures`` names them."""
    notes: tuple[str, ...] = ()
    """What was chosen, for the reader: ``model artist_v0.4.0, 50 steps, guidance 7``."""


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
    """The upstream has given up, with the reason as one of our errors."""

    reason: AtelierError


TaskSnapshot: TypeAlias = TaskPending | TaskRunning | TaskSucceeded | TaskFailed


@dataclass(frozen=True, slots=True)
class ListedModel:
    """Something that can be chosen by name: a checkpoint, a LoRA, a controlnet, a style."""

    id: str
    kind: str
    name: str = ""
    description: str = ""
    base: str = ""
    triggers: str = ""


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of models."""

    models: tuple[ListedModel, ...]
    has_more: bool


class Provider(Protocol):
    """One account at one upstream."""

    @property
    def name(self) -> str:
        """The provider's name in settings and answers: ``mhapi``."""
        ...

    @property
    def account(self) -> AccountId:
        """Whose credentials these are; limits and budgets hang on it."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it."""
        ...

    @property
    def model_kinds(self) -> tuple[str, ...]:
        """The kinds ``list_models`` knows here."""
        ...

    @property
    def poll_rate_limit(self) -> RateLimit:
        """The limit of status requests for the whole account. Whoever calls ``poll`` has counted one request on it."""
        ...

    @property
    def is_emulated(self) -> bool:
        """True for the built-in emulator: nothing costs money, and every answer says ``EMULATED_NOTE``."""
        ...

    @property
    def is_local(self) -> bool:
        """True when the upstream runs on this machine, so that loopback links reach it."""
        ...

    def batch_size(self, kind: str) -> int:
        """How many tasks of one kind one status request can cover; 1 where there is no batch."""
        ...

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:
        """Fill in what the caller left open and say what the pictures must be like.

        ``headers`` holds what the header of each named picture says, by place in the request.

        May read from the upstream (model lists); spends nothing. Raises ``InvalidRequest`` for what this upstream
        cannot do.
        """
        ...

    async def submit(
        self, request: Request, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask | TaskSucceeded:
        """Send a planned request; ``images`` maps each place to a link or to base64, as the rule asked.

        Raises ``SubmitUnconfirmed`` when the answer was lost after sending; any other ``AtelierError`` means that the
        upstream certainly did not accept the job.
        """
        ...

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of up to ``batch_size`` tasks of one kind, by task id; a task of which nothing is known is left
        out.

        Raises ``TransientError`` when the poll failed, which says nothing of the tasks.
        """
        ...

    async def cancel(self, task: UpstreamTask) -> bool:
        """Ask the upstream to stop; False when it goes on."""
        ...

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind; ``base`` names the checkpoint whose controlnets are wanted."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...


@runtime_checkable
class ConfiguredService(Protocol):
    """A provider whose upstream has an address that somebody configured."""

    @property
    def service_host(self) -> str:
        """Its host and port, ``api.example.com:443``: trusted with the submit, and so with the links to its results."""
        ...


@runtime_checkable
class DirectOperations(Protocol):
    """A provider that also does, at once, what makes no job: to list, make or change what belongs to the account."""

    async def execute(self, request: Request, images: Mapping[str, str]) -> Mapping[str, Any]:
        """Do it and return JSON values; ``images`` maps each place to a link or to base64, as ``plan`` ruled."""
        ...
