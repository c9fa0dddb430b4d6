"""What a provider does for one capability, in one place: where it is asked, with what, and what comes of it.

A provider's capabilities are those of its operations' requests. Adding one is one class:

    class Upscaling(JobOperation[UpscaleImage]):
        request_type = UpscaleImage

        async def plan(self, request, headers): ...             # fill in what was left open; spends nothing
        async def submit(self, request, images, call): ...      # send it: a task to poll, or the result
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from atelier_mcp.server.errors import SubmitUnconfirmed
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.requests.base import Request

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, SubmitAnswer, SubmitCall, UpstreamTask
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

log: logging.Logger = logging.getLogger(__name__)

RequestT = TypeVar("RequestT", bound=Request)


class Operation(ABC, Generic[RequestT]):
    """One capability at one upstream; a subclass is a ``JobOperation`` or a ``DirectOperation``."""

    request_type: type[RequestT]
    """The request it serves; its capability is the operation's."""

    prompt_notations: ClassVar[frozenset[PromptNotation]] = frozenset()
    """The notations of other tools that the upstream reads itself: ``(word:1.2)`` as a weight, and not as words."""

    async def plan(self, request: RequestT, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # for those below
        """The request as it will be sent; as it is, unless a subclass has something to fill in or to refuse.

        ``headers`` holds what the header of each image says, by place in the request. May read from the upstream;
        spends nothing. Raises ``InvalidRequest`` for what the upstream cannot do or does not have; then the next
        provider is asked, and the answer gives the message as the reason.
        """
        return Plan(request)


class JobOperation(Operation[RequestT]):
    """An operation that makes a job.

    Where the service answers the submit with the finished work, the call itself is the job: it goes on in the
    background for as long as it takes, and is written down, waited for and cancelled like any other job.
    """

    call_slots: asyncio.Semaphore | None = None
    """How many calls the service takes at once, shared by the operations it counts together; further ones wait here
    unsent. None: as many as come."""

    @abstractmethod
    async def submit(self, request: RequestT, images: Mapping[str, str], call: SubmitCall) -> SubmitAnswer:
        """Send a planned request; ``images`` maps each place to a link or to base64, as the plan's rules asked.

        ``call`` knows the job's id and takes reports of how far it is.

        Raises ``SubmitUnconfirmed`` when the answer was lost after sending; any other error, a ``Rejection`` too,
        means that the upstream certainly did not accept the job. What it accepted and then gave up is a ``TaskFailed``.
        """

    async def stop_call(self, job_id: str) -> bool:  # noqa: ARG002  # for those below
        """Ask the service to stop the call of a job that is under way; False where it goes on."""
        return False


class NamedJobOperation(JobOperation[RequestT]):
    """An operation whose upstream takes a task id of our choice.

    The id is written down before the request leaves. So a job whose submit was never answered is not unconfirmed: its
    task is polled, and what the upstream says of it decides.
    """

    @abstractmethod
    async def name_task(self, request: RequestT, job_id: str) -> UpstreamTask:
        """The task that a job's submit will make; the same for the same ``job_id``."""

    @abstractmethod
    async def submit_as(
        self, task: UpstreamTask, request: RequestT, images: Mapping[str, str], report: ProgressCallback
    ) -> SubmitAnswer:
        """As ``submit``, under the id of ``task``; the answer may be another task where the upstream insists."""

    async def submit(self, request: RequestT, images: Mapping[str, str], call: SubmitCall) -> SubmitAnswer:
        """Under the id that is written down; where the answer is lost, that task, which is polled then."""
        task = call.task or await self.name_task(request, call.job_id)
        try:
            # A rejection may stand for an answer that leaves it open, too.
            with raise_rejection_errors():
                return await self.submit_as(task, request, images, call.report)
        except SubmitUnconfirmed as error:
            if call.task is None:
                raise
            log.warning("a submit was not answered: %s", error.message, extra={"job": call.job_id})
            return task


class DirectOperation(Operation[RequestT]):
    """An operation that is done at once and makes no job."""

    @abstractmethod
    async def execute(self, request: RequestT, images: Mapping[str, str]) -> Mapping[str, Any]:
        """Do it and return JSON values; ``images`` as for ``JobOperation.submit``."""
