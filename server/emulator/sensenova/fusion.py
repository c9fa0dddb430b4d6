"""Conversations that draw: words, or the link of a picture the engine made (contract: fusion_chat_with_image)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.sensenova.auth import authenticate_payer
from atelier_mcp.server.emulator.sensenova.calls import build_response
from atelier_mcp.server.emulator.sensenova.errors import (
    SENSITIVE,
    UNSUPPORTED_MODEL,
    SensenovaHttpError,
    is_sensitive,
)
from atelier_mcp.server.emulator.sensenova.intent import find_changed_drawing, find_drawing_request
from atelier_mcp.server.emulator.sensenova.models import is_model
from atelier_mcp.server.emulator.sensenova.parameters import read_conversation, read_drawing
from atelier_mcp.server.emulator.sensenova.responder import compose_reply, count_prompt_tokens, truncate
from atelier_mcp.server.emulator.sensenova.responses import (
    INTENT_MARK,
    build_completion,
    build_single_chunk_completion,
)
from atelier_mcp.server.emulator.sensenova.switches import SensenovaSwitches

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.sensenova.calls import CallRow, SensenovaCall
    from atelier_mcp.server.emulator.sensenova.parameters import Conversation, DrawingParameters
    from atelier_mcp.server.emulator.sensenova.responses import ChatCompletion

# The documented path first, then the one of the gateway (fusion_chat_with_image.path_order).
PATHS: Final = ("/v1/fusion/chat-with-image", "/fusion/v1/chat-with-image")
SERVICE: Final = "sensenova.fusion"
GENERATE: Final = "generate"
LARGEST_SEED: Final = 99_999_998


def build_rows() -> list[CallRow]:
    """The call at all its paths."""
    return [("POST", path, create_image_completion) for path in PATHS]


async def create_image_completion(call: SensenovaCall) -> Response:
    """Words, a picture, the mark of an intent, or a refusal in band."""
    conversation, drawing = read_conversation(call.body), read_drawing(call.body)
    # What fails before the first chunk is JSON, also where a stream was asked for
    # (fusion_chat_with_image.error_in_stream_request).
    completion = await _complete(call, conversation, drawing)
    sends_done_event = call.emulator.settings.get_switches(SensenovaSwitches).done_terminator
    return build_response(
        call, completion, stream=conversation.stream, sends_done_event=sends_done_event, closes_connection=True
    )


async def _complete(call: SensenovaCall, conversation: Conversation, drawing: DrawingParameters) -> ChatCompletion:
    token_count = count_prompt_tokens(conversation.messages)
    subject = find_drawing_request(conversation.messages)
    if subject is None:
        text = truncate(compose_reply(conversation.messages, can_draw=True), conversation.max_new_tokens)
        return build_completion(text, prompt_tokens=token_count, has_image=False)
    # An intent is only told: neither its words nor the model are looked at.
    if not drawing.is_wanted:
        return build_single_chunk_completion(INTENT_MARK, prompt_tokens=token_count, has_image=False)
    if is_sensitive(subject):
        return build_single_chunk_completion(SENSITIVE, prompt_tokens=token_count, has_image=True, is_refusal=True)
    if not is_model(drawing.model):
        text = f"{UNSUPPORTED_MODEL}{drawing.model}"
        return build_single_chunk_completion(text, prompt_tokens=token_count, has_image=True, is_refusal=True)
    drawn = await _draw(call, subject, drawing, kept=find_changed_drawing(conversation.messages))
    if drawn is None:
        return build_single_chunk_completion(SENSITIVE, prompt_tokens=token_count, has_image=True, is_refusal=True)
    link, remarks = drawn
    completion = build_single_chunk_completion(link, prompt_tokens=token_count, has_image=True)
    return replace(completion, remarks=remarks)


async def _draw(
    call: SensenovaCall, subject: str, drawing: DrawingParameters, *, kept: str | None
) -> tuple[str, tuple[str, ...]] | None:
    """The link of the finished picture, which the account of the token pays for, and what the engine says of it.

    None for a sensitive one.

    ``kept`` is the drawing that this one changes: it is drawn in the same composition, with the same seed.
    """
    # Before anything is drawn: what cannot be paid for is not begun.
    account = await authenticate_payer(call.emulator, drawing.miaohua_token)
    seed = drawing.seed
    if seed is None and kept is not None:
        seed = await _find_seed(call, account.access_key, kept)
    if seed is None:
        seed = call.emulator.rng.randint(1, LARGEST_SEED)
    engine_task = EngineTask(
        GENERATE,
        {
            "prompt": subject,
            "seed": seed,
            "width": drawing.width,
            "height": drawing.height,
            "steps": drawing.steps,
            "guidance": drawing.guidance,
            "watermark": "Default",
            "file_format": "PNG",
            "controls": [],
            "profiles": [],
            **({} if kept is None else {"composition": kept}),
        },
    )
    verdict = get_verdict(call.request)
    facts = {"model": drawing.model, "mh_add_prompt": drawing.extends_prompt, "drawing": kept or subject, "seed": seed}
    task = await call.emulator.tasks.accept(SERVICE, account.access_key, engine_task, facts=facts, verdict=verdict)
    outcome = await call.emulator.tasks.wait_for_outcome(task)
    if outcome.failed:
        raise SensenovaHttpError(500, outcome.failed)
    if task.verdict.get_error_code(0):
        return None
    # Exactly one, however many were wished for (fusion_chat_with_image.multiple_pictures).
    path = f"tasks/{SERVICE}/{task.task_id}/{outcome.images[0].raw}"
    link = call.emulator.links.create_link(
        path, origin=get_origin(call.request), seconds=call.emulator.settings.link_seconds
    )
    return link, outcome.notes


async def _find_seed(call: SensenovaCall, account: str, drawing: str) -> int | None:
    """The seed that the account's latest picture of that drawing was made with."""
    views = await call.emulator.tasks.list_views(SERVICE, account)
    return next((view.task.facts["seed"] for view in views[::-1] if view.task.facts.get("drawing") == drawing), None)
