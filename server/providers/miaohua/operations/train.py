"""Training a LoRA from data sets; images become a data set of their own first."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection
from atelier_mcp.server.providers.miaohua.model_list import AUTOMATIC_BASE, MODEL_LIST_ERRORS, is_same_name
from atelier_mcp.server.providers.miaohua.operation import MiaohuaOperation, MiaohuaPayload, build_plan
from atelier_mcp.server.providers.miaohua.operations.datasets import create_dataset
from atelier_mcp.server.providers.miaohua.task_poller import TRAINING_TASK
from atelier_mcp.server.requests.train import TrainLora

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ListedModel, Plan

MAX_IMAGES = 100
"""All of them pass through this process at once; a larger set is made of several calls of add_dataset_images."""
DEFAULT_NAME = "Untitled LoRA"


class MiaohuaTraining(MiaohuaOperation[TrainLora]):
    """``train_lora``."""

    request_type = TrainLora

    async def plan(self, request: TrainLora, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With a name, and a base from the list."""
        if len(request.images) > MAX_IMAGES:
            raise InvalidRequest(
                f"images: {len(request.images)}; at most {MAX_IMAGES} in one call.",
                hint="Make a data set with create_dataset and add_dataset_images, then give dataset_ids.",
            )
        is_named = request.base is not None and request.base.lower() != AUTOMATIC_BASE
        bases = await self._try_fetch_bases() if is_named else ()
        changes: dict[str, Any] = {
            "name": request.name or DEFAULT_NAME,
            "base": _resolve_base(request.base, bases),
        }
        notes = [f"the name of the LoRA is {DEFAULT_NAME}"] if request.name is None else []
        if request.queue != "normal":
            notes.append("Miaohua has one queue for all trainings")
            changes["queue"] = "normal"
        return build_plan(request.model_copy(update=changes), tuple(notes), has_unchecked_ids=bases is None)

    async def build_payload(self, request: TrainLora, links: Mapping[str, str]) -> MiaohuaPayload:
        """Nothing of a base where the service is to choose it.

        Older services want the base's display name, later ones its version id. A base that is known by its display
        name alone is sent as that (contract: base_model_selector).
        """
        body: dict[str, Any] = {
            "name": request.name,
            "description": request.description or "",
            "trigger_word": request.trigger or "",
            # The service writes its subjects with a capital letter, ours are lower case.
            "main_body": request.subject.capitalize(),
            "dataset": await self._collect_datasets(request, links),
        }
        # Both keys where both are known: each version reads the one it knows and ignores the other.
        base_name = await self._find_base_name(request.base)
        if base_name and base_name != request.base:
            body |= {"base_model_version": request.base, "base_model": base_name}
        elif request.base not in (None, AUTOMATIC_BASE):
            body |= {"base_model": request.base}
        return MiaohuaPayload("/train_submit", TRAINING_TASK, body)

    async def _collect_datasets(self, request: TrainLora, links: Mapping[str, str]) -> list[int]:
        """The data sets to learn from; images become one more, under a name of its own."""
        if not links:
            return list(request.dataset_ids)
        # a name that two trainings of one name do not share, and that a repetition of this one does
        digest = hashlib.sha256("".join(request.images).encode()).hexdigest()[:8]
        try:
            new_id = await create_dataset(
                self._account.session, f"{request.name} {digest}", request.description, list(links.values())
            )
            await self._account.dataset_images.add(list(links.values()), request.images)
        except SubmitUnconfirmed as err:  # a data set costs nothing: the training was surely not submitted
            raise ProviderUnavailable(err.message, hint="Try again.") from err
        return [*request.dataset_ids, new_id]

    async def _find_base_name(self, base: str | None) -> str:
        """The display name of a base to train on, where there is one and the lists tell it."""
        bases = [] if base in (None, AUTOMATIC_BASE) else await self._try_fetch_bases() or []
        return next((model.name for model in bases if model.id == base), "")

    async def _try_fetch_bases(self) -> Sequence[ListedModel] | None:
        """What can be trained on; None where the list cannot be read."""
        try:
            return await self._account.model_list.fetch_training_bases()
        except (*MODEL_LIST_ERRORS, MiaohuaRejection):
            return None


def _resolve_base(requested_name: str | None, bases: Sequence[ListedModel] | None) -> str:
    """The listed base of that id or name; the service's own choice without a name, the name itself without a list.

    Raises ``InvalidRequest`` for one that is not listed.
    """
    if requested_name is None or requested_name.lower() == AUTOMATIC_BASE:
        return AUTOMATIC_BASE
    if bases is None:
        return requested_name
    for base in bases:
        if base.id == requested_name or is_same_name(base.name, requested_name):
            return base.id
    base_ids = ", ".join(base.id for base in bases)
    raise InvalidRequest(f"base: Miaohua cannot train on {requested_name!r}; there is {base_ids}.")
