"""OpenAI's images API: what each end of a call means for the money, which sizes are drawn, what is asked again."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    OperatorError,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.images.finish_plan import Patch, Reframe
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded
from atelier_mcp.server.providers.openai_images.advanced import OpenaiOptions
from atelier_mcp.server.providers.openai_images.models import MODELS
from atelier_mcp.server.providers.openai_images.prices import expect_tokens, find_price
from atelier_mcp.server.providers.quote import count_tokens
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.testing import provider_calls
from tests.support.openai_script import build_event_stream, build_openai_error, create_provider
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import Plan
    from tests.support.clock import AutoAdvanceClock

GENERATIONS = "/v1/images/generations"
KITE = GenerateImage.model_validate({"prompt": "a kite", "model": "gpt-image-2", "format": "png"})
IMAGE = OutputImage(data=b"image")
B64 = base64.b64encode(b"image").decode()
DRAWN = build_response({"created": 1, "data": [{"b64_json": B64}]})
COMPLETED = {"type": "image_generation.completed", "b64_json": B64, "usage": {"output_tokens": 196}}
STREAM_HEADERS = {"content-type": "text/event-stream"}
HTML = "<html><body>Bad gateway</body></html>"


def make_options(**options: Any) -> dict[str, Any]:
    return {"advanced": OpenaiOptions.model_validate(options)}


async def draw(
    clock: AutoAdvanceClock, *answers: Any, request: GenerateImage = KITE, **settings: Any
) -> tuple[TaskSucceeded | TaskFailed, UpstreamScript]:
    """What becomes of a request that is answered so; every further call is answered with a picture."""
    base_path = "/" + settings.get("base_url", "https://api.openai.com/v1").split("/", 3)[3]
    script = UpstreamScript()
    script.set_steps(f"{base_path}/images/generations", [*answers, DRAWN])
    provider = create_provider(script, clock, **settings)
    outcome = await provider_calls.submit(provider, request)
    await provider.close()
    assert isinstance(outcome, TaskSucceeded | TaskFailed)
    return outcome, script


async def fail(
    clock: AutoAdvanceClock, *answers: Any, request: GenerateImage = KITE, **settings: Any
) -> tuple[AtelierError, int]:
    """The error of a request that is answered so, and how often it was sent."""
    script = UpstreamScript()
    script.set_steps(GENERATIONS, list(answers))
    provider = create_provider(script, clock, **settings)
    with pytest.raises(AtelierError) as caught:
        await provider_calls.submit(provider, request)
    await provider.close()
    return caught.value, len(script.requests)


async def plan(clock: AutoAdvanceClock, fields: dict[str, Any], size: tuple[int, int] | None = None) -> Plan:
    """A plan for a picture from words; with a ``size``, from a picture of it."""
    headers = {"image": ImageHeader("PNG", "image/png", *size, 1000)} if size else {}
    given = {"prompt": "a kite", **({"image": "img_1"} if size else {}), **fields}
    request = GenerateImage.model_validate(given)
    return await provider_calls.plan(create_provider(UpstreamScript(), clock), request, headers)


# What each end means for the money (contract: durable.outcomes.*)


@pytest.mark.parametrize(
    "lost",
    [
        httpx2.ReadTimeout("no"),
        httpx2.RemoteProtocolError("no"),
        *(build_openai_error(status, "server_error") for status in (408, 409, 460, 499, 502, 504)),
        *(build_response(HTML, status) for status in (400, 500, 502, 503, 520, 522, 524)),
        build_openai_error(503, "server_error"),
        build_response('{"data": [{"b64_', 200),
        build_response(HTML, 200),
        httpx2.Response(200, content=build_event_stream(), headers=STREAM_HEADERS),
        httpx2.Response(
            200,
            content=build_event_stream({"type": "image_generation.partial_image", "b64_json": B64}),
            headers=STREAM_HEADERS,
        ),
        httpx2.Response(200, content=b"data: [DONE]\n\n", headers=STREAM_HEADERS),
    ],
    ids=repr,
)
async def test_where_nobody_knows_what_became_of_it_it_is_never_sent_again(clock: AutoAdvanceClock, lost: Any) -> None:
    error, sent_count = await fail(clock, lost, DRAWN)
    assert isinstance(error, SubmitUnconfirmed)
    assert (error.spent, sent_count) == (Spent.MAYBE, 1)


@pytest.mark.parametrize(
    "accepted",
    [
        build_openai_error(500, "image_generation_failed"),
        build_openai_error(400, "moderation_blocked", moderation_details={"moderation_stage": "output"}),
        build_openai_error(400, "OutputImageSensitiveContentDetected"),
        build_response({"created": 1, "data": []}),
        build_response({"error": {"message": "no", "code": "x"}}),
        build_response({"data": [], "respect_moderation": False}),
        httpx2.Response(
            200,
            content=build_event_stream({"type": "error", "error": {"message": "no"}}),
            headers=STREAM_HEADERS,
        ),
    ],
    ids=repr,
)
async def test_what_was_taken_and_failed_may_have_cost_something_and_is_not_repeated(
    clock: AutoAdvanceClock, accepted: Any
) -> None:
    outcome, script = await draw(clock, accepted)
    assert isinstance(outcome, TaskFailed)
    assert outcome.reason.spent is Spent.MAYBE
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (build_openai_error(400, "billing_hard_limit_reached"), AccountRefused),
        (build_openai_error(429, "credit_balance_exhausted"), AccountRefused),
        (build_openai_error(403, ""), AccountRefused),
        (build_openai_error(404, "model_not_found"), InvalidRequest),
        (build_openai_error(404, ""), ConfigurationError),
        (build_response("", 413), InvalidRequest),
        (build_response({"detail": [{"loc": ["body", "prompt"], "msg": "too long"}]}, 422), InvalidRequest),
        (build_response({"error": "a bare string"}, 400), InvalidRequest),
        (
            build_response([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], 400),
            InvalidRequest,
        ),
        (build_openai_error(400, "contentFilter"), ContentRefused),
        (
            build_openai_error(400, "x", innererror={"code": "ResponsibleAIPolicyViolation"}),
            ContentRefused,
        ),
    ],
    ids=repr,
)
async def test_a_refusal_costs_nothing_and_says_who_can_mend_it(
    clock: AutoAdvanceClock, refusal: httpx2.Response, error_class: type[AtelierError]
) -> None:
    error, sent_count = await fail(clock, refusal)
    assert type(error) is error_class
    assert error.spent in {Spent.NOTHING, Spent.UNKNOWN}
    assert sent_count == 1


async def test_what_is_blocked_says_why_in_whichever_way_the_service_tells_it(clock: AutoAdvanceClock) -> None:
    told = build_openai_error(
        400, "moderation_blocked", moderation_details={"moderation_stage": "input", "categories": ["violence"]}
    )
    in_words = build_openai_error(400, "moderation_blocked", "Rejected. safety_violations=[violence]")
    for answer in (told, in_words):
        assert "will not draw that (violence)" in (await fail(clock, answer))[0].message


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (httpx2.Response(429, json={"error": {"message": "no"}}, headers={"retry-after": "7"}), 7),
        (httpx2.Response(429, json={"error": {"message": "no"}}, headers={"retry-after-ms": "1500"}), 1.5),
        (build_openai_error(429, "rate_limit_exceeded", "Limit 5. Please try again in 12s."), 12),
        (build_openai_error(429, "slow_down"), 20),
    ],
)
async def test_a_limit_is_waited_for_as_long_as_the_service_says(
    clock: AutoAdvanceClock, answer: Any, wait_s: float
) -> None:
    began_s = clock.monotonic()
    outcome, script = await draw(clock, answer)
    assert isinstance(outcome, TaskSucceeded)
    assert clock.monotonic() - began_s == pytest.approx(wait_s, abs=0.6)  # between two calls lies our own rate as well
    assert len(script.requests) == 2


async def test_a_limit_that_is_far_away_is_told_and_not_waited_for(clock: AutoAdvanceClock) -> None:
    answer = httpx2.Response(429, json={"error": {"message": "no"}}, headers={"retry-after": "3600"})
    error, sent_count = await fail(clock, answer)
    assert isinstance(error, RateLimited)
    assert sent_count == 1


async def test_an_overloaded_service_that_says_so_is_asked_again(clock: AutoAdvanceClock) -> None:
    outcome, script = await draw(clock, build_openai_error(503, "slow_down"))
    assert isinstance(outcome, TaskSucceeded)
    assert len(script.requests) == 2


async def test_a_server_of_ones_own_that_is_still_starting_is_asked_again(clock: AutoAdvanceClock) -> None:
    starting = build_response({"detail": "engine is starting"}, 503)
    outcome, _ = await draw(clock, starting, base_url="http://localhost:8000/v1")
    assert isinstance(outcome, TaskSucceeded)


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "Check OPENAI_API_KEY_2."), (404, "Check OPENAI_BASE_URL_2.")], ids=str
)
async def test_a_further_endpoint_names_its_own_settings(clock: AutoAdvanceClock, status: int, hint: str) -> None:
    script = UpstreamScript()
    script.set_steps("/v1/images/generations", build_response({"error": {"message": "no"}}, status))
    provider = create_provider(script, clock, name="openai_images_2")
    with pytest.raises(OperatorError) as caught:
        await provider_calls.submit(provider, KITE)
    assert caught.value.hint == hint


async def test_a_server_that_is_not_running_is_one_sentence(clock: AutoAdvanceClock) -> None:
    error, _ = await fail(clock, httpx2.ConnectError("no"))
    assert isinstance(error, ProviderUnavailable)
    assert error.message == "No connection to OpenAI could be made."


async def test_a_sensenova_403_is_waited_for_once_and_then_told_in_both_readings(clock: AutoAdvanceClock) -> None:
    address = "https://token.sensenova.cn/v1"
    refusal = build_openai_error(403, "7", "permission denied")
    began_s = clock.monotonic()
    outcome, script = await draw(clock, refusal, base_url=address)
    assert isinstance(outcome, TaskSucceeded)
    assert len(script.requests) == 2
    assert clock.monotonic() - began_s >= 20
    error, sent_count = await fail(clock, refusal, base_url=address)
    assert "after a wait of 20 s" in error.message
    assert sent_count == 2


async def test_an_optional_field_that_is_refused_is_left_out_once_and_remembered(clock: AutoAdvanceClock) -> None:
    script = UpstreamScript()
    script.set_steps(GENERATIONS, [build_openai_error(400, "unknown_parameter", param="stream"), DRAWN])
    provider = create_provider(script, clock)
    for _ in range(2):
        assert isinstance(await provider_calls.submit(provider, KITE), TaskSucceeded)
    assert ["stream" in request.body for request in script.requests] == [True, False, False]


async def test_a_field_that_was_asked_for_is_not_left_out(clock: AutoAdvanceClock) -> None:
    error, sent_count = await fail(clock, build_openai_error(400, "invalid_value", param="prompt"))
    assert isinstance(error, InvalidRequest)
    assert sent_count == 1


# Answers


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"b64_json": B64}]},
        {"data": [{"b64_json": f"data:image/png;base64,{B64}"}]},
        {"images": [{"b64_json": B64}]},
        {"data": [B64]},
    ],
)
async def test_a_picture_is_read_wherever_a_server_puts_it(clock: AutoAdvanceClock, body: dict[str, Any]) -> None:
    outcome, _ = await draw(clock, build_response(body))
    assert isinstance(outcome, TaskSucceeded)
    assert outcome.outputs == (IMAGE,)


async def test_a_link_is_kept_so_that_it_can_be_fetched_after_a_restart(clock: AutoAdvanceClock) -> None:
    outcome, _ = await draw(clock, build_response({"data": [{"url": "https://pictures.example/1.png"}]}))
    assert isinstance(outcome, TaskSucceeded)
    assert outcome.outputs == (OutputImage(url="https://pictures.example/1.png"),)


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
async def test_the_picture_of_a_stream_is_its_completed_event(clock: AutoAdvanceClock, end: bytes) -> None:
    events = build_event_stream({"type": "image_generation.partial_image", "b64_json": "AAAA"}, COMPLETED)
    outcome, script = await draw(clock, httpx2.Response(200, content=events + end, headers=STREAM_HEADERS))
    assert isinstance(outcome, TaskSucceeded)
    assert outcome.outputs == (IMAGE,)
    assert outcome.data["usage"] == {"output_tokens": 196}
    assert script.requests[0].body["partial_images"] == 0


async def test_fewer_pictures_than_asked_for_are_kept_and_the_rest_is_said_to_be_missing(
    clock: AutoAdvanceClock,
) -> None:
    request = KITE.model_copy(update={"samples": 3})
    outcome, script = await draw(clock, DRAWN, request=request)
    assert isinstance(outcome, TaskSucceeded)
    assert (len(outcome.outputs), len(outcome.missing_reasons)) == (1, 2)
    assert script.requests[0].body["n"] == 3
    assert "stream" not in script.requests[0].body


async def test_a_server_of_one_picture_a_call_is_called_for_each_and_what_came_is_kept(clock: AutoAdvanceClock) -> None:
    request = GenerateImage.model_validate({"prompt": "a kite", "samples": 3})
    lost = httpx2.ReadTimeout("no")
    outcome, script = await draw(clock, DRAWN, lost, request=request, base_url="https://token.sensenova.cn/v1")
    assert isinstance(outcome, TaskSucceeded)
    assert outcome.outputs == (IMAGE,)
    assert outcome.missing_reasons == ("its answer was lost",) * 2
    assert len(script.requests) == 2


async def test_the_job_is_named_in_the_request_for_the_services_log(clock: AutoAdvanceClock) -> None:
    _, script = await draw(clock)
    assert script.requests[0].headers["x-client-request-id"] == "job_testtesttesttest"


def test_a_price_is_known_by_tokens_and_model() -> None:
    usage = {"input_tokens_details": {"text_tokens": 40, "image_tokens": 1000}, "output_tokens": 1056}
    price = find_price("openai", "gpt-image-2.6-flare")
    assert price is not None
    assert price.compute(1, count_tokens({"usage": usage})) == Decimal("0.03988")
    assert price.compute(1, count_tokens({"usage": {}})) is None
    assert find_price("openai", "gpt-image-2") is None


def test_whoever_else_serves_a_model_of_that_name_asks_a_price_of_its_own() -> None:
    assert find_price("relay", "gpt-image-2.6-flare") is None


@pytest.mark.parametrize(
    ("more", "image_out"),
    [
        ({}, 1756),
        ({"quality": "low"}, 196),
        ({"quality": "max", "image_count": 3}, 3 * 7024),
        ({"size": (2048, 1024)}, 2 * 1756),
        ({"size": (512, 512)}, 1756),
    ],
)
def test_as_many_tokens_are_expected_as_such_drawings_took_or_more(more: dict[str, Any], image_out: int) -> None:
    asked: dict[str, Any] = {"prompt": "a kite", "quality": None, "size": None, "image_count": 1, "source_count": 0}
    assert expect_tokens(**{**asked, **more})["image_out"] == image_out


# Sizes and options


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("gpt-image-2", (1920, 1080), (1920, 1088)),
        ("gpt-image-2", (512, 512), (816, 816)),
        ("gpt-image-2", (4000, 3000), (3312, 2480)),
        ("gpt-image-2", (3000, 600), (3008, 1008)),
        ("gpt-image-2", (5000, 500), (3840, 1280)),
        ("gpt-image-1.5", (1920, 1080), (1536, 1024)),
        ("gpt-image-1.5", (900, 900), (1024, 1024)),
        ("dall-e-3", (600, 1000), (1024, 1792)),
    ],
)
async def test_a_size_is_drawn_by_the_models_rules_and_cropped_to_the_wish(
    clock: AutoAdvanceClock, model: str, wanted: tuple[int, int], sent: tuple[int, int]
) -> None:
    made = await plan(clock, {"model": model, "width": wanted[0], "height": wanted[1]})
    assert isinstance(made.sent_request, GenerateImage)
    assert (made.sent_request.width, made.sent_request.height) == sent
    assert made.finish == Reframe(size=wanted, keeps_ratio=True)
    assert f"drawn at {sent[0]}x{sent[1]}" in made.notes[0]


async def test_a_size_far_beyond_the_models_is_refused_with_the_way_out(clock: AutoAdvanceClock) -> None:
    with pytest.raises(InvalidRequest, match="nearest size is 1024x1024") as caught:
        await plan(clock, {"model": "gpt-image-1.5", "width": 4000, "height": 4000})
    assert "upscale_image" in caught.value.hint


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [(64, 64), (6000, 6000), (6000, 64), (64, 6000), (1000, 999), (1023, 3333)])
def test_no_model_is_ever_asked_for_a_size_it_does_not_draw(model: str, size: tuple[int, int]) -> None:
    rule = MODELS[model].sizes
    assert rule.find(rule.find(size)) == rule.find(size)


async def test_a_source_without_a_wish_gets_a_size_of_its_own_shape(clock: AutoAdvanceClock) -> None:
    made = await plan(clock, {"model": "gpt-image-2"}, (1600, 900))
    assert isinstance(made.sent_request, GenerateImage)
    assert (made.sent_request.width, made.sent_request.height) == (1376, 768)
    assert made.finish is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seed": 1}, "seed: OpenAI does not have that."),
        ({"negative_prompt": "rain"}, "negative_prompt: "),
        ({"steps": 10, "guidance": 3}, "steps, guidance: "),
        ({**make_options(quality="max")}, "advanced.quality: gpt-image-2 has low, medium, high."),
        ({**make_options(complexity="low")}, "advanced.complexity: "),
        ({**make_options(input_fidelity="high")}, "advanced.input_fidelity: "),
        ({**make_options(background="transparent"), "model": "dall-e-3"}, "advanced.background: "),
        ({**make_options(more_images=["img_2"])}, "advanced.more_images: give the first one as image."),
    ],
)
async def test_what_a_model_lacks_is_refused_before_anything_is_sent(
    clock: AutoAdvanceClock, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await plan(clock, {"model": "gpt-image-2", **fields})
    assert caught.value.message.startswith(words)


async def test_options_go_by_their_names_on_the_wire(clock: AutoAdvanceClock) -> None:
    options = {"quality": "max", "background": "transparent", "complexity": "high", "moderation": "low"}
    fields = {"prompt": "a kite", "model": "gpt-image-2.6-flare", **make_options(**options)}
    request = GenerateImage.model_validate(fields)
    _, script = await draw(clock, request=request)
    body = script.requests[0].body
    assert body.items() >= options.items()
    assert "output_format" not in body  # one can see through a PNG, which is what comes


async def test_a_jpeg_is_asked_for_as_one(clock: AutoAdvanceClock) -> None:
    request = KITE.model_copy(update={"format": "jpg", **make_options(compression=70)})
    _, script = await draw(clock, request=request)
    assert script.requests[0].body.items() >= {"output_format": "jpeg", "output_compression": 70}.items()


@pytest.mark.parametrize(("keeps_outside", "finish"), [(True, Patch()), (False, Reframe(size=(1000, 700)))])
async def test_beyond_the_mask_the_picture_is_put_back_unless_told(
    clock: AutoAdvanceClock, *, keeps_outside: bool, finish: Patch | Reframe
) -> None:
    request = InpaintImage.model_validate({"prompt": "a kite", "image": "img_1", "mask": "img_2"})
    request = request.model_copy(update=make_options(keeps_outside=keeps_outside))
    header = ImageHeader("PNG", "image/png", 1000, 700, 1000)
    made = await provider_calls.plan(
        create_provider(UpstreamScript(), clock), request, {"image": header, "mask": header}
    )
    assert made.finish == finish
    assert made.image_rules["image"].resize_to == made.image_rules["mask"].resize_to == (1008, 704)
