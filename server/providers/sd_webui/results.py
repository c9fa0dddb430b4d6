"""From the answer of a drawing call to its pictures, and to what was drawn otherwise than it was asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import Spent, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.providers.sd_webui.wire import SdWebuiInfo, decode_base64_image, get_images, parse_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession


async def read_images(
    session: SdWebuiSession, body: Mapping[str, Any], answer: Mapping[str, Any], *, count: int
) -> TaskSucceeded:
    """The pictures of an answer to ``body``, ``count`` of them where all went well (contract: txt2img.extra_images).

    Raises ``SubmitUnconfirmed`` for an answer that is none, and ``UpstreamFailed`` for one without a picture: 200 is
    not success yet.
    """
    images = get_images(answer)
    info = parse_info(answer.get("info"))
    wanted = (images or [])[info.index_of_first_image :][:count]
    data = await asyncio.to_thread(lambda: [decode_base64_image(image) for image in wanted])
    seeds: list[int | None] = [*info.all_seeds, *[None] * count]
    outputs = [OutputImage(data=item, seed=seed) for item, seed in zip(data, seeds, strict=False) if item]
    if images is None or (wanted and not outputs):
        raise session.build_unreadable_error()
    if not outputs:
        raise UpstreamFailed("The WebUI answered without a picture: it was stopped there.", spent=Spent.NOTHING)
    notes = list_replacements(body, info)
    remarks = session.client.clean("; ".join(info.comments))
    return TaskSucceeded(
        tuple(outputs),
        data=({"notes": list(notes)} if notes else {}) | ({"remarks": remarks} if remarks else {}),
        missing_reasons=("the WebUI was stopped before it was drawn",) * (count - len(outputs)),
    )


def list_replacements(body: Mapping[str, Any], info: SdWebuiInfo) -> tuple[str, ...]:
    """What the service took in the place of what it was asked for, of which it says nothing itself."""
    settings: Mapping[str, Any] = body.get("override_settings") or {}
    found = (
        ("checkpoint", settings.get("sd_model_checkpoint"), info.sd_model_name),
        ("sampler", body.get("sampler_name"), info.sampler_name),
        ("scheduler", body.get("scheduler"), info.scheduler),
    )
    return tuple(
        f"The WebUI drew with the {what} {used} instead of {asked}."
        for what, asked, used in found
        if asked and used and not _is_same(str(asked), used)
    )


def _is_same(asked: str, used: str) -> bool:
    """Whether two names mean one thing: a sampler may carry its scheduler, a checkpoint its ending or its folder."""
    one, other = (_simplify(name) for name in (asked, used))
    return one == other or one.startswith(f"{other} ") or other.startswith(f"{one} ") or one.endswith(other)


def _simplify(name: str) -> str:
    text = name.partition(" [")[0].lower().replace("_", " ")
    return text.rpartition(".")[0] if text.endswith((".safetensors", ".ckpt", ".gguf")) else text
