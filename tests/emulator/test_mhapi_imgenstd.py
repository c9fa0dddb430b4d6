"""imgenstd: what is refused, what is rendered, what the models can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import encode_plain_image, read_error_code, read_image_size

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

IMGEN = "/v1/imgenstd/imgen"
FULL = "artist_v0.4.0"
TEXT_ONLY = "artist_v1.0"


async def submit(site: EmulatorHarness, **fields: Any) -> httpx2.Response:
    return await site.post(IMGEN, **{"model_id": FULL, "prompt": "a cat", **fields})


async def get_code(site: EmulatorHarness, **fields: Any) -> int:
    response = await submit(site, **fields)
    return 0 if response.status_code == 200 else read_error_code(response)


@pytest.mark.parametrize(
    "fields",
    [
        {"samples": 1},
        {"samples": 8},
        {"steps": 1},
        {"steps": 70},
        {"cfg_scale": 1},
        {"cfg_scale": 20},
        {"cfg_scale": 1.2},
        {"width": 640, "height": 6000},
        {"width": 816, "height": 1449},
        {"seed": 0},
        {"seed": 99_999_998},
        {"prompt": "x" * 2000},
        {"prompt": "猫" * 1000},
        {"neg_prompt": ""},
        {"format": "PNG"},
        {"force_translation": True, "add_prompt": False},
        {"image_strength": 0},
        {"watermark_config": {}},
        {"watermark_config": {"type": "MakaLogo"}},
        {"controlnet_configs": [], "lora_configs": []},
        {"img_url": ""},
    ],
    ids=str,
)
async def test_values_within_their_bounds_are_accepted(site: EmulatorHarness, fields: dict[str, Any]) -> None:
    assert await get_code(site, **fields) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"samples": 0},
        {"samples": 9},
        {"samples": 1.0},
        {"samples": True},
        {"samples": "2"},
        {"samples": None},
        {"steps": 0},
        {"steps": 71},
        {"cfg_scale": 0.9},
        {"cfg_scale": 20.1},
        {"cfg_scale": "7"},
        {"width": 639},
        {"height": 6001},
        {"width": 960.0},
        {"seed": -1},
        {"seed": 99_999_999},
        {"prompt": "x" * 2001},
        {"prompt": "猫" * 1000 + "x"},
        {"prompt": ""},
        {"prompt": 7},
        {"neg_prompt": "x" * 2001},
        {"format": "png"},
        {"format": "JPEG"},
        {"force_translation": "yes"},
        {"image_strength": 1.1},
        {"watermark_config": {"type": "None"}},
        {"watermark_config": {"kind": "Default"}},
        {"watermark_config": "Default"},
        {"controlnet_configs": {}},
        {"lora_configs": [{"merge_weight": 1}]},
        {"promt": "a dog"},
        {"img_url": "ftp://example.org/a.png"},
        {"img_url": "data:image/png;base64,AAAA"},
    ],
    ids=str,
)
async def test_values_out_of_their_bounds_are_refused(site: EmulatorHarness, fields: dict[str, Any]) -> None:
    response = await submit(site, **fields)
    assert (response.status_code, read_error_code(response)) == (400, 3)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b'{"model_id": "artist_v0.4.0"}', b'{"prompt": "a cat"}']
)
async def test_a_body_that_is_no_request_is_refused(site: EmulatorHarness, body: bytes) -> None:
    response = await site.call_mhapi("POST", IMGEN, content=body)
    assert (response.status_code, read_error_code(response)) == (400, 3)


async def test_the_refusal_names_the_parameter(site: EmulatorHarness) -> None:
    response = await submit(site, lora_configs=[{"model_id": "lora_ink_v0.4.0", "merge_weight": 2}])
    assert "lora_configs[0].merge_weight" in response.json()["error"]["message"]


async def test_unknown_names_pass_when_told_to_be_lenient(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"lenient_names": True}})
    assert await get_code(site, promt="a dog") == 0


async def test_a_chinese_character_may_count_as_one(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"prompt_code_points": True}})
    assert await get_code(site, prompt="猫" * 2000) == 0
    assert await get_code(site, prompt="猫" * 2001) == 3


async def test_a_model_that_is_unknown_or_a_lora_is_refused(site: EmulatorHarness) -> None:
    assert await get_code(site, model_id="artist_v9") == 5
    assert await get_code(site, model_id="lora_ink_v0.4.0") == 3


async def test_what_a_family_does_not_support_is_refused(site: EmulatorHarness) -> None:
    url = await site.host_image(encode_plain_image())
    canny = [{"type": "canny", "img_url": url}]
    mlsd = [{"type": "mlsd", "img_url": url}]
    lora = [{"model_id": "lora_ink_v0.4.0"}]
    refused = [
        {"model_id": TEXT_ONLY, "img_url": url},
        {"model_id": "artist_v0.4.0-turbo", "img_url": url},
        {"model_id": "artist_v0.5.0", "controlnet_configs": canny},
        {"model_id": "artist_v0.4.0-turbo", "controlnet_configs": mlsd},
        {"model_id": "artist_v0.4.0-turbo", "lora_configs": lora},
        {"model_id": "artist_v0.5.0", "lora_configs": lora},
    ]
    accepted = [
        {"model_id": "artist_v0.5.0", "img_url": url},
        {"model_id": "artist_v0.4.0-turbo", "controlnet_configs": canny},
        {"model_id": FULL, "img_url": url, "controlnet_configs": [*canny, *mlsd], "lora_configs": lora},
        {"model_id": "artist_v0.5.0-turbo"},
        {"model_id": "artist_v0.6.0"},
    ]
    assert [await get_code(site, **fields) for fields in refused] == [3] * len(refused)
    assert [await get_code(site, **fields) for fields in accepted] == [0] * len(accepted)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ({"type": "lineartanime"}, 0),
        ({"type": "canny", "pre_processor": "invert"}, 0),
        ({"type": "depth", "pre_processor": "pass"}, 0),
        ({"type": "ip_adapter_faceid", "pre_processor": "face_id_plus_plus_vith"}, 0),
        ({"type": "canny", "weight": 2, "guidance_start": 0.5, "guidance_end": 0.5}, 0),
        ({"type": "tile", "tile_down_sample_rate": 8}, 0),
        ({"type": "depth", "canny_low_threshold": 200, "canny_high_threshold": 100}, 0),
        ({"type": "sketch"}, 3),
        ({"type": "canny", "pre_processor": "openpose"}, 3),
        ({"type": "canny", "pre_processer": "canny"}, 3),
        ({"type": "canny", "weight": 0}, 3),
        ({"type": "canny", "weight": 2.1}, 3),
        ({"type": "canny", "guidance_start": 0.6, "guidance_end": 0.5}, 3),
        ({"type": "canny", "canny_low_threshold": 200, "canny_high_threshold": 100}, 3),
        ({"type": "canny", "canny_low_threshold": 0}, 3),
        ({"type": "tile", "tile_down_sample_rate": 9}, 3),
    ],
    ids=str,
)
async def test_controls_are_held_against_their_table(
    site: EmulatorHarness, control: dict[str, Any], expected: int
) -> None:
    control["img_url"] = await site.host_image(encode_plain_image())
    assert await get_code(site, controlnet_configs=[control]) == expected


async def test_at_most_three_controls_are_accepted(site: EmulatorHarness) -> None:
    control = {"type": "canny", "img_url": await site.host_image(encode_plain_image())}
    assert await get_code(site, controlnet_configs=[control] * 3) == 0
    assert await get_code(site, controlnet_configs=[control] * 4) == 3


async def test_the_engine_gets_all_arguments(site: EmulatorHarness, engine: FakeEngine) -> None:
    source, guide = encode_plain_image(colour="red"), encode_plain_image(colour="blue")
    task_id = await site.submit_task(
        IMGEN,
        model_id=FULL,
        prompt="一只猫",
        neg_prompt="dogs",
        samples=2,
        seed=5,
        width=700,
        height=800,
        steps=12,
        cfg_scale=3.5,
        format="PNG",
        img_url=await site.host_image(source),
        image_strength=0,
        watermark_config={"type": "MakaLogo"},
        controlnet_configs=[{"type": "lineartanime", "img_url": await site.host_image(guide), "weight": 0.5}],
        lora_configs=[{"model_id": "lora_ink_v0.4.0", "merge_weight": 0.7}],
    )
    await site.finish_task(task_id)
    assert engine.get_last_arguments("generate") == {
        "prompt": "一只猫",
        "negative_prompt": "dogs",
        "samples": 2,
        "seed": 5,
        "width": 700,
        "height": 800,
        "steps": 12,
        "guidance": 3.5,
        "file_format": "PNG",
        "source": source,
        "strength": 0,
        "watermark": "MakaLogo",
        "controls": [
            {
                "kind": "lineart_anime",
                "image": guide,
                "weight": 0.5,
                "pre_processor": "lineart_anime",
                "start": 0,
                "end": 1,
                "low": 100,
                "high": 200,
                "down_sample": 1,
            }
        ],
        "profiles": [["ink", 0.7]],
    }


async def test_what_is_left_out_gets_the_printed_defaults(site: EmulatorHarness, engine: FakeEngine) -> None:
    await site.finish_task(await site.submit_task(IMGEN, model_id=FULL, prompt="a cat"))
    arguments = engine.get_last_arguments("generate")
    printed = {"samples": 1, "width": 960, "height": 960, "steps": 30, "guidance": 7, "strength": 0.6}
    assert arguments.items() >= {**printed, "file_format": "JPG", "watermark": "Default", "source": None}.items()
    assert 1 <= arguments["seed"] <= 99_999_998


async def test_a_finished_task_shows_its_pictures(site: EmulatorHarness, engine: FakeEngine) -> None:
    engine.notes = ("Not understood: zorb",)
    task_id = await site.submit_task(IMGEN, model_id=FULL, prompt="a zorb", samples=2, seed=99_999_998)
    await site.finish_task(task_id)
    result = (await site.get(f"/v1/imgenstd/result/{task_id}")).json()
    images = result.pop("images")
    assert result == {"state": "SUCCESS", "state_message": "Not understood: zorb", "task_id": task_id}
    assert [(image["index"], image["seed"], image["error_code"]) for image in images] == [
        (0, 99_999_998, ""),
        (1, 99_999_999, ""),
    ]
    raw, small = [await site.client.get(images[1][name]) for name in ("raw", "small")]
    assert (read_image_size(raw.content), raw.headers["content-type"]) == ((64, 48), "image/jpeg")
    assert read_image_size(small.content) == (16, 12)


async def test_the_listing_shows_every_family_with_all_six_fields(site: EmulatorHarness) -> None:
    page = (await site.get("/v1/imgenstd/models", size=100)).json()
    assert page["have_next"] is False
    assert all(
        set(row) == {"id", "name", "description", "base_model_type", "model_type", "trigger_words"}
        for row in page["data"]
    )
    names = " ".join(row["name"] for row in page["data"])
    for family in ("v1.0", "v0.6.0", "v0.5.0", "v0.5.0-turbo", "v0.4.0", "v0.4.0-turbo"):
        assert f"Artist {family}" in names


async def test_the_listing_is_paged_and_filtered(site: EmulatorHarness) -> None:
    async def list_ids(**query: Any) -> list[str]:
        page = (await site.get("/v1/imgenstd/models", **query)).json()
        assert page["have_next"] is (len(page["data"]) == query.get("size") and query.get("offset", 0) < 6)
        return [row["id"] for row in page["data"]]

    everything = await list_ids(size=100)
    assert await list_ids(size=0) == await list_ids() == everything[:10]
    assert await list_ids(size=4) + await list_ids(size=100, offset=4) == everything
    assert await list_ids(offset=1000) == []
    checkpoints, loras = await list_ids(mtp="Checkpoint"), await list_ids(mtp="LORA")
    assert checkpoints + loras == everything
    assert all("lora" in model for model in loras)


@pytest.mark.parametrize(
    "query", [{"size": 101}, {"size": -1}, {"offset": -1}, {"size": "ten"}, {"mtp": "lora"}, {"type": "LORA"}], ids=str
)
async def test_a_page_that_cannot_be_is_refused(site: EmulatorHarness, query: dict[str, Any]) -> None:
    response = await site.get("/v1/imgenstd/models", **query)
    assert (response.status_code, read_error_code(response)) == (400, 3)


async def test_a_base_model_names_its_controls(site: EmulatorHarness) -> None:
    async def list_controls(model_id: str) -> list[str]:
        page = (await site.get(f"/v1/imgenstd/model_cn/{model_id}", size=100)).json()
        assert all(set(row) == {"cn", "name", "description"} for row in page["data"])
        return [row["cn"] for row in page["data"]]

    assert len(await list_controls(FULL)) == 16
    assert set(await list_controls("artist_v0.4.0-turbo")) == {
        "openpose", "depth", "canny", "softedge", "normal", "scribble", "seg",
    }  # fmt: skip
    assert await list_controls(TEXT_ONLY) == []
    assert read_error_code(await site.get("/v1/imgenstd/model_cn/lora_ink_v0.4.0")) == 3
    assert read_error_code(await site.get("/v1/imgenstd/model_cn/nothing")) == 5
