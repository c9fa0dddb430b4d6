"""Above a set amount a person is asked before anything is spent, in sessions of either kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.token_file import TokenFile
from tests.e2e.test_static_tokens import add_token
from tests.support.http_process import serve_in_process
from tests.support.http_service import connect, serve_http
from tests.support.task_client import open_http_caller
from tests.support.tool_results import get_refusal, get_structured, list_submits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]

REQUEST = {"prompt": "a secret kite", "samples": 3}
PRICE = '[[price]]\nprovider = "mhapi"\ncurrency = "CNY"\nper_image = 0.2\n'
LIMITS = {"pictures": {"ATELIER_CONFIRM_ABOVE_PICTURES": "2"}, "money": {"ATELIER_CONFIRM_ABOVE_MONEY": "0.5 CNY"}}


class Person:
    """Who is in front of the client: answers alike to every question."""

    def __init__(self, action: str = "accept") -> None:
        self.action: Any = action
        self.questions: list[str] = []

    async def answer(self, context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.questions.append(params.message)
        return types.ElicitResult(action=self.action, content={} if self.action == "accept" else None)


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    (tmp_path / "prices.toml").write_text(PRICE)
    return {**environ, "ATELIER_PRICES": str(tmp_path / "prices.toml")}


@pytest.fixture(params=["auto", "legacy"], ids=["question as answer", "question of the server's"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


@asynccontextmanager
async def sit_before(environ: Environ, person: Person | None, mode: Any, **more: str) -> AsyncGenerator[Client]:
    server = create_server(load_settings({**environ, **more}))
    async with Client(server, mode=mode, elicitation_callback=person.answer if person else None) as client:
        yield client


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
async def test_a_job_above_the_limit_is_made_once_when_the_person_agrees(
    environ: Environ, tmp_path: Path, mode: Any, limit: dict[str, str]
) -> None:
    """The question says what it is and costs, and nothing of the prompt: that is the client's to show."""
    person = Person()
    async with sit_before(environ, person, mode, **limit) as client:
        made = get_structured(await client.call_tool("generate_image", REQUEST))
    assert (made["state"], len(made["images"])) == ("succeeded", 3)
    assert len(list_submits(tmp_path / "access.jsonl")) == 1
    (question,) = person.questions
    for words in ("generate_image", made["account"], "3 pictures", "0.60 CNY", next(iter(limit))):
        assert words in question
    assert "secret" not in question


async def test_a_job_within_the_limits_is_made_without_a_question(environ: Environ, mode: Any) -> None:
    person = Person()
    async with sit_before(environ, person, mode, **LIMITS["pictures"], **LIMITS["money"]) as client:
        get_structured(await client.call_tool("generate_image", {**REQUEST, "samples": 2}))
    assert person.questions == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_spends_nothing_and_leaves_nothing_behind(
    environ: Environ, tmp_path: Path, mode: Any, action: str
) -> None:
    async with sit_before(environ, Person(action), mode, **LIMITS["pictures"]) as client:
        refusal = get_refusal(await client.call_tool("generate_image", REQUEST))
        assert "Nothing was spent." in refusal
        assert get_structured(await client.call_tool("list_jobs", {}))["jobs"] == []
        spend = await client.read_resource("atelier://spend")
        assert '"days": []' in getattr(spend.contents[0], "text", "")
    assert list_submits(tmp_path / "access.jsonl") == []


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
async def test_a_client_that_cannot_ask_is_told_how_it_can_go_on(
    environ: Environ, tmp_path: Path, mode: Any, limit: dict[str, str]
) -> None:
    """Not by an argument: a model would give it to itself."""
    async with sit_before(environ, None, mode, **limit) as client:
        refusal = get_refusal(await client.call_tool("generate_image", REQUEST))
    what, money, remedy = refusal.splitlines()
    assert next(iter(limit)) in what
    assert "no way to ask" in what
    assert money == "Nothing was spent."
    assert "raise that setting" in remedy
    assert list_submits(tmp_path / "access.jsonl") == []


async def test_a_price_that_nobody_knows_is_asked_about(environ: Environ, mode: Any) -> None:
    person = Person()
    unknown = {**environ, "ATELIER_PRICES": ""}
    async with sit_before(unknown, person, mode, **LIMITS["money"]) as client:
        get_structured(await client.call_tool("generate_image", {"prompt": "a kite"}))
    assert "a price that is not known" in person.questions[0]


async def test_what_is_under_way_is_joined_without_a_second_question(environ: Environ, mode: Any) -> None:
    person = Person()
    async with sit_before(environ, person, mode, **LIMITS["pictures"]) as client:
        started = get_structured(await client.call_tool("generate_image", {**REQUEST, "wait_s": 0}))
        joined = get_structured(await client.call_tool("generate_image", {**REQUEST, "wait_s": 0}))
    if joined["job_id"] == started["job_id"]:  # else it was finished meanwhile
        assert len(person.questions) == 1


async def ask_by_hand(client: Client, arguments: dict[str, Any]) -> types.InputRequiredResult:
    question = await client.session.call_tool("generate_image", arguments, allow_input_required=True)
    assert isinstance(question, types.InputRequiredResult)
    return question


async def answer_by_hand(
    client: Client, arguments: dict[str, Any], question: types.InputRequiredResult
) -> types.CallToolResult:
    result = await client.session.call_tool(
        "generate_image",
        arguments,
        input_responses={
            name: types.ElicitResult(action="accept", content={}) for name in question.input_requests or {}
        },
        request_state=question.request_state,
        allow_input_required=True,
    )
    assert isinstance(result, types.CallToolResult)
    return result


async def test_a_yes_is_good_for_one_job_however_often_it_is_sent(environ: Environ, tmp_path: Path) -> None:
    """Also when the job is finished by then."""
    async with sit_before(environ, Person(), "auto", **LIMITS["pictures"]) as client:
        question = await ask_by_hand(client, REQUEST)
        made = [get_structured(await answer_by_hand(client, REQUEST, question)) for _ in range(3)]
    assert len({one["job_id"] for one in made}) == 1
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_a_yes_to_one_request_is_none_to_another(environ: Environ, tmp_path: Path) -> None:
    async with sit_before(environ, Person(), "auto", **LIMITS["pictures"]) as client:
        question = await ask_by_hand(client, REQUEST)
        with pytest.raises(MCPError, match="requestState"):
            await answer_by_hand(client, {**REQUEST, "samples": 4}, question)
        forged = question.model_copy(update={"request_state": '{"job_id": "job_x"}'})
        with pytest.raises(MCPError, match="requestState"):
            await answer_by_hand(client, REQUEST, forged)
    assert list_submits(tmp_path / "access.jsonl") == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_http_the_person_is_asked_as_well(environ: Environ, tmp_path: Path, mode: Any) -> None:
    person, token = Person(), add_token(TokenFile(load_settings(environ).home), "alice", "create")
    async with (
        serve_http({**environ, **LIMITS["pictures"]}) as address,
        connect(address, token, mode=mode, elicitation_callback=person.answer) as client,
    ):
        get_structured(await client.call_tool("generate_image", REQUEST))
    assert len(person.questions) == 1
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


KEYS = {"one": "k7Xw2Pq9Lm4Rt6Vb8Nz1Hc3Jd5Fg0Sa+", "other": "Zy8Xv6Wu4Ts2Rq0Po9Nm7Lk5Ji3Hg1F="}


@pytest.mark.parametrize(("answers_with", "is_opened"), [("one", True), ("other", False)])
async def test_a_question_of_one_process_is_answered_at_another_that_has_its_key(
    environ: Environ, site: EmulatorHarness, tmp_path: Path, answers_with: str, is_opened: bool
) -> None:
    """What the client carries is sealed by the first; the job is sent by the second, once."""
    asking, answering = (
        {**environ, **LIMITS["pictures"], "ATELIER_SIGNING_KEYS": KEYS[name]} for name in ("one", answers_with)
    )
    call: dict[str, Any] = {"name": "generate_image", "arguments": REQUEST}
    with (
        serve_in_process(tmp_path, environ=asking, log_name="asking.log") as (first_address, _),
        serve_in_process(tmp_path, environ=answering, log_name="answering.log") as (second_address, _),
    ):
        async with open_http_caller(first_address) as first, open_http_caller(second_address) as second:
            first.capabilities = second.capabilities = {"elicitation": {"form": {}}}
            question = await first.request("tools/call", **call)
            assert question["resultType"] == "input_required"
            assert list_submits(tmp_path / "access.jsonl") == []
            carried: dict[str, Any] = {
                "requestState": question["requestState"],
                "inputResponses": {name: {"action": "accept", "content": {}} for name in question["inputRequests"]},
            }
            answers = [await second.ask("tools/call", **call, **carried) for _ in range(2)]
    if is_opened:
        assert [len(answer["result"]["_meta"]["atelier/result"]["images"]) for answer in answers] == [3, 3]
        assert len(list_submits(tmp_path / "access.jsonl")) == 1
    else:
        assert {answer["error"]["message"] for answer in answers} == {"Invalid or expired requestState"}
        assert list_submits(tmp_path / "access.jsonl") == []
