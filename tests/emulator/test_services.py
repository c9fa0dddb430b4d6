"""The picture services: what each accepts, refuses and hands to the engine."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from emulated import error_code, picture, sides

if TYPE_CHECKING:
    import httpx2
    from emulated import PaintBox, Site

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
TOLD = {"samples": "samples", "format": "file_format"}
"""What the engine is told of these parameters, by its own name."""


async def submit(site: Site, path: str, **fields: Any) -> httpx2.Response:
    """A minimal submit with some fields changed; a field of None is left out, MASK becomes a link to a mask."""
    body = {"img_url": await site.hosted(picture(512, 384)), **SUBMITS[path][0], **fields}
    for name, value in list(body.items()):
        if value is None:
            del body[name]
        elif value == "MASK":
            body[name] = await site.hosted(picture(512, 384, colour="white"))
    return await site.post(path, **body)


async def code(site: Site, path: str, **fields: Any) -> int:
    answer = await submit(site, path, **fields)
    return 0 if answer.status_code == 200 else error_code(answer)


async def ordered(site: Site, engine: PaintBox, path: str, **fields: Any) -> dict[str, Any]:
    """What the engine is told."""
    answer = await submit(site, path, **fields)
    assert answer.status_code == 200, answer.text
    await site.finished(answer.json()["task_id"])
    return engine.last(SUBMITS[path][1])


@pytest.mark.parametrize("path", SUBMITS)
async def test_a_submit_ends_in_pictures_under_its_own_service(site: Site, engine: PaintBox, path: str) -> None:
    answer = await submit(site, path)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"task_id"}
    task_id = answer.json()["task_id"]
    await site.finished(task_id)
    service = path.split("/")[2]
    single = (await site.get(f"/v1/{service}/result/{task_id}")).json()
    batch = (await site.call("GET", f"/v1/{service}/results", json={"task_ids": [task_id]})).json()
    assert single["state"] == "SUCCESS"
    assert batch["results"][0]["images"][0]["seed"] == single["images"][0]["seed"]
    assert (await site.client.get(single["images"][0]["raw"])).status_code == 200
    assert engine.orders[-1][0] == SUBMITS[path][1]


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_the_engine_remarks_is_in_the_message(site: Site, engine: PaintBox, path: str) -> None:
    engine.notes = ("a kite was left out", "the mask cuts through a tree")
    task_id = (await submit(site, path)).json()["task_id"]
    await site.finished(task_id)
    result = (await site.get(f"/v1/{path.split('/')[2]}/result/{task_id}")).json()
    assert result["state_message"] == "a kite was left out; the mask cuts through a tree"


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_is_asked_for_reaches_the_engine_or_is_remembered(site: Site, engine: PaintBox, path: str) -> None:
    asked = EVERYTHING[path]
    order = await ordered(site, engine, path, **asked)
    assert {name: order[own] for name, own in TOLD.items() if name in asked} == {
        name: asked[name] for name in TOLD if name in asked
    }
    assert order.get("negative_prompt") == asked.get("neg_prompt")
    if path == "/v1/erase/cutout":
        assert "watermark" not in order
    elif "watermark_config" in asked:
        assert order["watermark"] == "MakaLogo"


@pytest.mark.parametrize("path", SUBMITS)
async def test_what_every_submit_refuses(site: Site, path: str) -> None:
    assert await code(site, path, model_id="nothing") == 5
    assert await code(site, path, model_id=None) == 3
    assert await code(site, path, colour="red") == 3
    assert await code(site, path, format="gif") == 3
    assert await code(site, path, img_url=await site.hosted(picture(255, 384))) == 3


@pytest.mark.parametrize("service", [*SERVICES, "face"])
async def test_every_listing_is_paged(site: Site, service: str) -> None:
    page = (await site.get(f"/v1/{service}/models", size=1)).json()
    assert len(page["data"]) == 1
    assert {"id", "name", "description"} <= set(page["data"][0])
    assert (await site.get(f"/v1/{service}/models", size=1, offset=500)).json() == {"have_next": False, "data": []}
    assert error_code(await site.get(f"/v1/{service}/models", size=101)) == 3


async def test_listings_show_six_fields_where_the_contract_does(site: Site) -> None:
    async def fields(service: str) -> int:
        return len((await site.get(f"/v1/{service}/models", size=1)).json()["data"][0])

    counts = {service: await fields(service) for service in (*SERVICES, "face")}
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
    site: Site, method: str, path: str, status: int, expected: int
) -> None:
    answer = await site.call(method, path)
    assert (answer.status_code, error_code(answer)) == (status, expected)


@pytest.mark.parametrize("path", ["/v1/erase/imgen", "/v1/erase/cutout", "/v1/inpaint/imgen"])
async def test_a_mask_of_another_ratio_is_refused(site: Site, path: str) -> None:
    assert await code(site, path, mask_img_url=await site.hosted(picture(384, 384))) == 3
    assert await code(site, path, mask_img_url=await site.hosted(picture(1024, 768))) == 0


async def test_mask_types_differ_by_endpoint(site: Site, engine: PaintBox) -> None:
    assert await code(site, "/v1/erase/imgen", mask_type="free") == 0
    assert await code(site, "/v1/erase/cutout", mask_type="free") == 3
    assert (await ordered(site, engine, "/v1/erase/cutout"))["kind"] == "smear"


async def test_erase_takes_no_seed_and_inpaint_does(site: Site, engine: PaintBox) -> None:
    assert await code(site, "/v1/erase/imgen", seed=5) == 3
    assert (await ordered(site, engine, "/v1/inpaint/imgen", seed=99_999_998))["seed"] == 99_999_998
    assert await code(site, "/v1/inpaint/imgen", seed=99_999_999) == 3
    await site.control("PATCH", "/settings", {"mhapi": {"narrow_inpaint_seed": True}})
    assert await code(site, "/v1/inpaint/imgen", seed=9_999_998) == 0
    assert await code(site, "/v1/inpaint/imgen", seed=9_999_999) == 3


async def test_inpaint_has_its_own_bounds(site: Site, engine: PaintBox) -> None:
    order = await ordered(site, engine, "/v1/inpaint/imgen", repaint_strength=0.1, samples=2)
    assert (order["prompt"], order["strength"], order["samples"], order["watermark"]) == ("a rose", 0.1, 2, "Default")
    assert await code(site, "/v1/inpaint/imgen", repaint_strength=0.09) == 3
    assert await code(site, "/v1/inpaint/imgen", prompt=None) == 3
    assert await code(site, "/v1/inpaint/imgen", samples=9) == 3


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
    site: Site, engine: PaintBox, fields: dict[str, Any], margins: tuple[int, int, int, int]
) -> None:
    order = await ordered(site, engine, "/v1/outpaint/imgen", **fields)
    assert tuple(order[side] for side in ("left", "top", "right", "bottom")) == margins


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
async def test_outpaint_refuses_a_canvas_that_cannot_be(site: Site, fields: dict[str, Any]) -> None:
    assert await code(site, "/v1/outpaint/imgen", **fields) == 3


async def test_outpaint_holds_the_longest_side_and_wants_growth(site: Site, engine: PaintBox) -> None:
    wide = await site.hosted(picture(4000, 300, file_format="JPEG"))
    order = await ordered(site, engine, "/v1/outpaint/imgen", img_url=wide, outpaint_ratio=3)
    assert (order["left"] + order["right"] + 4000, order["top"] + order["bottom"] + 300) == (6000, 450)
    full = await site.hosted(picture(6000, 300, file_format="JPEG"))
    assert await code(site, "/v1/outpaint/imgen", img_url=full) == 3
    small = await site.hosted(picture(800, 600))
    assert await code(site, "/v1/outpaint/imgen", img_url=small, width=800, height=600) == 3


async def test_a_free_canvas_is_rounded_down_and_must_exceed_the_source(site: Site, engine: PaintBox) -> None:
    path = "/v1/outpaint/imgen_free"
    order = await ordered(site, engine, path, width=1007, height=650, free_x=15, free_y=9)
    assert [order[side] for side in ("left", "top", "right", "bottom")] == [8, 8, 1000 - 512 - 8, 648 - 384 - 8]
    assert await code(site, path, width=None) == 3
    assert await code(site, path, width=704.0) == 3
    assert await code(site, path, free_x=192) == 3
    assert await code(site, path, free_x=184) == 0
    assert await code(site, path, free_x=-8) == 3
    await site.control("PATCH", "/settings", {"mhapi": {"equal_canvas": True}})
    assert await code(site, path, free_x=192) == 0


async def test_a_free_canvas_takes_tiff_and_sources_below_6000(site: Site) -> None:
    path = "/v1/outpaint/imgen_free"
    assert await code(site, path, img_url=await site.hosted(picture(300, 300, file_format="TIFF"))) == 0
    assert await code(site, path, img_url=await site.hosted(picture(6000, 256, file_format="JPEG"))) == 3


@pytest.mark.parametrize("path", ["/v1/sup_res/imgen", "/v1/split/imgen"])
async def test_sides_above_2000_are_refused_where_printed(site: Site, path: str) -> None:
    assert await code(site, path, img_url=await site.hosted(picture(2000, 256))) == 0
    assert await code(site, path, img_url=await site.hosted(picture(2001, 256))) == 3


async def test_upscaling_has_a_ratio_above_1(site: Site, engine: PaintBox) -> None:
    assert (await ordered(site, engine, "/v1/sup_res/imgen"))["ratio"] == 1.5
    assert (await ordered(site, engine, "/v1/sup_res/imgen", hd_ratio=3))["ratio"] == 3
    assert await code(site, "/v1/sup_res/imgen", hd_ratio=1) == 3
    assert await code(site, "/v1/sup_res/imgen", hd_ratio="2") == 3


async def test_split_tolerates_a_ratio_knows_no_watermark_and_answers_png(site: Site, engine: PaintBox) -> None:
    order = await ordered(site, engine, "/v1/split/imgen", hd_ratio="2.5")
    assert order["file_format"] == "PNG"
    assert set(order) == {"picture", "seed", "file_format"}
    assert await code(site, "/v1/split/imgen", hd_ratio="big") == 3
    assert await code(site, "/v1/split/imgen", watermark_config={"type": "Default"}) == 3
    assert await code(site, "/v1/split/imgen", model_id="super_resolution_v1") == 5


async def test_split_tasks_are_found_by_both_batch_paths_and_upscaling_by_its_own(site: Site) -> None:
    ids = [(await submit(site, f"/v1/{name}/imgen")).json()["task_id"] for name in ("split", "sup_res")]

    async def found(name: str) -> list[str]:
        answer = await site.call("GET", f"/v1/{name}/results", json={"task_ids": ids})
        return [entry["task_id"] for entry in answer.json()["results"]]

    assert await found("split") == ids[:1]
    assert await found("sup_res") == ids


async def test_stylization_takes_a_link_or_base64(site: Site, engine: PaintBox) -> None:
    path, data = "/v1/stylization/imgen", picture(640, 512, colour="red")
    plain = base64.b64encode(data).decode()
    for text in (plain, f"data:image/png;base64,{plain}"):
        order = await ordered(site, engine, path, img_url=None, img_base64=text)
        assert (order["picture"], order["style"], order["width"], order["height"]) == (data, "oil", 640, 512)
    linked = await ordered(site, engine, path, img_base64=plain)
    assert linked["picture"] == picture(512, 384)
    assert await code(site, path, img_url="", img_base64="") == 3
    assert await code(site, path, img_url=None, img_base64="@@@") == 3
    assert await code(site, path, img_url=None, img_base64="A" * 7_340_036) == 3


async def test_stylization_keeps_the_ratio(site: Site, engine: PaintBox) -> None:
    path = "/v1/stylization/imgen"
    order = await ordered(site, engine, path, width=1024, height=770)
    assert (order["width"], order["height"]) == (1024, 770)
    assert await code(site, path, width=1024) == 3
    assert await code(site, path, width=1024, height=800) == 3


async def test_stylization_delivers_links_or_data_urls(site: Site) -> None:
    task_id = (await submit(site, "/v1/stylization/imgen", format="PNG")).json()["task_id"]
    await site.finished(task_id)
    path = f"/v1/stylization/result/{task_id}"
    assert (await site.get(path)).json()["images"][0]["raw"].startswith("http://")
    answers = [
        (await site.get(path, get_type="base64")).json(),
        (await site.call("GET", "/v1/stylization/results", json={"task_ids": [task_id], "get_type": "base64"})).json()[
            "results"
        ][0],
    ]
    for answer in answers:
        image = answer["images"][0]
        assert image["small"].startswith("data:image/jpeg;base64,")
        head, _, data = image["raw"].partition(",")
        assert (head, sides(base64.b64decode(data))) == ("data:image/png;base64", (64, 48))
    assert error_code(await site.get(path, get_type="file")) == 3


async def test_stylization_can_answer_at_once(site: Site, engine: PaintBox) -> None:
    data = base64.b64encode(picture(640, 640)).decode()
    own = {"img_base64": data, "width": 700, "height": 700, "format": "JPG", "watermark_config": {"type": "MakaLogo"}}
    body = {"model_id": "style_ink", "samples": 2, **own}
    answer = (await site.post("/v1/stylization/imgen_sync", **body)).json()
    assert set(answer) == {"state", "task_id", "images"}
    assert answer["state"] == "SUCCESS"
    assert [set(image) for image in answer["images"]] == [{"index", "small", "raw", "error_code"}] * 2
    body["img_url"] = await site.hosted(picture(700, 700, colour="red"))
    encoded = (await site.post("/v1/stylization/imgen_sync", **body, get_type="base64")).json()
    assert engine.last("stylise")["picture"] == picture(700, 700, colour="red")
    assert encoded["images"][0]["raw"].startswith("data:image/jpeg;base64,")
    engine.error = RuntimeError("boom")
    failed = await site.post("/v1/stylization/imgen_sync", **body)
    assert (failed.status_code, error_code(failed)) == (500, 13)
