"""Asking the person in front of a client whether a job may be sent, by elicitation.

In sessions of the older protocol the question is a request of ours, and the call waits for its answer. From 2026-07-28
on the call ends with the question, and comes again with the answer and what we gave it to carry, sealed: any server
that has the keys can take it up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.consent import Consent, ConsentNeeded

ASKS_BY_ANSWER_SINCE: Final = "2026-07-28"
QUESTION: Final = "consent"
"""The key of the question among those of an answer."""
ASK_LIMIT_S: Final = 600.0
"""How long a person may think; as long as what the client carries is good for."""
NO_FIELDS: Final[dict[str, Any]] = {"type": "object", "properties": {}}
"""Yes or no is all there is to say."""


class QuestionForClient(Exception):  # no error: it is how a call ends that comes again
    """Ends a call with a question, in place of a result."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        """``result`` is what the client gets."""
        super().__init__("a person is asked")
        self.result = result


class Approval:
    """The person's consent, for one call."""

    def __init__(self, context: Context[Any, Any]) -> None:
        """``context`` is the SDK's for the call."""
        self._context = context
        self.asked_s: float = 0.0
        """How many seconds the person has been asked for."""

    def find_consent(self) -> Consent | None:
        """What the person has agreed to when the call was made before; None where it was not.

        Raises ``ConsentRefused`` where the person said no.
        """
        from atelier_mcp.server.jobs.consent import parse_consent

        state, responses = self._context.request_state, self._context.input_responses
        response = responses.get(QUESTION) if responses else None
        # Sealed by the SDK for this caller, tool and arguments, and opened again before it comes here.
        consent = parse_consent(state) if state else None
        if consent is None or not isinstance(response, types.ElicitResult):
            return None
        _require_yes(response)
        return consent

    async def ask(self, needed: ConsentNeeded, *, clock: Clock) -> Consent:
        """Ask the person. Raises ``needed`` where that cannot be done, and ``ConsentRefused``.

        Raises ``QuestionForClient`` where the question is the answer to this call.
        """
        if not self._can_ask():
            raise needed
        if (self._context.protocol_version or "") >= ASKS_BY_ANSWER_SINCE:
            raise QuestionForClient(_build_question(needed))
        before_s = clock.monotonic()
        response = await self._elicit(needed)
        self.asked_s += clock.monotonic() - before_s
        _require_yes(response)
        return needed.consent

    def _can_ask(self) -> bool:
        capabilities = self._context.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        # Without a mode it is that of forms, the first there was.
        return elicitation is not None and (elicitation.form is not None or elicitation.url is None)

    async def _elicit(self, needed: ConsentNeeded) -> types.ElicitResult:
        from atelier_mcp.server.jobs.consent import ConsentRefused

        context = self._context
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                return await context.request_context.session.elicit_form(
                    message=needed.question, requested_schema=NO_FIELDS, related_request_id=context.request_id
                )
        except TimeoutError as err:
            raise ConsentRefused("The person who has to agree did not answer.", hint="Ask them first.") from err
        except MCPError as err:  # no way back to this client, or none that it knows
            raise needed from err


def _build_question(needed: ConsentNeeded) -> types.InputRequiredResult:
    params = types.ElicitRequestFormParams(message=needed.question, requested_schema=NO_FIELDS)
    return types.InputRequiredResult(
        input_requests={QUESTION: types.ElicitRequest(params=params)}, request_state=needed.consent.to_text()
    )


def _require_yes(response: types.ElicitResult) -> None:
    from atelier_mcp.server.jobs.consent import ConsentRefused

    if response.action == "decline":
        raise ConsentRefused(
            "The person who has to agree declined: the job was not sent.", hint="Ask them what they want instead."
        )
    if response.action != "accept":
        raise ConsentRefused(
            "The person who has to agree closed the question: the job was not sent.", hint="Ask them first."
        )
