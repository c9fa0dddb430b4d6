"""SenseTime Miaohua v1b behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.miaohua.auth import MiaohuaTokenCache
from atelier_mcp.server.providers.miaohua.dataset_images import DatasetImages
from atelier_mcp.server.providers.miaohua.image_uploader import MiaohuaImageUploader
from atelier_mcp.server.providers.miaohua.model_list import MODEL_KINDS, MiaohuaModelList
from atelier_mcp.server.providers.miaohua.operation import MiaohuaAccount
from atelier_mcp.server.providers.miaohua.operations import create_operations
from atelier_mcp.server.providers.miaohua.session import MiaohuaSession
from atelier_mcp.server.providers.miaohua.submit_queue import MiaohuaSubmitQueue
from atelier_mcp.server.providers.miaohua.task_poller import MiaohuaTaskPoller
from atelier_mcp.server.providers.upstream import UpstreamProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage, TaskSnapshot, UpstreamTask

POLLS_PER_S = 6.0
"""For the whole account (contract: limits.task_results)."""


class MiaohuaProvider(UpstreamProvider):
    """One Miaohua account."""

    def __init__(
        self,
        *,
        email: str,
        password: str,
        base_url: str,
        clock: Clock,
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        sensitive_limit: float | None = None,
        data_folder: Path | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the credentials and the address; nothing is opened before the first request.

        ``sensitive_limit`` in [0, 1] tightens the service's check of finished images. In ``data_folder`` is written
        down which pictures went into data sets. ``is_local``, ``is_emulated``
        are set for the built-in emulator; ``transport`` replaces the network in tests.
        """
        client = UpstreamClient(
            service="Miaohua",
            base_url=base_url,
            clock=clock,
            secrets=(password, email),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self.token_cache: MiaohuaTokenCache = MiaohuaTokenCache(client, email=email, password=password)
        session = MiaohuaSession(client, self.token_cache)
        self._model_list = MiaohuaModelList(session)
        self._uploader = MiaohuaImageUploader(session)
        account = MiaohuaAccount(
            session, self._model_list, self._uploader, MiaohuaSubmitQueue(clock), DatasetImages(data_folder)
        )
        super().__init__(
            name="miaohua",
            account_key=email.lower(),  # the same account however it is written
            client=client,
            operations=create_operations(account),
            model_kinds=MODEL_KINDS,
            polls_per_s=polls_per_s,
            is_emulated=is_emulated,
        )
        self._task_poller = MiaohuaTaskPoller(
            session, self._model_list, rate_limit=self.poll_rate_limit, sensitive_limit=sensitive_limit
        )

    def batch_size(self, kind: str) -> int:
        """Fifty for images, one for trainings and where the batch form does not exist."""
        return self._task_poller.batch_size(kind)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind. Raises ``TransientError`` when the poll failed, whatever the reason."""
        return await self._task_poller.poll(tasks)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind, the fields of the forms, or, for ``controlnet``, what ``base`` or any model takes."""
        try:
            return await self._model_list.fetch_page(kind, base=base, offset=offset, limit=limit)
        except Rejection as err:
            raise err.error from None

    async def upload(self, data: bytes, media_type: str) -> str:
        """A public link to an image, remembered for half an hour.

        Raises ``ImageRefused`` for another format than JPEG, PNG or WebP, ``ContentRefused`` for a sensitive image.
        """
        return await self._uploader.upload(data, media_type)
