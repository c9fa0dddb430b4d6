"""Stable Diffusion on AWS behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.sd_aws.legacy.dialect import LegacyDialect
from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
from atelier_mcp.server.providers.sd_aws.model_list import MODEL_KINDS, SdAwsModelList
from atelier_mcp.server.providers.sd_aws.operation import SdAwsAccount
from atelier_mcp.server.providers.sd_aws.operations import create_operations
from atelier_mcp.server.providers.sd_aws.restful.dialect import EarlyRestfulDialect, RestfulDialect
from atelier_mcp.server.providers.sd_aws.task_poller import SdAwsTaskPoller
from atelier_mcp.server.providers.sd_aws.training_drafts import TrainingDrafts
from atelier_mcp.server.providers.sd_aws.uploads.part_sender import PartSender
from atelier_mcp.server.providers.sd_aws.uploads.store import UploadStore
from atelier_mcp.server.providers.sd_aws.uploads.transfer import TransferTasks
from atelier_mcp.server.providers.sd_aws.uploads.upload_poller import UploadPoller
from atelier_mcp.server.providers.upstream import POLLS_PER_S, UpstreamProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage, TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect

SERVICE_NAME = "Stable Diffusion on AWS"


class SdAwsProvider(UpstreamProvider):
    """One deployment of the middleware, and one user of it.

    Nothing can be cancelled: an endpoint that is on its way is deleted by its name.
    """

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        username: str,
        folder: Path,
        clock: Clock,
        endpoint: str = "",
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the key and the address, which ends with the stage; nothing is opened before the first request.

        ``folder`` keeps the state of uploads under way and of trainings that were not started. ``endpoint`` is the one
        to use where a request names none; without it the first in service is. ``is_local`` and ``is_emulated`` are set
        for the built-in emulator; ``transport`` replaces the network in tests.
        """
        client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=url,
            clock=clock,
            secrets=(api_key,),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self._middleware = MiddlewareClient(client, api_key=api_key, username=username)
        self._drafts = TrainingDrafts(folder / "trainings")
        self._model_list = SdAwsModelList(self._get_dialect, clock=clock)
        store = UploadStore(folder / "uploads")
        sender = PartSender(self._middleware, base_url=url, is_local=is_local)
        self._transfers = TransferTasks(sender, store, clock=clock)
        account = SdAwsAccount(self._middleware, self._get_dialect, self._model_list, self._transfers, endpoint)
        super().__init__(
            name="sd_aws",
            # One key serves all users of a deployment; what they may do and what they see differs.
            account_key=f"{api_key} {username}",
            client=client,
            operations=create_operations(account),
            model_kinds=MODEL_KINDS,
            polls_per_s=polls_per_s,
            is_emulated=is_emulated,
        )
        upload_poller = UploadPoller(self._get_dialect, self._transfers, store, service=SERVICE_NAME, clock=clock)
        self._task_poller = SdAwsTaskPoller(account, upload_poller, rate_limit=self.poll_rate_limit)

    def batch_size(self, kind: str) -> int:
        """Fifty for deployments and trainings, which one list answers for, else one."""
        return self._task_poller.batch_size(kind)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind; the first poll of an upload in this process sets it going in the background.

        Raises ``TransientError`` when the poll failed, whatever the reason.
        """
        return await self._task_poller.poll(tasks)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # the protocol's signature
        """Files of one kind, or what can be trained on."""
        return await self._model_list.fetch_page(kind, offset=offset, limit=limit)

    async def close(self) -> None:
        """End the uploads under way, which a later process resumes, and give up connections."""
        await self._transfers.close()
        await super().close()

    async def _get_dialect(self) -> Dialect:
        version = await self._middleware.get_version()
        if version.is_legacy:
            return LegacyDialect(self._middleware, version)
        if version.has_training_bases:
            return EarlyRestfulDialect(self._middleware, version)
        return RestfulDialect(self._middleware, version, drafts=self._drafts)
