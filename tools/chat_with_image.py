"""Talk, and draw when asked to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from atelier_mcp.server.errors import InvalidRequest, Spent
from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import ChatMessage, ChatWithImage
from atelier_mcp.server.tool_context import ToolContext

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job

CONVERSATIONS: Final = frozenset({"chat", "chat_with_image"})
DRAWN_REPLY: Final = "Here is the picture."
"""What the assistant said where it drew: no service takes pictures back in a conversation."""
CARRIED_FIELDS: Final = ("width", "height", "model")
"""How the earlier picture was drawn; the next one is drawn alike where the call does not say."""
ASKS_ANEW: Final = re.compile(
    r"\b(another|again|anew|more|different|else|variations?)\b|再|另|换一|重新", re.IGNORECASE
)
"""Words that want another picture, and not the earlier one changed."""


class ChatWithImageArguments(ChatWithImage):
    """The arguments of ``chat_with_image``."""

    continue_from: str | None = Field(None, description="Job id of an earlier answer: only say what is new")


@tool(
    toolset="chat",
    read_only=False,
    destructive=False,
    idempotent=False,
    waits=True,
    hidden_options=("wait_s",),
    opens_studio=True,
)
async def chat_with_image(request: ChatWithImageArguments, context: ToolContext) -> JobResult:
    """Answer a conversation in words, or draw when asked to. Costs money."""
    if request.continue_from is None:
        return await context.run(_build_request(request))
    from atelier_mcp.server.jobs.model import JobId

    (job,) = await context.services.jobs.get([JobId(request.continue_from)])
    return await context.run(_build_request(request, earlier_job=job))


def _build_request(arguments: ChatWithImageArguments, *, earlier_job: Job | None = None) -> ChatWithImage:
    """What goes to the service: the whole conversation, and nothing of how it was put together.

    Raises ``InvalidRequest`` for a job that has no answer to go on from.
    """
    values = {name: getattr(arguments, name) for name in arguments.model_fields_set - {"continue_from"}}
    if earlier_job is None:
        return ChatWithImage.model_validate(values)
    carried: dict[str, Any] = {
        name: earlier_job.request[name] for name in CARRIED_FIELDS if name in earlier_job.request
    }
    if (seed := _find_seed(earlier_job)) is not None and not ASKS_ANEW.search(arguments.messages[-1].content):
        carried["seed"] = seed  # the same scene, as far as the service can
    messages = (*_list_earlier_messages(earlier_job), *arguments.messages)
    return ChatWithImage.model_validate({**carried, **values, "messages": messages})


def _find_seed(job: Job) -> int | None:
    """The seed of the picture that a job drew; None where it drew none."""
    from atelier_mcp.server.jobs.model import Succeeded

    return next((image.seed for image in job.state.images), None) if isinstance(job.state, Succeeded) else None


def _list_earlier_messages(job: Job) -> tuple[ChatMessage, ...]:
    """The conversation of a job with its answer. Raises ``InvalidRequest`` where there is none."""
    from atelier_mcp.server.jobs.model import Succeeded, get_state_name

    if job.capability not in CONVERSATIONS:
        raise _build_refusal(f"{job.id} is {job.capability}, no conversation.", "Give the id of a chat_with_image job.")
    if not isinstance(job.state, Succeeded):
        hint = "Give its messages again." if job.is_finished else "Call wait_for_jobs first."
        raise _build_refusal(f"{job.id} is {get_state_name(job.state)}: it has no answer.", hint)
    reply = str(job.state.data.get("text") or DRAWN_REPLY)
    messages = [ChatMessage.model_validate(message) for message in job.request["messages"]]
    return (*messages, ChatMessage(role="assistant", content=reply))


def _build_refusal(reason: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"continue_from: {reason}", hint=hint, spent=Spent.UNKNOWN)
