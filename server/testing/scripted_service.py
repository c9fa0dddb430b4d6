"""One service as a script plays it, for the contracts: where it takes jobs, and how it says the usual things."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from atelier_mcp.server.errors import AtelierError
    from atelier_mcp.server.providers.base import TaskSucceeded, UpstreamTask
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.testing.auto_clock import AutoAdvanceClock
    from atelier_mcp.server.testing.upstream_script import UpstreamScript

ProviderMaker: TypeAlias = "Callable[[UpstreamScript, AutoAdvanceClock], Provider]"


@dataclass(frozen=True, kw_only=True)
class ScriptedService:
    """What the contracts must know of a service. Responses are built with ``build_response(body, status)``."""

    make_provider: ProviderMaker
    """Builds the provider with ``script.transport`` for its client and the clock, as for a service on the internet."""
    request: Request
    """A planned request without images; its words include ``private prompt``, which must not be logged."""
    submit_path: str
    """Where the request is sent, below the base address."""
    accepted: httpx2.Response
    """The answer to it when it is accepted."""
    outcome: UpstreamTask | TaskSucceeded
    """What the accepted job is."""
    refusals: Mapping[type[AtelierError], httpx2.Response]
    """How the service refuses a submit that it certainly did not accept, by what each refusal stands for."""
    too_fast: httpx2.Response
    """How it says that it is asked too often."""
    build_refusal: Callable[[str], httpx2.Response]
    """A refusal in these words that is an ``InvalidRequest``."""
    secrets: tuple[str, ...]
    """The credentials the provider is built with, and tokens it comes to know."""
    poll_path: str = ""
    """Where it is asked about the task of ``outcome``; nowhere, if the answer to a submit is all there is."""
    running_answer: httpx2.Response | None = None
    """What it answers there while the task is not finished."""
    other_answers: Mapping[str, httpx2.Response] = field(default_factory=dict[str, "httpx2.Response"])
    """What else it is asked, by path."""

    def count_submits(self, script: UpstreamScript) -> int:
        """How often the job was submitted."""
        return script.list_paths().count(self.submit_path)
