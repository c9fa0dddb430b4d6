"""The picture services: what each accepts, refuses and hands to the engine."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import encode_plain_image, read_error_code, read_image_size

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

SERVICES = ("imgenstd", "erase", "outpaint", "stylization", "inpaint", "sup_res", "split", "lora")
# What a minimal submit of each endpoint needs beside its picture, and the engine's function it ends in.
SUBMITS = {
    "/v1/erase/imgen": ({"model_id": "erase_v0.1", "mask_img_url": "MASK"}, "erase"),
    "/v1/erase/cutout": ({"model_id": "erase_v0.1", "mask_img_url": "MASK"}, "cutout"),
    "/v1/outpaint/imgen": ({"model_id": "outpaint_v0.1"}, "outpaint"),
    "/v1/outpaint/imgen_free": ({"model_id": "outpaint_v0.1", "width": 704, "height": 640}, "outpaint"),
    "/v1/stylization/imgen": ({"model_id": "style_oil"}, "stylise"),
    "/v1/inpaint/imgen": ({"model_id": "inpaint_v0.1", "mask_img_url": "MASK", "prompt": "a rose"}, "inpaint"),
    "/v1/sup_res/imgen": ({"model_id": "super_resolution_v1"}, "upscale"),
    "/v1/split/imgen": ({"model_id": "split_v0.1"}, "segment"),
}


EVERYTHING: dict[str, dict[str, Any]] = {
    "/v1/erase/imgen": {"samples": 2, "mask_type": "box", "format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/erase/cutout": {"mask_type": "box", "format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/outpaint/imgen": {"samples": 2, "format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/outpaint/imgen_free": {"samples": 2, "format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/stylization/imgen": {"samples": 2, "format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/inpaint/imgen": {
        "samples": 2,
        "format": "PNG",
        "watermark_config": {"type": "MakaLogo"},
        "force_translation": True,
        "add_prompt": True,
        "neg_prompt": "dogs",
        "cfg_scale": 20,
        "steps": 70,
    },
    "/v1/sup_res/imgen": {"format": "PNG", "watermark_config": {"type": "MakaLogo"}},
    "/v1/split/imgen": {"format": "JPG"},
}
ENGINE_NAMES = {"samples": "samples", "format": "file_format"}
"""What the engine is told of these parameters, by its own name."""


async def submit(site: EmulatorHarness, path: str, **fields: Any) -> httpx2.Response:
    """A minimal submit with some fields changed; a field of None is left out, MASK becomes a link to a mask."""
    body = {"img_url": await site.host_image(encode_plain_image(512, 384)), **SUBMITS[path][0], **fields}
    for name, value in list(body.items()):
        if value is None:
            del body[name]
        elif value == "MASK":
            body[name] = await site.host_image(encode_plain_image(512, 384, colour="white"))
    return await site.post(path, **body)


async def get_code(site: EmulatorHarness, path: str, **fields: Any) -> int:
    response = await submit(site, path, **fields)
    return 0 if response.status_code == 200 else read_error_code(response)


async def get_arguments(site: EmulatorHarness, engine: FakeEngine, path: str, **fields: Any) -> dict[str, Any]:
    """What the engine is told."""
    response = await submit(site, path, **fields)
    assert response.status_code == 200, response.text
    await site.finish_task(response.json()["task_id"])
    return engine.get_last_arguments(SUBMITS[path][1])


@pytest.mark.parametrize("path", SUBMITS)
async def test_a_submit_ends_in_pictures_under_its_own_service(
    site: EmulatorHarness, engine: FakeEngine, path: str
) -> None:
    response = await submit(site, path)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"task_id"}
    task_id = response.json()["task_id"]
    await site.finish_task(task_id)
    service = path.split("/")[2]
    single = (await site.get(f"/v1/{service}/result/{task_id}")).json()
    batch = (await site.call_mhapi("GET", f"/v1/{service}/results", json={"task_ids": [task_id]})).json()
    assert single["state"] == "SUCCESS"
    assert batch["results"][0]["images"][0]["seed"] == single["images"][0]["seed"]
    assert (await site.client.get(single["images"][0]["raw"])).status_code == 200
    assert engine.calls[-1][0] == SUBMITS[path][1]


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_the_engine_remarks_is_in_the_message(site: EmulatorHarness, engine: FakeEngine, path: str) -> None:
    engine.notes = ("a kite was left out", "the mask cuts through a tree")
    task_id = (await submit(site, path)).json()["task_id"]
    await site.finish_task(task_id)
    result = (await site.get(f"/v1/{path.split('/')[2]}/result/{task_id}")).json()
    assert result["state_message"] == "a kite was left out; the mask cuts through a tree"


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_is_asked_for_reaches_the_engine_or_is_remembered(
    site: EmulatorHarness, engine: FakeEngine, path: str
) -> None:
    fields = EVERYTHING[path]
    arguments = await get_arguments(site, engine, path, **fields)
    assert {name: arguments[own] for name, own in ENGINE_NAMES.items() if name in fields} == {
        name: fields[name] for name in ENGINE_NAMES if name in fields
    }
    assert arguments.get("negative_prompt") == fields.get("neg_prompt")
    if path == "/v1/erase/cutout":
        assert "watermark" not in arguments
    elif "watermark_config" in fields:
        assert arguments["watermark"] == "MakaLogo"


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_every_submit_refuses(site: EmulatorHarness, path: str) -> None:
    assert await get_code(site, path, model_id="nothing") == 5
    assert await get_code(site, path, model_id=None) == 3
    assert await get_code(site, path, colour="red") == 3
    assert await get_code(site, path, format="gif") == 3
    assert await get_code(site, path, img_url=await site.host_image(encode_plain_image(255, 384))) == 3


@pytest.mark.parametrize("service", [*SERVICES, "face"])
async def test_every_listing_is_paged(site: EmulatorHarness, service: str) -> None:
    page = (await site.get(f"/v1/{service}/models", size=1)).json()
    assert len(page["data"]) == 1
    assert {"id", "name", "description"} <= set(page["data"][0])
    assert (await site.get(f"/v1/{service}/models", size=1, offset=500)).json() == {"have_next": False, "data": []}
    assert read_error_code(await site.get(f"/v1/{service}/models", size=101)) == 3


async def test_listings_show_six_fields_where_the_contract_does(site: EmulatorHarness) -> None:
    async def count_fields(service: str) -> int:
        return len((await site.get(f"/v1/{service}/models", size=1)).json()["data"][0])

    counts = {service: await count_fields(service) for service in (*SERVICES, "face")}
    short = {"erase", "outpaint", "stylization", "face"}
    assert counts == {service: 3 if service in short else 6 for service in counts}


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("POST", "/v1/lora/models", 501, 12),
        ("GET", "/v1/erase/imgen", 501, 12),
        ("DELETE", "/v1/split/result/x", 501, 12),
        ("GET", "/v1/face/results", 404, 5),
        ("POST", "/v1/face/imgen", 404, 5),
        ("GET", "/v2/erase/models", 404, 5),
    ],
)
async def test_what_is_no_endpoint_is_refused_in_the_services_words(
    site: EmulatorHarness, method: str, path: str, status: int, expected: int
) -> None:
    response = await site.call_mhapi(method, path)
    assert (response.status_code, read_error_code(response)) == (status, expected)


@pytest.mark.parametrize("path", ["/v1/erase/imgen", "/v1/erase/cutout", "/v1/inpaint/imgen"])
async def test_a_mask_of_another_ratio_is_refused(site: EmulatorHarness, path: str) -> None:
    assert await get_code(site, path, mask_img_url=await site.host_image(encode_plain_image(384, 384))) == 3
    assert await get_code(site, path, mask_img_url=await site.host_image(encode_plain_image(1024, 768))) == 0


async def test_mask_types_differ_by_endpoint(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert await get_code(site, "/v1/erase/imgen", mask_type="free") == 0
    assert await get_code(site, "/v1/erase/cutout", mask_type="free") == 3
    assert (await get_arguments(site, engine, "/v1/erase/cutout"))["kind"] == "smear"


async def test_erase_takes_no_seed_and_inpaint_does(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert await get_code(site, "/v1/erase/imgen", seed=5) == 3
    assert (await get_arguments(site, engine, "/v1/inpaint/imgen", seed=99_999_998))["seed"] == 99_999_998
    assert await get_code(site, "/v1/inpaint/imgen", seed=99_999_999) == 3
    await site.call_control("PATCH", "/settings", {"mhapi": {"narrow_inpaint_seed": True}})
    assert await get_code(site, "/v1/inpaint/imgen", seed=9_999_998) == 0
    assert await get_code(site, "/v1/inpaint/imgen", seed=9_999_999) == 3


async def test_inpaint_has_its_own_bounds(site: EmulatorHarness, engine: FakeEngine) -> None:
    arguments = await get_arguments(site, engine, "/v1/inpaint/imgen", repaint_strength=0.1, samples=2)
    assert (arguments["prompt"], arguments["strength"], arguments["samples"], arguments["watermark"]) == (
        "a rose",
        0.1,
        2,
        "Default",
    )
    assert await get_code(site, "/v1/inpaint/imgen", repaint_strength=0.09) == 3
    assert await get_code(site, "/v1/inpaint/imgen", prompt=None) == 3
    assert await get_code(site, "/v1/inpaint/imgen", samples=9) == 3


@pytest.mark.parametrize(
    ("fields", "margins"),
    [
        ({}, (128, 96, 128, 96)),
        ({"outpaint_ratio": 5}, (1024, 768, 1024, 768)),
        ({"outpaint_ratio": 2, "align_position": "topleft"}, (0, 0, 512, 384)),
        ({"outpaint_ratio": 2, "type": "bottomright"}, (512, 384, 0, 0)),
        ({"outpaint_ratio": 2, "type": "topleft", "align_position": "middleright"}, (512, 192, 0, 192)),
        ({"width": 1024, "height": 768, "outpaint_ratio": 5, "align_position": "topmiddle"}, (256, 0, 256, 384)),
        ({"width": 1024, "height": 772}, (256, 194, 256, 194)),
    ],
    ids=str,
)
async def test_outpaint_places_the_source_in_its_canvas(
    site: EmulatorHarness, engine: FakeEngine, fields: dict[str, Any], margins: tuple[int, int, int, int]
) -> None:
    arguments = await get_arguments(site, engine, "/v1/outpaint/imgen", **fields)
    assert tuple(arguments[side] for side in ("left", "top", "right", "bottom")) == margins


@pytest.mark.parametrize(
    "fields",
    [
        {"outpaint_ratio": 1},
        {"outpaint_ratio": 5.1},
        {"width": 1024},
        {"height": 768},
        {"width": 1024, "height": 800},
        {"width": 639, "height": 480},
        {"align_position": "centre"},
    ],
    ids=str,
)
async def test_outpaint_refuses_a_canvas_that_cannot_be(site: EmulatorHarness, fields: dict[str, Any]) -> None:
    assert await get_code(site, "/v1/outpaint/imgen", **fields) == 3


async def test_outpaint_holds_the_longest_side_and_wants_growth(site: EmulatorHarness, engine: FakeEngine) -> None:
    wide = await site.host_image(encode_plain_image(4000, 300, file_format="JPEG"))
    arguments = await get_arguments(site, engine, "/v1/outpaint/imgen", img_url=wide, outpaint_ratio=3)
    assert (arguments["left"] + arguments["right"] + 4000, arguments["top"] + arguments["bottom"] + 300) == (6000, 450)
    full = await site.host_image(encode_plain_image(6000, 300, file_format="JPEG"))
    assert await get_code(site, "/v1/outpaint/imgen", img_url=full) == 3
    small = await site.host_image(encode_plain_image(800, 600))
    assert await get_code(site, "/v1/outpaint/imgen", img_url=small, width=800, height=600) == 3


async def test_a_free_canvas_is_rounded_down_and_must_exceed_the_source(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    path = "/v1/outpaint/imgen_free"
    arguments = await get_arguments(site, engine, path, width=1007, height=650, free_x=15, free_y=9)
    assert [arguments[side] for side in ("left", "top", "right", "bottom")] == [8, 8, 1000 - 512 - 8, 648 - 384 - 8]
    assert await get_code(site, path, width=None) == 3
    assert await get_code(site, path, width=704.0) == 3
    assert await get_code(site, path, free_x=192) == 3
    assert await get_code(site, path, free_x=184) == 0
    assert await get_code(site, path, free_x=-8) == 3
    await site.call_control("PATCH", "/settings", {"mhapi": {"equal_canvas": True}})
    assert await get_code(site, path, free_x=192) == 0


async def test_a_free_canvas_takes_tiff_and_sources_below_6000(site: EmulatorHarness) -> None:
    path = "/v1/outpaint/imgen_free"
    assert (
        await get_code(site, path, img_url=await site.host_image(encode_plain_image(300, 300, file_format="TIFF"))) == 0
    )
    assert (
        await get_code(site, path, img_url=await site.host_image(encode_plain_image(6000, 256, file_format="JPEG")))
        == 3
    )


@pytest.mark.parametrize("path", ["/v1/sup_res/imgen", "/v1/split/imgen"])
async def test_sides_above_2000_are_refused_where_printed(site: EmulatorHarness, path: str) -> None:
    assert await get_code(site, path, img_url=await site.host_image(encode_plain_image(2000, 256))) == 0
    assert await get_code(site, path, img_url=await site.host_image(encode_plain_image(2001, 256))) == 3


async def test_upscaling_has_a_ratio_above_1(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert (await get_arguments(site, engine, "/v1/sup_res/imgen"))["ratio"] == 1.5
    assert (await get_arguments(site, engine, "/v1/sup_res/imgen", hd_ratio=3))["ratio"] == 3
    assert await get_code(site, "/v1/sup_res/imgen", hd_ratio=1) == 3
    assert await get_code(site, "/v1/sup_res/imgen", hd_ratio="2") == 3


async def test_split_tolerates_a_ratio_knows_no_watermark_and_answers_png(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    arguments = await get_arguments(site, engine, "/v1/split/imgen", hd_ratio="2.5")
    assert arguments["file_format"] == "PNG"
    assert set(arguments) == {"image", "seed", "file_format"}
    assert await get_code(site, "/v1/split/imgen", hd_ratio="big") == 3
    assert await get_code(site, "/v1/split/imgen", watermark_config={"type": "Default"}) == 3
    assert await get_code(site, "/v1/split/imgen", model_id="super_resolution_v1") == 5


async def test_split_tasks_are_found_by_both_batch_paths_and_upscaling_by_its_own(site: EmulatorHarness) -> None:
    ids = [(await submit(site, f"/v1/{name}/imgen")).json()["task_id"] for name in ("split", "sup_res")]

    async def find_ids(name: str) -> list[str]:
        response = await site.call_mhapi("GET", f"/v1/{name}/results", json={"task_ids": ids})
        return [entry["task_id"] for entry in response.json()["results"]]

    assert await find_ids("split") == ids[:1]
    assert await find_ids("sup_res") == ids


async def test_stylization_takes_a_link_or_base64(site: EmulatorHarness, engine: FakeEngine) -> None:
    path, data = "/v1/stylization/imgen", encode_plain_image(640, 512, colour="red")
    plain = base64.b64encode(data).decode()
    for text in (plain, f"data:image/png;base64,{plain}"):
        arguments = await get_arguments(site, engine, path, img_url=None, img_base64=text)
        assert (arguments["image"], arguments["style"], arguments["width"], arguments["height"]) == (
            data,
            "oil",
            640,
            512,
        )
    linked = await get_arguments(site, engine, path, img_base64=plain)
    assert linked["image"] == encode_plain_image(512, 384)
    assert await get_code(site, path, img_url="", img_base64="") == 3
    assert await get_code(site, path, img_url=None, img_base64="@@@") == 3
    assert await get_code(site, path, img_url=None, img_base64="A" * 7_340_036) == 3


async def test_stylization_keeps_the_ratio(site: EmulatorHarness, engine: FakeEngine) -> None:
    path = "/v1/stylization/imgen"
    arguments = await get_arguments(site, engine, path, width=1024, height=770)
    assert (arguments["width"], arguments["height"]) == (1024, 770)
    assert await get_code(site, path, width=1024) == 3
    assert await get_code(site, path, width=1024, height=800) == 3


async def test_stylization_delivers_links_or_data_urls(site: EmulatorHarness) -> None:
    task_id = (await submit(site, "/v1/stylization/imgen", format="PNG")).json()["task_id"]
    await site.finish_task(task_id)
    path = f"/v1/stylization/result/{task_id}"
    assert (await site.get(path)).json()["images"][0]["raw"].startswith("http://")
    responses = [
        (await site.get(path, get_type="base64")).json(),
        (
            await site.call_mhapi("GET", "/v1/stylization/results", json={"task_ids": [task_id], "get_type": "base64"})
        ).json()["results"][0],
    ]
    for response in responses:
        image = response["images"][0]
        assert image["small"].startswith("data:image/jpeg;base64,")
        head, _, data = image["raw"].partition(",")
        assert (head, read_image_size(base64.b64decode(data))) == ("data:image/png;base64", (64, 48))
    assert read_error_code(await site.get(path, get_type="file")) == 3


async def test_stylization_can_answer_at_once(site: EmulatorHarness, engine: FakeEngine) -> None:
    data = base64.b64encode(encode_plain_image(640, 640)).decode()
    own = {"img_base64": data, "width": 700, "height": 700, "format": "JPG", "watermark_config": {"type": "MakaLogo"}}
    body = {"model_id": "style_ink", "samples": 2, **own}
    response = (await site.post("/v1/stylization/imgen_sync", **body)).json()
    assert set(response) == {"state", "task_id", "images"}
    assert response["state"] == "SUCCESS"
    assert [set(image) for image in response["images"]] == [{"index", "small", "raw", "error_code"}] * 2
    body["img_url"] = await site.host_image(encode_plain_image(700, 700, colour="red"))
    encoded = (await site.post("/v1/stylization/imgen_sync", **body, get_type="base64")).json()
    assert engine.get_last_arguments("stylise")["image"] == encode_plain_image(700, 700, colour="red")
    assert encoded["images"][0]["raw"].startswith("data:image/jpeg;base64,")
    engine.error = RuntimeError("boom")
    failed = await site.post("/v1/stylization/imgen_sync", **body)
    assert (failed.status_code, read_error_code(failed)) == (500, 13)
