"""The files of a deployment as models to choose from, and the endpoint to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.base import Model, ModelPage
from atelier_mcp.server.providers.choices import some_ids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.limits import Clock
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.wire import Endpoint

KEPT_S = 300.0
FRESH_S = 15.0
"""A list this young is not read again for a name that is not in it."""
TYPES = {
    "checkpoint": "Stable-diffusion",
    "lora": "Lora",
    "controlnet": "ControlNet",
    "embedding": "embeddings",
    "hypernetwork": "hypernetworks",
    "vae": "VAE",
}
BASES = "training_base"
KINDS = (*TYPES, BASES)
PREFERRED = "v1-5"
"""In the name of the checkpoint that a deployment starts with."""


class Catalogue:
    """Reads lists of files and keeps them for five minutes; endpoints are always read anew."""

    def __init__(self, dialect: Callable[[], Awaitable[Dialect]], *, clock: Clock) -> None:
        """Hold the way to the deployment; nothing is read yet."""
        self._dialect = dialect
        self._clock = clock
        self._kept: dict[str, tuple[float, tuple[Model, ...]]] = {}

    async def page(self, kind: str, *, offset: int, limit: int) -> ModelPage:
        """A part of a list. Raises ``InvalidRequest`` for an unknown kind."""
        if kind == BASES:
            models = tuple(
                Model(base.id, BASES, name=base.name, description=base.state)
                for base in await (await self._dialect()).bases()
            )
        elif kind in TYPES:
            models = await self.files(kind, renew=True)
        else:
            raise InvalidRequest(f"kind {kind!r}: Stable Diffusion on AWS has {', '.join(KINDS)}.")
        return ModelPage(models[offset : offset + limit], more=offset + limit < len(models))

    def forget(self) -> None:
        """Read every list anew: files have come or gone."""
        self._kept.clear()

    async def files(self, kind: str, *, renew: bool = False) -> tuple[Model, ...]:
        """Every usable file of a kind: registered ones first, then those in the fixed folders of old.

        The two catalogues do not know each other (contract: list_loras.two_catalogues).
        """
        now_s = self._clock.monotonic()
        kept = self._kept.get(kind)
        if kept is not None and now_s - kept[0] < (FRESH_S if renew else KEPT_S):
            return kept[1]
        dialect = await self._dialect()
        entries = await dialect.checkpoints([TYPES[kind]], ["Active"])
        found = {name: Model(name, kind, description=entry.id) for entry in entries for name in entry.names}
        for name in await dialect.names(TYPES[kind]):
            found.setdefault(name, Model(name, kind))
        models = tuple(found.values())
        self._kept[kind] = (now_s, models)
        return models

    async def file(self, kind: str, name: str, *, place: str) -> str:
        """The file of that name, with or without its ending; as it is named where the list cannot be read.

        Raises ``InvalidRequest`` naming ``place``.
        """
        files: tuple[Model, ...] = ()
        for renew in (False, True):
            files = await self.readable(kind, renew=renew) or ()
            if not files:
                return name
            for file in files:
                if name in (file.id, file.id.rpartition(".")[0]):
                    return file.id
        raise InvalidRequest(
            f"{place}: the deployment has no {kind} {name!r}; there is {some_ids(files)}.",
            then="list_models shows all; add_checkpoint adds one.",
        )

    async def usual_checkpoint(self) -> str:
        """The checkpoint to take where none was named. Raises ``InvalidRequest`` when there is none."""
        files = await self.files("checkpoint")
        if not files:
            raise InvalidRequest("model: the deployment has no checkpoint.", then="Add one with add_checkpoint.")
        return next((file.id for file in files if PREFERRED in file.id), files[0].id)

    async def readable(self, kind: str, *, renew: bool = False) -> tuple[Model, ...] | None:
        """The files of a kind, or None where the list cannot be read."""
        try:
            return await self.files(kind, renew=renew)
        except AtelierError:
            return None

    async def endpoint(self, wanted: str, *, real_time: bool) -> str:
        """The endpoint of that name, or the first in service. Raises ``InvalidRequest`` when it cannot be used."""
        endpoints = await (await self._dialect()).endpoints()
        if wanted:
            return _named(wanted, endpoints)
        kind = "Real-time" if real_time else "Async"
        ready = [endpoint for endpoint in endpoints if endpoint.ready and endpoint.kind in ("", kind)]
        if ready:
            return ready[0].name
        coming = [endpoint.name for endpoint in endpoints if endpoint.state in ("Creating", "Updating")]
        if coming:
            raise InvalidRequest(
                f"No endpoint is in service yet; {', '.join(coming)} is on its way.", then="Wait for it."
            )
        raise InvalidRequest(
            "No endpoint is in service, and pictures need one.",
            then="Deploy one with deploy_endpoint (toolset aws): it costs money by the hour until it is deleted.",
        )


def _named(wanted: str, endpoints: Sequence[Endpoint]) -> str:
    for endpoint in endpoints:
        if endpoint.name == wanted:
            if endpoint.ready:
                return wanted
            raise InvalidRequest(f"Endpoint {wanted} is {endpoint.state or 'unknown'}, not InService.")
    there_is = ", ".join(endpoint.name for endpoint in endpoints if endpoint.name) or "none"
    raise InvalidRequest(f"There is no endpoint {wanted}; there is {there_is}.", then="list_endpoints shows all.")
