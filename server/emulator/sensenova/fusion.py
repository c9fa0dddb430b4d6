"""Conversations that draw: words, or the link of a picture the engine made (contract: fusion_chat_with_image)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.faults import verdict_on
from atelier_mcp.server.emulator.links import origin_of
from atelier_mcp.server.emulator.miaohua import answers as miaohua
from atelier_mcp.server.emulator.miaohua.auth import TokenDesk
from atelier_mcp.server.emulator.miaohua.models import BASES
from atelier_mcp.server.emulator.sensenova.answers import INTENT_MARK, SENSITIVE, UNSUPPORTED_MODEL, in_one, spoken
from atelier_mcp.server.emulator.sensenova.calls import Refused, reply
from atelier_mcp.server.emulator.sensenova.intent import wanted_drawing
from atelier_mcp.server.emulator.sensenova.parameters import read_conversation, read_drawing
from atelier_mcp.server.emulator.sensenova.standin import cut, prompt_tokens, words_for
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.sensenova.answers import Spoken
    from atelier_mcp.server.emulator.sensenova.calls import Call
    from atelier_mcp.server.emulator.sensenova.parameters import Conversation, Drawing

SERVICE: Final = "sensenova.fusion"
STUDIO: Final = "atelier_mcp.server.engine.studio:generate"
LARGEST_SEED: Final = 99_999_998
MODELS: Final = frozenset(model.model_name for model in BASES)
"""What is drawn with, by the names of Miaohua's list, letter for letter (model_spelling)."""
SENSITIVE_WORDS: Final = ("zorgblat", "forbiddenberry", "佐格布拉特", "禁忌莓")
"""Made up, so that nobody's real words are refused and every refusal can be tried."""


async def answer(call: Call) -> Response:
    """Words, a picture, the mark of an intent, or a refusal in band."""
    conversation, drawing = read_conversation(call.body), read_drawing(call.body)
    said = await _said(call, conversation, drawing)
    mark = call.world.settings.sensenova.done_terminator
    return reply(call, said, stream=conversation.stream, ends_with_mark=mark, closes=True)


async def _said(call: Call, conversation: Conversation, drawing: Drawing) -> Spoken:
    counted = prompt_tokens(conversation.turns)
    subject = wanted_drawing(conversation.turns)
    if subject is None:
        words = cut(words_for(conversation.turns, draws=True), conversation.max_new_tokens)
        return spoken(words, prompt_tokens=counted, picture=False)
    if not drawing.wanted:
        return in_one(INTENT_MARK, prompt_tokens=counted, picture=False)
    if any(word in subject.lower() for word in SENSITIVE_WORDS):
        return in_one(SENSITIVE, prompt_tokens=counted, picture=True, refused=True)
    if drawing.model not in MODELS:
        words = f"{UNSUPPORTED_MODEL}{drawing.model}"
        return in_one(words, prompt_tokens=counted, picture=True, refused=True)
    link = await _drawn(call, subject, drawing)
    if link is None:
        return in_one(SENSITIVE, prompt_tokens=counted, picture=True, refused=True)
    return in_one(link, prompt_tokens=counted, picture=True)


async def _drawn(call: Call, subject: str, drawing: Drawing) -> str | None:
    """The link of the finished picture, which the account of the token pays for; None for a sensitive one."""
    payer = await _payer(call, drawing.miaohua_token)
    seed = drawing.seed if drawing.seed is not None else call.world.dice.randint(1, LARGEST_SEED)
    order = Order(
        STUDIO,
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
        },
    )
    verdict = verdict_on(call.request)
    facts = {"model": drawing.model, "mh_add_prompt": drawing.extended}
    task = await call.world.tasks.accept(SERVICE, payer.access_key, order, facts=facts, verdict=verdict)
    outcome = await call.world.tasks.finished(task)
    if outcome.failed:
        raise Refused(500, outcome.failed)
    if task.verdict.code_of(0):
        return None
    path = f"tasks/{SERVICE}/{task.task_id}/{outcome.pictures[0].raw}"
    return call.world.links.make(path, origin=origin_of(call.request), seconds=call.world.settings.link_seconds)


async def _payer(call: Call, token: str) -> Account:
    """The Miaohua account of a token; what the service says of a bad one is not published."""
    try:
        return await asyncio.to_thread(TokenDesk(call.world).check, token)
    except miaohua.Refused as err:
        raise Refused(401, f"mh_key: {err}") from err
