"""Training a LoRA from images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import IMAGE_RULE, check_width, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import MhapiOperation, MhapiPayload, get_link
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.train import TrainLora

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

SUBJECTS = ("human", "style")
MIN_IMAGES = 10
MAX_WIDTHS = {"name": 64, "trigger": 256, "description": 1024}


class MhapiTraining(MhapiOperation[TrainLora]):
    """``train_lora``."""

    request_type = TrainLora

    async def plan(self, request: TrainLora, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its base checked.

        Raises ``InvalidRequest`` for fewer than ten different images (contract: lora.train.images_limits).
        """
        _check_images(request)
        for name, limit in MAX_WIDTHS.items():
            check_width(name, getattr(request, name), limit)
        base, notes = await choose_service_model(self._model_list, "training_base", request.base, field="base")
        rules = build_uniform_rules(request, IMAGE_RULE)
        return Plan(request.model_copy(update={"base": base}), rules, notes)

    def build_payload(self, request: TrainLora, links: Mapping[str, str]) -> MhapiPayload:
        """Each image once."""
        images = [get_link(links, format_place("images", i)) for i in range(len(request.images))]
        body = {
            "base_model_id": request.base,
            "model_name": request.name,
            "description": request.description,
            "trigger_word": request.trigger,
            # Human and Style, NORMAL and VIP: spelled as printed (contract: enums.lora_main_object,
            # enums.lora_task_type).
            "main_object": request.subject.capitalize(),
            "task_type": request.queue.upper(),
            "images": list(dict.fromkeys(images)),  # the minimum counts different ones
        }
        return MhapiPayload("/v1/lora/train", "lora", body)


def _check_images(request: TrainLora) -> None:
    """Raise ``InvalidRequest`` for what MHAPI cannot learn from."""
    if request.dataset_ids:
        raise InvalidRequest(
            "dataset_ids: MHAPI keeps no data sets; give images.",
            hint="Or name the service that keeps them as provider.",
        )
    if request.subject not in SUBJECTS:
        raise InvalidRequest(f"subject: MHAPI learns {' or '.join(SUBJECTS)}, not {request.subject}.")
    distinct = len(set(request.images))
    if distinct < MIN_IMAGES:
        raise InvalidRequest(f"images: at least {MIN_IMAGES} different pictures are needed, not {distinct}.")
