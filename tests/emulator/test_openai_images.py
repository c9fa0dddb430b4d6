"""The images API's stand-in: what it takes, what it refuses, and what it counts as paid."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

GENERATIONS = "/images/generations"
EDITS = "/images/edits"
KITE = {"model": "gpt-image-2", "prompt": "a kite"}
PNG = encode_plain_image(64, 48)


async def call(
    site: EmulatorHarness, path: str, body: Any = None, *, key: str = DEMO_API_KEY, **options: Any
) -> httpx2.Response:
    """A POST of JSON where there is a body or a form, else a GET."""
    headers = {"Authorization": f"Bearer {key}", "X-Client-Request-Id": "attempt-1"}
    method = "POST" if body is not None or options else "GET"
    return await site.client.request(method, f"/openai/v1{path}", json=body, headers=headers, **options)


async def edit(site: EmulatorHarness, *files: tuple[str, bytes], **fields: Any) -> httpx2.Response:
    parts = [(name, (f"{name}.png", data, "image/png")) for name, data in files]
    return await call(site, EDITS, data={**KITE, **fields}, files=parts)


def read_error(response: httpx2.Response) -> tuple[int, str | None, str | None]:
    """Status, code and parameter, of an envelope of the right shape."""
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys()
    return response.status_code, error["code"], error["param"]


def read_image(response: httpx2.Response, index: int = 0) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(base64.b64decode(response.json()["data"][index]["b64_json"])))


def read_events(response: httpx2.Response) -> list[dict[str, Any]]:
    """The events of a stream, whose name stands in its line and in its data."""
    events: list[dict[str, Any]] = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


async def list_drawings(site: EmulatorHarness) -> list[dict[str, Any]]:
    return (await site.call_control("GET", "/openai_images/drawings"))["drawings"]


def make_mask(size: tuple[int, int] = (64, 48), mode: str = "RGBA") -> bytes:
    mask = Image.new(mode, size, "black")
    if mode == "RGBA":
        mask.paste((255, 255, 255, 0), (10, 10, 40, 40))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


async def test_words_become_a_picture_of_the_size_that_was_asked_for(site: EmulatorHarness) -> None:
    response = await call(site, GENERATIONS, {**KITE, "size": "1536x864", "quality": "low"})
    assert read_image(response).size == (1536, 864)
    document = response.json()
    facts = {name: document[name] for name in ("background", "output_format", "quality", "size")}
    assert facts == {"background": "opaque", "output_format": "png", "quality": "low", "size": "1536x864"}
    usage = document["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(("file_format", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
async def test_the_file_has_the_format_that_was_asked_for(site: EmulatorHarness, file_format: str, kind: str) -> None:
    assert read_image(await call(site, GENERATIONS, {**KITE, "output_format": file_format})).format == kind


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": None}, (400, "missing_required_parameter", "model")),
        ({"prompt": ""}, (400, "missing_required_parameter", "prompt")),
        ({"model": "dall-e-3"}, (404, "model_not_found", None)),
        ({"response_format": "b64_json"}, (400, "unknown_parameter", "response_format")),
        ({"seed": 7}, (400, "unknown_parameter", "seed")),
        ({"input_fidelity": "high"}, (400, "unknown_parameter", "input_fidelity")),
        ({"complexity": "high"}, (400, "unknown_parameter", "complexity")),
        ({"quality": "max"}, (400, "invalid_value", "quality")),
        ({"n": 11}, (400, "invalid_value", "n")),
        ({"size": "1000x1000"}, (400, "invalid_value", "size")),
        ({"size": "512x512"}, (400, "invalid_value", "size")),
        ({"size": "3840x1024"}, (400, "invalid_value", "size")),
        ({"size": "1920x1088", "model": "gpt-image-1.5"}, (400, "invalid_value", "size")),
        ({"output_format": "gif"}, (400, "invalid_value", "output_format")),
        ({"output_compression": 50}, (400, "invalid_value", "output_compression")),
        ({"background": "transparent", "output_format": "jpeg"}, (400, "invalid_value", "background")),
        ({"partial_images": 4}, (400, "invalid_value", "partial_images")),
        ({"prompt": "a zorgblat"}, (400, "moderation_blocked", None)),
    ],
)
async def test_what_a_model_does_not_take_is_refused_and_not_counted(
    site: EmulatorHarness, fields: dict[str, Any], error: tuple[int, str, str | None]
) -> None:
    body = {name: value for name, value in {**KITE, **fields}.items() if value is not None}
    assert read_error(await call(site, GENERATIONS, body)) == error
    assert await list_drawings(site) == []


async def test_lenient_it_ignores_what_it_does_not_know(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"openai_images": {"strict": False}})
    assert (await call(site, GENERATIONS, {**KITE, "seed": 7})).status_code == 200


async def test_without_the_key_nobody_is_let_in(site: EmulatorHarness) -> None:
    assert read_error(await site.client.get("/openai/v1/models")) == (401, "invalid_api_key", None)
    assert read_error(await call(site, "/models", key="wrong")) == (401, "invalid_api_key", None)


async def test_a_rate_is_told_in_header_and_words(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"rate_per_s": 1})
    await call(site, "/models")
    response = await call(site, "/models")
    assert read_error(response) == (429, "rate_limit_exceeded", None)
    assert response.headers["retry-after"] == "1"
    assert "try again in 1s" in response.json()["error"]["message"]
    assert response.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_stream_ends_with_the_picture_after_as_many_previews_as_were_asked_for(site: EmulatorHarness) -> None:
    response = await call(site, GENERATIONS, {**KITE, "stream": True, "partial_images": 2})
    assert response.headers["content-type"] == "text/event-stream"
    events = read_events(response)
    types = [event["type"] for event in events]
    assert types == [*["image_generation.partial_image"] * 2, "image_generation.completed"]
    assert [event.get("partial_image_index") for event in events] == [0, 1, None]
    assert events[-1]["usage"]["output_tokens"] > 0
    assert "[DONE]" not in response.text


async def test_several_pictures_of_a_stream_complete_one_after_the_other(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"openai_images": {"done_terminator": True}})
    response = await call(site, GENERATIONS, {**KITE, "stream": True, "n": 2})
    assert response.text.count("event: image_generation.completed") == 2
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("kind", "code"), [("failed", "image_generation_failed"), ("sensitive", "moderation_blocked")])
async def test_what_fails_after_it_was_taken_is_an_error_and_counts_as_paid(
    site: EmulatorHarness, kind: str, code: str
) -> None:
    await site.call_control("POST", "/faults", {"kind": kind, "times": 2})
    response = await call(site, GENERATIONS, KITE)
    assert read_error(response)[1] == code
    if kind == "sensitive":
        assert response.json()["error"]["moderation_details"]["moderation_stage"] == "output"
    (event,) = read_events(await call(site, GENERATIONS, {**KITE, "stream": True}))
    assert (event["type"], event["error"]["code"]) == ("error", code)
    assert [drawing["client_request_id"] for drawing in await list_drawings(site)] == ["attempt-1"] * 2


async def test_a_gateway_that_gives_up_has_let_the_work_be_done(site: EmulatorHarness) -> None:
    await site.call_control("POST", "/faults", {"kind": "gateway", "status": 502})
    response = await call(site, GENERATIONS, KITE)
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html")
    assert len(await list_drawings(site)) == 1


@pytest.mark.parametrize("names", [("image",), ("image[]", "image[]"), ("image[0]", "image[1]"), ("image", "image")])
async def test_pictures_are_taken_under_every_name_that_clients_give_them(
    site: EmulatorHarness, names: tuple[str, ...]
) -> None:
    response = await edit(site, *((name, PNG) for name in names), size="1024x1024", stream="false")
    assert read_image(response).size == (1024, 1024)


async def test_an_edit_takes_the_shape_of_its_first_picture(site: EmulatorHarness) -> None:
    response = await edit(site, ("image", encode_plain_image(900, 300)))
    assert read_image(response).size == (1536, 1024)


async def test_where_the_mask_is_transparent_the_engine_redraws(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert (await edit(site, ("image", PNG), ("mask", make_mask()))).status_code == 200
    mask = Image.open(io.BytesIO(engine.get_last_arguments("inpaint")["mask"]))
    assert (mask.getpixel((20, 20)), mask.getpixel((50, 5))) == (0, 255)


@pytest.mark.parametrize("mask", [make_mask(mode="RGB"), make_mask((32, 32)), encode_plain_image(file_format="JPEG")])
async def test_a_mask_without_transparency_of_another_size_or_format_is_refused(
    site: EmulatorHarness, mask: bytes
) -> None:
    assert read_error(await edit(site, ("image", PNG), ("mask", mask))) == (400, "invalid_value", "mask")


async def test_marks_over_a_picture_go_with_newer_models_and_without_a_mask(site: EmulatorHarness) -> None:
    newer = {"model": "gpt-image-2.5-flare"}
    markup = ("markup", make_mask())
    assert (await edit(site, ("image", PNG), markup, **newer)).status_code == 200
    assert read_error(await edit(site, ("image", PNG), markup, ("mask", make_mask()), **newer))[2] == "markup"


async def test_an_edit_by_json_takes_links_and_data_urls(site: EmulatorHarness) -> None:
    images = [
        {"image_url": await site.host_image(PNG)},
        {"image_url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
    ]
    assert (await call(site, EDITS, {**KITE, "images": images, "moderation": "low"})).status_code == 200
    assert read_error(await call(site, EDITS, {**KITE, "images": [{"file_id": "file-1"}]}))[0] == 404
    assert read_error(await call(site, EDITS, KITE)) == (400, "missing_required_parameter", "image")


async def test_another_content_type_is_refused(site: EmulatorHarness) -> None:
    headers = {"Authorization": f"Bearer {DEMO_API_KEY}"}
    response = await site.client.post("/openai/v1/images/edits", content=b"<x/>", headers=headers)
    assert response.status_code == 400


async def test_sensenovas_model_speaks_its_own_way(site: EmulatorHarness) -> None:
    model = {"model": "sensenova-u1.5-lite", "prompt": "a kite", "watermark": False, "prompt_extend": False}
    linked = await call(site, GENERATIONS, {**model, "response_format": "url", "size": "512x512"})
    assert (await site.client.get(linked.json()["data"][0]["url"])).content.startswith(b"\x89PNG")
    assert linked.json()["usage"]["images_count"] == 1
    assert read_error(await call(site, GENERATIONS, {**model, "n": 2})) == (400, "invalid_value", "n")
    form = await call(site, EDITS, data={"model": "sensenova-u1.5-lite", "prompt": "x"}, files={"image": PNG})
    assert read_error(form)[1] == "3"


async def test_sensenovas_limit_clears_after_its_time_though_it_says_otherwise(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"openai_images": {"throttle_s": 20}})
    body = {"model": "sensenova-u1.5-lite", "prompt": "a kite"}
    assert read_error(await call(site, GENERATIONS, body)) == (403, "7", None)
    site.clock.now += 21
    assert (await call(site, GENERATIONS, body)).status_code == 200


async def test_models_are_listed_with_their_end_and_one_that_draws_nothing(site: EmulatorHarness) -> None:
    listed = (await call(site, "/models")).json()["data"]
    ends = {entry["id"]: entry["shutdown_date"] for entry in listed}
    assert ends["gpt-image-1.5"] == "2026-12-01"
    assert "gpt-6-mini" in ends
    assert (await call(site, "/models/gpt-image-2")).json()["id"] == "gpt-image-2"
    assert read_error(await call(site, "/models/dall-e-2")) == (404, "model_not_found", None)


async def test_switches_serve_what_is_unlisted_retired_or_not_yet_there(site: EmulatorHarness) -> None:
    form: dict[str, Any] = {"data": {"model": "dall-e-2"}, "files": {"image": PNG}}
    assert read_error(await call(site, "/images/variations", **form))[0] == 404
    changes = {"unlisted_model": "secret", "serves_variations": True, "refuses_transparent_2": True}
    await site.call_control("PATCH", "/settings", {"openai_images": changes})
    assert (await call(site, GENERATIONS, {**KITE, "model": "secret"})).status_code == 200
    assert (await call(site, "/images/variations", **form)).status_code == 200
    response = await call(site, GENERATIONS, {**KITE, "background": "transparent"})
    assert read_error(response) == (400, "invalid_value", "background")


async def test_beyond_the_mask_pixels_change_where_the_switch_says_so(site: EmulatorHarness) -> None:
    masked = (("image", PNG), ("mask", make_mask()))
    kept = read_image(await edit(site, *masked)).getpixel((5, 5))
    await site.call_control("PATCH", "/settings", {"openai_images": {"disturbs_outside": True}})
    assert read_image(await edit(site, *masked)).getpixel((5, 5)) != kept
