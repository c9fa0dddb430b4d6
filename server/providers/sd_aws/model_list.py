"""The files of a deployment as models to choose from, and the endpoint to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.base import ListedModel, ModelPage
from atelier_mcp.server.providers.plan_defaults import format_model_ids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody

ASYNC = "Async"
REAL_TIME = "Real-time"
UPDATING = "Updating"
CACHE_TTL_S = 300.0
MIN_REFRESH_INTERVAL_S = 15.0
"""A list this young is not read again for a name that is not in it."""
FILE_TYPES = {
    "checkpoint": "Stable-diffusion",
    "lora": "Lora",
    "controlnet": "ControlNet",
    "embedding": "embeddings",
    "hypernetwork": "hypernetworks",
    "vae": "VAE",
}
ABILITIES = {"checkpoint": ("text to picture", "picture to picture", "controls", "LoRAs")}
TRAINING_BASE = "training_base"
MODEL_KINDS = (*FILE_TYPES, TRAINING_BASE)
PREFERRED_CHECKPOINT = "v1-5"
"""In the name of the checkpoint that a deployment starts with."""


class SdAwsModelList:
    """Reads lists of files and keeps them for five minutes; endpoints are always read anew."""

    def __init__(self, get_dialect: Callable[[], Awaitable[Dialect]], *, clock: Clock) -> None:
        """Hold the way to the deployment; nothing is read yet."""
        self._get_dialect = get_dialect
        self._clock = clock
        self._cache: dict[str, tuple[float, tuple[ListedModel, ...]]] = {}

    async def fetch_page(self, kind: str, *, offset: int, limit: int) -> ModelPage:
        """A part of a list. Raises ``InvalidRequest`` for an unknown kind."""
        if kind == TRAINING_BASE:
            models = tuple(
                ListedModel(base.id, TRAINING_BASE, name=base.name, description=base.state)
                for base in await (await self._get_dialect()).list_bases()
            )
        elif kind in FILE_TYPES:
            models = await self.fetch_files(kind, refresh=True)
        else:
            raise InvalidRequest(f"kind {kind!r}: Stable Diffusion on AWS has {', '.join(MODEL_KINDS)}.")
        return ModelPage(models[offset : offset + limit], has_more=offset + limit < len(models))

    def clear(self) -> None:
        """Read every list anew: files have come or gone."""
        self._cache.clear()

    async def fetch_files(self, kind: str, *, refresh: bool = False) -> tuple[ListedModel, ...]:
        """Every usable file of a kind: registered ones first, then those in the fixed folders of old.

        The two catalogues do not know each other (contract: list_loras.two_catalogues).
        """
        now_s = self._clock.monotonic()
        cache_entry = self._cache.get(kind)
        if cache_entry is not None and now_s - cache_entry[0] < (MIN_REFRESH_INTERVAL_S if refresh else CACHE_TTL_S):
            return cache_entry[1]
        dialect = await self._get_dialect()
        # Inferences do not find a checkpoint in any other state (contract: conventions.states.checkpoint).
        entries = await dialect.list_checkpoints([FILE_TYPES[kind]], ["Active"])
        found = {
            name: ListedModel(name, kind, description=entry.id, abilities=ABILITIES.get(kind, ()))
            for entry in entries
            for name in entry.names
            if name not in entry.missing_names
        }
        # Only names: a file of the folders has no id, so a registered one of that name stays.
        for name in await dialect.list_folder_files(FILE_TYPES[kind]):
            found.setdefault(name, ListedModel(name, kind, abilities=ABILITIES.get(kind, ())))
        models = tuple(found.values())
        self._cache[kind] = (now_s, models)
        return models

    async def find_file(self, kind: str, name: str, *, place: str) -> str:
        """The file of that name, with or without its ending; as it is named where the list cannot be read.

        Raises ``InvalidRequest`` naming ``place``.
        """
        files: tuple[ListedModel, ...] = ()
        # The kept list first; only a name that is missing from it is worth another look at the service.
        for refresh in (False, True):
            read_files = await self.try_fetch_files(kind, refresh=refresh)
            if read_files is None:
                return name
            files = read_files
            for file in files:
                if name in (file.id, file.id.rpartition(".")[0]):
                    return file.id
        raise InvalidRequest(
            f"{place}: the deployment has no {kind} {name!r}; there is {format_model_ids(files)}.",
            hint="list_models shows all; aws_add_checkpoint adds one.",
        )

    async def choose_default_checkpoint(self) -> str:
        """The checkpoint to take where none was named. Raises ``InvalidRequest`` when there is none."""
        files = await self.fetch_files("checkpoint")
        if not files:
            raise InvalidRequest("model: the deployment has no checkpoint.", hint="Add one with aws_add_checkpoint.")
        return next((file.id for file in files if PREFERRED_CHECKPOINT in file.id), files[0].id)

    async def try_fetch_files(self, kind: str, *, refresh: bool = False) -> tuple[ListedModel, ...] | None:
        """The files of a kind, or None where the list cannot be read."""
        try:
            return await self.fetch_files(kind, refresh=refresh)
        except AtelierError:
            return None

    async def choose_endpoint(self, requested_name: str, *, real_time: bool) -> SdAwsEndpointBody | None:
        """The endpoint of that name, or the first in service.

        None leaves the choice to the service, where that takes jobs for an endpoint which is being updated. Those of
        ComfyUI are not ours to use. Raises ``InvalidRequest`` when there is none to be used.
        """
        dialect = await self._get_dialect()
        # Nothing at the service stops a job that names an endpoint of ComfyUI (contract: answered.comfy_endpoints).
        endpoints = [endpoint for endpoint in await dialect.list_endpoints() if not endpoint.is_comfy]
        if requested_name:
            return _find_endpoint(requested_name, endpoints, real_time=real_time)
        fitting = [endpoint for endpoint in endpoints if endpoint.kind == _get_kind(real_time=real_time, of=endpoint)]
        ready = [endpoint for endpoint in fitting if endpoint.is_ready]
        if ready:
            return ready[0]
        # Only unnamed jobs are taken during an update, so it must not be named (contract: conventions.states.endpoint).
        if dialect.version.serves_while_updating and any(endpoint.state == UPDATING for endpoint in fitting):
            return None
        starting_names = [endpoint.name for endpoint in fitting if endpoint.state in ("Creating", UPDATING)]
        if starting_names:
            raise InvalidRequest(
                f"No endpoint is in service yet; {', '.join(starting_names)} is on its way.", hint="Wait for it."
            )
        raise InvalidRequest(
            f"No {REAL_TIME + ' ' if real_time else ''}endpoint is in service, and pictures need one.",
            hint="Deploy one with aws_deploy_endpoint (toolset aws): it costs money by the hour until it is deleted.",
        )


def _get_kind(*, real_time: bool, of: SdAwsEndpointBody) -> str:
    """The kind that is wanted, as an endpoint tells its own: the earliest version has one kind and no word for it."""
    if real_time:
        return REAL_TIME
    return ASYNC if of.kind else ""


def _find_endpoint(
    requested_name: str, endpoints: Sequence[SdAwsEndpointBody], *, real_time: bool
) -> SdAwsEndpointBody:
    for endpoint in endpoints:
        if endpoint.name == requested_name:
            if not endpoint.is_ready:
                raise InvalidRequest(f"Endpoint {requested_name} is {endpoint.state or 'unknown'}, not InService.")
            if real_time and endpoint.kind != REAL_TIME:
                raise InvalidRequest(f"advanced.real_time: endpoint {requested_name} is not a Real-time one.")
            return endpoint
    there_is = ", ".join(endpoint.name for endpoint in endpoints if endpoint.name) or "none"
    raise InvalidRequest(
        f"There is no endpoint {requested_name} for pictures; there is {there_is}.",
        hint="aws_list_endpoints shows all.",
    )
