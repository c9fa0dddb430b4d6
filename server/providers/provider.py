"""The protocol every upstream is put behind.

A provider is stateless towards jobs: its operations plan and submit, it is asked to poll, and the ledger remembers. It
never repeats a submit unless the upstream certainly refused it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import AccountId, ModelPage, ServiceReport, TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.operation import Operation
    from atelier_mcp.server.providers.rate_limit import RateLimit


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
    def operations(self) -> Mapping[str, Operation[Any]]:
        """What can be asked of it, by capability."""
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
class ReportingService(Protocol):
    """A provider whose service tells what it is and has: one that its user set up."""

    async def report(self) -> ServiceReport:
        """What it answers now; it costs nothing. Raises any ``AtelierError``."""
        ...


@runtime_checkable
class PricedService(Protocol):
    """A provider that says whether its upstream charges anything."""

    @property
    def is_free(self) -> bool:
        """True for a service on hardware of one's own: it counts against no budget."""
        ...


def is_free(provider: Provider) -> bool:
    """True when nothing that this provider makes costs anything; not so where it does not say."""
    return isinstance(provider, PricedService) and provider.is_free


def costs_nothing(provider: Provider) -> bool:
    """True for a free service and for the stand-in: what they make counts against no limit."""
    return provider.is_emulated or is_free(provider)


@runtime_checkable
class ConfiguredService(Protocol):
    """A provider whose upstream has an address that somebody configured."""

    @property
    def service_origin(self) -> str:
        """Where it is, ``https://api.example.com:443``: trusted with the submit, so also with links to its results."""
        ...
