"""What MHAPI's operations have in common: one POST, answered with a task's id, or at once with the result."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from atelier_mcp.server.errors import InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.mhapi.states import parse_snapshot
from atelier_mcp.server.providers.mhapi.wire import MhapiSubmitBody, MhapiTaskBody, unwrap_data
from atelier_mcp.server.providers.operation import JobOperation, RequestT
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList
    from atelier_mcp.server.providers.mhapi.session import MhapiSession

SUBMIT_TIMEOUT_S = 60.0
SYNC_TIMEOUT_S = 180.0
"""At least 120 s are asked for (contract: stylization.imgen_sync.timeout)."""
WATERMARKS = {"notice": "Default", "logo": "MakaLogo"}


@dataclass(frozen=True, slots=True)
class MhapiPayload:
    """One submit: where to, with what, and which kind of task comes of it."""

    path: str
    task_kind: str
    """The service whose status endpoint answers for the task, as ``MhapiTaskPoller`` reads it."""
    body: dict[str, Any]
    """What is None is left out: only the listed names are sent (contract: shared.unknown_params)."""
    is_sync: bool = False
    """True when the answer holds the result itself."""


class MhapiOperation(JobOperation[RequestT]):
    """One capability at MHAPI; a subclass has its plan and its payload."""

    def __init__(self, session: MhapiSession, model_list: MhapiModelList) -> None:
        """Send through ``session``, choose models from ``model_list``."""
        self._session = session
        self._model_list = model_list

    @abstractmethod
    def build_payload(self, request: RequestT, links: Mapping[str, str]) -> MhapiPayload:
        """The submit for a planned request; ``links`` holds a link, or base64, by place in the request."""

    async def submit(
        self, request: RequestT, images: Mapping[str, str], call: SubmitCall
    ) -> UpstreamTask | TaskSucceeded:
        """Send the payload; a task to poll, or the result where the service answers with it."""
        payload = self.build_payload(request, images)
        if payload.is_sync:
            call.report(None, "the service answers when it is done")
        http_request = HttpRequest(
            "POST",
            payload.path,
            is_submit=True,
            body={name: value for name, value in payload.body.items() if value is not None},
            read_timeout_s=SYNC_TIMEOUT_S if payload.is_sync else SUBMIT_TIMEOUT_S,
        )
        document = await self._session.send(http_request)
        return self._parse_result(payload, document) if payload.is_sync else _parse_task(payload, document)

    def _parse_result(self, payload: MhapiPayload, document: Any) -> TaskSucceeded | UpstreamTask:
        """The result in a synchronous answer; one that is not ready is followed by its task id, if it has one.

        Without an id it is unconfirmed: to ask again the other way, as the contract suggests for face swaps, could
        pay twice (contract: face.imggen_sync.state).
        """
        task = parse_model(MhapiTaskBody, unwrap_data(document))
        if task is None:
            raise SubmitUnconfirmed("MHAPI answered the submit with something unreadable.")
        snapshot = parse_snapshot(payload.task_kind, task, self._session.client)
        if isinstance(snapshot, TaskSucceeded):
            return snapshot
        if isinstance(snapshot, TaskFailed):
            raise snapshot.reason
        if task.task_id:
            return UpstreamTask(task.task_id, payload.task_kind)
        raise SubmitUnconfirmed("MHAPI answered before the picture was ready, and without a task id.")


class OutputChoice(Protocol):
    """A request that says how its images are to be written."""

    @property
    def format(self) -> str:
        """``jpg`` or ``png``."""
        ...

    @property
    def watermark(self) -> str:
        """One of ``WATERMARKS``."""
        ...


def build_output_options(request: OutputChoice) -> dict[str, Any]:
    """File format and mark; both are always said, for what their absence means is open (contract: watermark_absent)."""
    return {"format": request.format.upper(), "watermark_config": {"type": WATERMARKS[request.watermark]}}


def get_link(links: Mapping[str, str], place: str) -> str:
    """The link to an image that must be there. Raises ``InvalidRequest`` where it is not."""
    if place not in links:
        raise InvalidRequest(f"{place}: a picture is needed.")
    return links[place]


def _parse_task(payload: MhapiPayload, document: Any) -> UpstreamTask:
    submit_body = parse_model(MhapiSubmitBody, document) or parse_model(MhapiSubmitBody, unwrap_data(document))
    if submit_body is None:
        raise SubmitUnconfirmed("MHAPI answered the submit without a task id.")
    return UpstreamTask(submit_body.task_id, payload.task_kind)
