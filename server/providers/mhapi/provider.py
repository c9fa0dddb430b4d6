"""SenseTime's open image API behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.mhapi.model_list import MODEL_KINDS, MhapiModelList
from atelier_mcp.server.providers.mhapi.operations import create_operations
from atelier_mcp.server.providers.mhapi.session import MhapiSession
from atelier_mcp.server.providers.mhapi.task_poller import MhapiTaskPoller
from atelier_mcp.server.providers.mhapi.wire import MhapiCancelBody, unwrap_data
from atelier_mcp.server.providers.upstream import POLLS_PER_S, UpstreamProvider
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage, TaskSnapshot, UpstreamTask


class MhapiProvider(UpstreamProvider):
    """One MHAPI account."""

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        base_url: str,
        clock: Clock,
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the keys and the address; nothing is opened before the first request.

        ``is_local`` and ``is_emulated`` are set for the built-in emulator; ``transport`` replaces the network in tests.
        """
        client = UpstreamClient(
            service="MHAPI",
            base_url=base_url,
            clock=clock,
            secrets=(secret_key, access_key),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self._session = MhapiSession(client, access_key=access_key, secret_key=secret_key)
        self._model_list = MhapiModelList(self._session)
        super().__init__(
            name="mhapi",
            account_key=access_key,
            client=client,
            operations=create_operations(self._session, self._model_list),
            model_kinds=MODEL_KINDS,
            polls_per_s=polls_per_s,
            is_emulated=is_emulated,
        )
        self._task_poller = MhapiTaskPoller(self._session, rate_limit=self.poll_rate_limit)

    def batch_size(self, kind: str) -> int:
        """Fifty, four where images come inside the answer, one for faces and where the batch form failed."""
        return self._task_poller.batch_size(kind)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind. Raises ``TransientError`` when the poll failed, whatever the reason."""
        return await self._task_poller.poll(tasks)

    async def cancel(self, task: UpstreamTask) -> bool:
        """Stop a training that still waits; nothing else can be stopped (contract: lora.cancel)."""
        if task.kind != "lora":
            return False
        http_request = HttpRequest("POST", "/v1/lora/cancel", body={"task_id": task.id})
        try:
            document = await self._session.request(http_request)
        except (InvalidRequest, ProviderUnavailable):
            return False
        cancellation = parse_model(MhapiCancelBody, unwrap_data(document))
        return bool(cancellation and cancellation.success)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind; for ``controlnet``, ``base`` names the checkpoint."""
        return await self._model_list.fetch_page(kind, base=base, offset=offset, limit=limit)
