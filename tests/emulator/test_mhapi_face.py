"""face: wrapped results, integer states, and faces that must exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import encode_plain_image, read_error_code

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

TWO = [{"x": 40, "y": 30, "width": 60, "height": 70}, {"x": 200, "y": 30, "width": 50, "height": 50}]


@pytest.fixture
async def url(site: EmulatorHarness, engine: FakeEngine) -> str:
    """A link to a picture in which the engine sees two faces."""
    engine.faces = TWO
    return await site.host_image(encode_plain_image())


async def swap(
    site: EmulatorHarness, url: str, *pairs: tuple[int, int], path: str = "imggen", **fields: Any
) -> httpx2.Response:
    faces = [{"url": url, "index": index, "base_index": base} for index, base in pairs]
    body = {"model_id": "faceswap_v1", "base_img": {"url": url}, "faces": faces, **fields}
    return await site.post(f"/v1/face/{path}", **body)


async def test_faces_are_numbered_with_their_corners(site: EmulatorHarness, engine: FakeEngine, url: str) -> None:
    engine.answer_gate.clear()
    task_id = await site.submit_task("/v1/face/detect", img_url=url, type="anime")
    path = f"/v1/face/detect/{task_id}"
    assert (await site.get(path)).json() == {"task": {"state": 0, "faces": []}}
    engine.answer_gate.set()
    await site.finish_task(task_id)
    assert (await site.get(path)).json() == {
        "task": {
            "state": 1,
            "faces": [
                {"index": 0, "coords": {"x1": 40, "y1": 30, "x2": 100, "y2": 100}},
                {"index": 1, "coords": {"x1": 200, "y1": 30, "x2": 250, "y2": 80}},
            ],
        }
    }
    assert engine.get_last_arguments("faces")["kind"] == "anime"


async def test_a_picture_without_faces_is_finished_and_empty(
    site: EmulatorHarness, engine: FakeEngine, url: str
) -> None:
    engine.faces = []
    task_id = await site.submit_task("/v1/face/detect", img_url=url)
    await site.finish_task(task_id)
    assert (await site.get(f"/v1/face/detect/{task_id}")).json() == {"task": {"state": 1, "faces": []}}


async def test_a_failed_face_task_is_code_9_or_empty(site: EmulatorHarness, url: str) -> None:
    await site.call_control("POST", "/faults", [{"kind": "failed", "times": 2}])
    detect = await site.submit_task("/v1/face/detect", img_url=url)
    swapped = (await swap(site, url, (0, 0))).json()["task_id"]
    paths = (f"/v1/face/detect/{detect}", f"/v1/face/imggen/{swapped}")
    for path in paths:
        response = await site.get(path)
        assert (response.status_code, read_error_code(response)) == (400, 9)
    await site.call_control("PATCH", "/settings", {"mhapi": {"empty_face_failure": True}})
    assert [(await site.get(path)).json() for path in paths] == [
        {"task": {"state": 1, "faces": []}},
        {"task": {"state": 1, "img_url": "", "img_raw_url": ""}},
    ]


async def test_a_swap_ends_in_two_links(site: EmulatorHarness, engine: FakeEngine, url: str) -> None:
    response = await swap(site, url, (1, 0), (0, 1), model_id="faceswap_yw", format="PNG")
    task_id = response.json()["task_id"]
    await site.finish_task(task_id)
    task = (await site.get(f"/v1/face/imggen/{task_id}")).json()["task"]
    assert task["state"] == 1
    for name in ("img_url", "img_raw_url"):
        assert (await site.client.get(task[name])).headers["content-type"] == "image/png"
    arguments = engine.get_last_arguments("swap")
    assert arguments["kind"] == "anime"
    assert [(pair["index"], pair["base_index"]) for pair in arguments["pairs"]] == [(1, 0), (0, 1)]


@pytest.mark.parametrize("path", ["imggen", "imggen_sync"])
async def test_a_swap_takes_all_its_parameters_and_can_answer_at_once(
    site: EmulatorHarness, engine: FakeEngine, url: str, path: str
) -> None:
    everything = {
        "dino_scale": 0.4,
        "guidance_scale": 100,
        "prompt": "smiling",
        "format": "PNG",
        "watermark_config": {"type": "MakaLogo"},
    }
    response = (await swap(site, url, (0, 0), path=path, **everything)).json()
    if path == "imggen":
        await site.finish_task(response["task_id"])
        response = (await site.get(f"/v1/face/imggen/{response['task_id']}")).json()
    assert response["task"]["state"] == 1
    assert (await site.client.get(response["task"]["img_raw_url"])).headers["content-type"] == "image/png"
    assert engine.get_last_arguments("swap")["watermark"] == "MakaLogo"


@pytest.mark.parametrize(
    ("pairs", "fields", "expected"),
    [
        ([], {}, 3),
        ([(0, 0)] * 5, {}, 3),
        ([(0, 0), (1, 0)], {}, 3),
        ([(0, -1)], {}, 3),
        ([(0, 2)], {}, 5),
        ([(2, 0)], {}, 5),
        ([(0, 0)], {"model_id": "faceswap_v2"}, 5),
        ([(0, 0)], {"guidance_scale": 9}, 3),
        ([(0, 0)], {"guidance_scale": 30.5}, 3),
        ([(0, 0)], {"dino_scale": 1.1}, 3),
        ([(0, 0)], {"prompt": "猫" * 501}, 3),
        ([(0, 0)], {"prompt": "猫" * 500, "dino_scale": 0, "guidance_scale": 100}, 0),
        ([(0, 0)], {"base_img": {"url": "http://127.0.0.1:9/x.png"}}, 3),
        ([(0, 0)], {"base_img": {"faces": []}}, 3),
    ],
    ids=str,
)
async def test_a_swap_is_held_against_its_table(
    site: EmulatorHarness, url: str, pairs: list[tuple[int, int]], fields: dict[str, Any], expected: int
) -> None:
    response = await swap(site, url, *pairs, **fields)
    assert (0 if response.status_code == 200 else read_error_code(response)) == expected


async def test_a_face_that_is_not_there_is_told_in_plain_words(
    site: EmulatorHarness, engine: FakeEngine, url: str
) -> None:
    async def get_reason(*pairs: tuple[int, int]) -> str:
        response = await swap(site, url, *pairs)
        assert read_error_code(response) == 5
        return response.json()["error"]["message"]

    assert await get_reason((0, 0), (0, 2)) == "Not Found: base_img has no face 2: 2 found there, numbered from 0"
    assert await get_reason((0, 0), (2, 1)) == "Not Found: faces[1].url has no face 2: 2 found there, numbered from 0"
    engine.faces = []
    assert await get_reason((0, 0)) == "Not Found: no face was found in base_img"


async def test_a_source_without_a_face_is_named(site: EmulatorHarness, engine: FakeEngine, url: str) -> None:
    faceless = encode_plain_image(colour="red")
    original_run = engine.run

    async def run(function: str, /, **arguments: Any) -> Any:
        return [] if arguments.get("image") == faceless else await original_run(function, **arguments)

    engine.run = run
    faces = [{"url": await site.host_image(faceless), "index": 0, "base_index": 0}]
    body = {"model_id": "faceswap_v1", "base_img": {"url": url}, "faces": faces}
    response = await site.post("/v1/face/imggen", **body)
    assert response.json()["error"]["message"] == "Not Found: no face was found in faces[0].url"


async def test_a_detection_is_not_a_swap(site: EmulatorHarness, url: str) -> None:
    task_id = await site.submit_task("/v1/face/detect", img_url=url)
    assert read_error_code(await site.get(f"/v1/face/imggen/{task_id}")) == 5


async def test_face_models_are_the_two_of_the_contract(site: EmulatorHarness) -> None:
    page = (await site.get("/v1/face/models")).json()
    assert [row["id"] for row in page["data"]] == ["faceswap_v1", "faceswap_yw"]
