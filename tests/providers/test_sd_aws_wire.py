"""Both dialects of Stable Diffusion on AWS send exactly what the golden pairs say and read what they answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import BaseModel

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
from atelier_mcp.server.requests.aws import CreateTrainingBase, DeployEndpoint
from tests.support.upstream_script import UpstreamScript, build_response
from tests.support.wire_pairs import WIRE_FOLDER, format_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clock import AutoAdvanceClock

PAIRS = {
    generation: [
        pair
        for pair in json.loads((WIRE_FOLDER / "sd_aws" / f"{generation}.json").read_text("utf-8"))
        if "client" in pair["binds"]
    ]
    for generation in ("2023", "2024")
}
REQUESTS = {kind.capability: kind for kind in (DeployEndpoint, CreateTrainingBase)}


async def open_dialect(script: UpstreamScript, clock: AutoAdvanceClock, folder: Path, generation: str) -> Any:
    """The dialect that the provider chooses when the service answers as that generation."""
    script.set_steps(
        "/ping",
        build_response({"message": "pong"}) if generation == "2024" else build_response({"message": "Forbidden"}, 403),
    )
    script.set_steps("/inference/test-connection", build_response({"message": "Success"}))
    provider = SdAwsProvider(
        url="https://x.example/prod", api_key="the-key", username="api", folder=folder, clock=clock,
        transport=_StagedScript(script).transport,
    )  # fmt: skip
    dialect = await provider._get_dialect()  # pyright: ignore[reportPrivateUsage]  # the pairs bind calls, not requests
    script.requests.clear()
    return dialect


class _StagedScript:
    """A script whose paths have no stage."""

    def __init__(self, script: UpstreamScript) -> None:
        import httpx2

        def handle(request: httpx2.Request) -> httpx2.Response:
            path = request.url.raw_path.decode().removeprefix("/prod")
            staged = httpx2.Request(
                request.method, f"https://x.example{path}", headers=request.headers, content=request.content
            )
            return script.transport.handle_request(staged)

        self.transport = httpx2.MockTransport(handle)


@pytest.mark.parametrize(
    ("generation", "pair"),
    [(generation, pair) for generation, listed in PAIRS.items() for pair in listed],
    ids=lambda value: value if isinstance(value, str) else format_name(value),
)
async def test_the_dialect_sends_the_request_and_reads_the_answer(
    generation: str, pair: dict[str, Any], script: UpstreamScript, clock: AutoAdvanceClock, tmp_path: Path
) -> None:
    dialect = await open_dialect(script, clock, tmp_path, generation)
    body = "" if pair["answer"]["status"] == 204 else json.dumps(pair["answer"]["body"])
    script.set_steps(pair["request"]["path"], build_response(body, pair["answer"]["status"]))
    parsed = await _call_dialect(dialect, pair["asked"])
    (sent,) = script.requests
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": sent.body} == pair["request"]
    assert sent.headers["x-api-key"] == "the-key"
    user = "authorization" if generation == "2023" else "username"
    assert sent.headers[user] == ("Bearer 617069" if generation == "2023" else "api")
    assert _select_like(parsed, pair["parsed"]) == pair["parsed"]


async def _call_dialect(dialect: Any, asked: dict[str, Any]) -> Any:
    arguments = [_parse_argument(value) for value in asked["args"]]
    if asked["call"] == "start_inference":
        arguments.append(lambda share, word: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # a report
    try:
        return _to_json(await getattr(dialect, asked["call"])(*arguments))
    except AtelierError as err:
        return {"error": type(err).__name__, "says": str(err)}


def _parse_argument(value: Any) -> Any:
    match value:
        case {"request": name, "fields": fields}:
            return REQUESTS[name].model_validate(fields)
        case {"order": order}:
            return InferencePayload(**order)
        case _:
            return value


def _to_json(value: Any) -> Any:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case list() | tuple():
            return [_to_json(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _select_like(parsed: Any, expected: Any) -> Any:
    """The parsed answer with what the pair does not speak of left out, and an error's text cut down to its words."""
    if isinstance(expected, dict) and isinstance(parsed, dict):
        kept = {
            name: _select_like(cast("Any", parsed).get(name), value) for name, value in cast("Any", expected).items()
        }
        if "says" in kept and cast("Any", expected)["says"] in cast("Any", parsed)["says"]:
            kept["says"] = cast("Any", expected)["says"]
        return kept
    if isinstance(expected, list) and isinstance(parsed, list):
        wanted, found = cast("list[Any]", expected), cast("list[Any]", parsed)
        return found if len(found) != len(wanted) else [_select_like(*both) for both in zip(found, wanted, strict=True)]
    return parsed
