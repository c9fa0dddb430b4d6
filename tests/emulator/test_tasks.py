"""Tasks over time: waiting, at work, over; many at once; and who answers for them after a crash."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.emulator.task_store import TaskStore
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import BOUND_S, EmulatorHarness, FakeEngine, encode_plain_image, read_error_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

IMGEN = "/v1/imgenstd/imgen"
RESULT = "/v1/imgenstd/result"
RESULTS = "/v1/imgenstd/results"
ROOT = Path(__file__).parents[2]


async def submit(site: EmulatorHarness, **fields: Any) -> str:
    return await site.submit_task(IMGEN, **{"model_id": "artist_v1.0", "prompt": "a cat", **fields})


async def get_state(site: EmulatorHarness, task_id: str) -> str:
    return (await site.get(f"{RESULT}/{task_id}")).json()["state"]


async def wait_for_state(site: EmulatorHarness, task_id: str, wanted: str) -> dict[str, Any]:
    """The result once it is in a state."""
    async with asyncio.timeout(BOUND_S):
        while (result := (await site.get(f"{RESULT}/{task_id}")).json())["state"] != wanted:
            await asyncio.sleep(0)
    return result


async def test_a_task_waits_runs_and_ends_by_the_clock(new_site: NewSite) -> None:
    site = await new_site(task_seconds=100)
    task_id = await submit(site)
    await site.emulator.state.tasks.wait_for_outcome((await site.emulator.state.tasks.find_by_id(task_id))[0])
    seen = [await get_state(site, task_id)]
    for seconds in (24, 2, 73, 2):
        await site.call_control("POST", "/clock", {"advance_s": seconds})
        seen.append(await get_state(site, task_id))
    assert seen == ["PENDING", "PENDING", "RUNNING", "RUNNING", "SUCCESS"]


async def test_a_task_is_not_done_before_its_pictures_are(site: EmulatorHarness, engine: FakeEngine) -> None:
    engine.answer_gate.clear()
    task_id = await submit(site)
    await wait_for_state(site, task_id, "RUNNING")
    await site.call_control("POST", "/clock", {"advance_s": 1000})
    result = (await site.get(f"{RESULT}/{task_id}")).json()
    assert (result["state"], result["state_message"], result["images"]) == ("RUNNING", "", [])
    engine.answer_gate.set()
    assert (await wait_for_state(site, task_id, "SUCCESS"))["state_message"] == "OK"


async def test_tasks_beyond_the_slots_wait_pending(new_site: NewSite, engine: FakeEngine) -> None:
    site = await new_site(render_slots=1)
    engine.answer_gate.clear()
    first, second = await submit(site), await submit(site)
    await wait_for_state(site, first, "RUNNING")
    assert await get_state(site, second) == "PENDING"
    engine.answer_gate.set()
    await wait_for_state(site, second, "SUCCESS")


async def test_a_task_can_be_finished_and_failed_by_hand(new_site: NewSite) -> None:
    site = await new_site(task_seconds=1000)
    good, bad = await submit(site), await submit(site)
    assert (await site.call_control("POST", f"/finish/{good}"))[0]["state"] == "SUCCESS"
    assert (await site.call_control("POST", f"/fail/{bad}", {"reason": "out of paint"}))[0]["reason"] == "out of paint"
    assert await get_state(site, good) == "SUCCESS"
    failed = (await site.get(f"{RESULT}/{bad}")).json()
    assert failed == {"state": "FAILED", "state_message": "out of paint", "task_id": bad, "images": []}


@pytest.mark.parametrize(
    ("error", "message"),
    [(ValueError("the mask is empty"), "the mask is empty"), (RuntimeError("boom"), "EngineGenError")],
)
async def test_what_the_engine_refuses_is_told_and_its_defects_are_not(
    site: EmulatorHarness, engine: FakeEngine, error: Exception, message: str
) -> None:
    engine.error = error
    result = await wait_for_state(site, await submit(site), "FAILED")
    assert (result["state_message"], result["images"]) == (message, [])


async def test_an_unknown_task_and_one_of_another_service_are_not_found(site: EmulatorHarness) -> None:
    task_id = await submit(site)
    for path in (f"{RESULT}/nothing", f"/v1/erase/result/{task_id}", f"{RESULT}/..%2f..%2flinks.key"):
        response = await site.get(path)
        assert (response.status_code, read_error_code(response)) == (404, 5)


async def test_a_batch_keeps_the_order_drops_the_unknown_and_collapses_duplicates(site: EmulatorHarness) -> None:
    ids = [await submit(site) for _ in range(3)]
    asked = [ids[2], "nothing", ids[0], ids[2], ids[1]]
    responses = [
        await site.call_mhapi("GET", RESULTS, json={"task_ids": asked}),
        await site.call_mhapi("POST", RESULTS, json={"task_ids": asked}),
        await site.call_mhapi("GET", RESULTS, params={"task_ids": asked}),
        await site.call_mhapi("GET", RESULTS, params={"task_ids": ",".join(asked)}),
    ]
    for response in responses:
        assert set(response.json()) == {"results"}
        assert [entry["task_id"] for entry in response.json()["results"]] == [ids[2], ids[0], ids[1]]


async def test_a_batch_holds_fifty_ids(site: EmulatorHarness) -> None:
    assert (await site.call_mhapi("GET", RESULTS, json={"task_ids": ["x"] * 50})).json() == {"results": []}
    for body in ({"task_ids": ["x"] * 51}, {"task_ids": "x"}, {"task_ids": [1]}, {}):
        response = await site.call_mhapi("GET", RESULTS, json=body)
        assert (response.status_code, read_error_code(response)) == (400, 3)


async def test_links_expire_and_cannot_be_changed(new_site: NewSite) -> None:
    site = await new_site(link_seconds=60)
    task_id = await submit(site)
    await site.finish_task(task_id)
    image = (await site.get(f"{RESULT}/{task_id}")).json()["images"][0]
    assert (await site.client.get(image["raw"])).status_code == 200
    assert (await site.client.get(image["raw"].replace("raw-0", "small-0"))).status_code == 403
    assert (await site.client.get(image["raw"].partition("?")[0])).status_code == 403
    await site.call_control("POST", "/clock", {"advance_s": 61})
    assert (await site.client.get(image["raw"])).status_code == 410
    renewed = (await site.get(f"{RESULT}/{task_id}")).json()["images"][0]["raw"]
    assert (await site.client.get(renewed)).status_code == 200


async def test_another_instance_on_the_folder_answers_for_finished_tasks(new_site: NewSite, tmp_path: Path) -> None:
    first, second = await new_site(state_dir=tmp_path), await new_site(state_dir=tmp_path)
    task_id = await submit(first, samples=2)
    await first.finish_task(task_id)
    own = (await first.get(f"{RESULT}/{task_id}")).json()
    shared = (await second.get(f"{RESULT}/{task_id}")).json()
    assert [image["seed"] for image in shared["images"]] == [image["seed"] for image in own["images"]]
    link = own["images"][1]["raw"].replace(first.emulator.base_url, second.emulator.base_url)
    assert (await second.client.get(link)).status_code == 200


async def test_a_task_at_work_elsewhere_is_not_rendered_twice(
    new_site: NewSite, tmp_path: Path, engine: FakeEngine
) -> None:
    first, second = await new_site(state_dir=tmp_path), await new_site(state_dir=tmp_path)
    engine.answer_gate.clear()
    task_id = await submit(first)
    await wait_for_state(first, task_id, "RUNNING")
    for _ in range(3):
        assert await get_state(second, task_id) in {"PENDING", "RUNNING"}
    engine.answer_gate.set()
    await wait_for_state(first, task_id, "SUCCESS")
    await wait_for_state(second, task_id, "SUCCESS")
    assert len(engine.calls) == 1


async def test_a_task_abandoned_in_a_crash_is_rendered_by_who_is_asked(new_site: NewSite, tmp_path: Path) -> None:
    """The first instance ends while its engine hangs; the engine task, its source and its seed are on disk."""
    stuck = FakeEngine()
    stuck.answer_gate.clear()
    crashing = EmulatorHarness(EmulatorSettings(state_dir=tmp_path), stuck, ManualUnixClock())
    async with crashing:
        task_id = await submit(crashing, seed=41)
        await wait_for_state(crashing, task_id, "RUNNING")
    second = await new_site(state_dir=tmp_path)
    result = await wait_for_state(second, task_id, "SUCCESS")
    assert [image["seed"] for image in result["images"]] == [41]


PROGRAM = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.emulator.task_store import TaskStore
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import FakeEngine

async def main():
    engine = FakeEngine()
    engine.answer_gate.clear()
    settings = EmulatorSettings(state_dir=pathlib.Path(sys.argv[2]))
    async with EmbeddedEmulator(engine, settings, clock=ManualUnixClock()) as emulator:
        print(emulator.base_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_task_whose_process_was_killed_is_rendered_by_who_is_asked(new_site: NewSite, tmp_path: Path) -> None:
    site = await new_site(state_dir=tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(ROOT), str(tmp_path)]
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert program.stdout is not None
        url = (await program.stdout.readline()).decode().strip()
        headers = {"Authorization": f"Bearer {site.sign_token()}"}
        body = {"model_id": "artist_v1.0", "prompt": "a cat", "seed": 17}
        task_id = (await site.client.post(f"{url}/mhapi{IMGEN}", headers=headers, json=body)).json()["task_id"]
        async with asyncio.timeout(BOUND_S):
            while (await site.client.get(f"{url}/mhapi{RESULT}/{task_id}", headers=headers)).json()[
                "state"
            ] != "RUNNING":
                await asyncio.sleep(0)
        assert await get_state(site, task_id) != "SUCCESS"
    finally:
        program.kill()
        await program.wait()
    result = await wait_for_state(site, task_id, "SUCCESS")
    assert [image["seed"] for image in result["images"]] == [17]


async def test_without_a_folder_nothing_is_left_behind(new_site: NewSite) -> None:
    site = EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock())
    async with site:
        await site.finish_task(await submit(site))
        folder = site.emulator.state.store.folder
        assert folder.is_dir()
    assert not folder.exists()


async def test_old_tasks_are_forgotten_at_the_next_start_and_trained_models_are_not(
    new_site: NewSite, clock: ManualUnixClock, tmp_path: Path
) -> None:
    first = await new_site(state_dir=tmp_path)
    url = await first.host_image(encode_plain_image())
    old = await submit(first)
    training = await first.submit_task("/v1/lora/train", base_model_id="artist_v0.4.0", images=[url])
    for task_id in (old, training):
        await first.finish_task(task_id)
    clock.now += 8 * 86_400
    young = await submit(first)
    second = await new_site(state_dir=tmp_path)
    async with asyncio.timeout(BOUND_S):
        while (await second.get(f"{RESULT}/{old}")).status_code == 200:
            await asyncio.sleep(0)
    assert (await second.get(f"{RESULT}/{young}")).status_code == 200
    assert (await second.get(f"/v1/lora/result/{training}")).json()["state"] == "SUCCESS"


async def test_a_task_another_version_has_written_is_unknown(new_site: NewSite, tmp_path: Path) -> None:
    site = await new_site(state_dir=tmp_path)
    task_id = await submit(site)
    await site.finish_task(task_id)
    file = tmp_path / "tasks" / "mhapi.imgenstd" / task_id / "task.json"
    file.write_text('{"service": "mhapi.imgenstd", "flavour": "vanilla"}')
    assert (await site.get(f"{RESULT}/{task_id}")).status_code == 404
    again = await new_site(state_dir=tmp_path)
    assert (await again.get(f"{RESULT}/{task_id}")).status_code == 404


OLD_TASK = """
{"service": "mhapi.imgenstd", "task_id": "0123456789abcdef0123456789abcdef", "account": "atelier-demo-ak",
 "function": "%s:generate",
 "arguments": {"prompt": "a cat", "seed": 41, "width": 960, "height": 960, "negative_prompt": "", "steps": 30,
  "guidance": 7, "source": null, "strength": 0.6, "controls": [], "profiles": [], "watermark": "Default",
  "file_format": "JPG", "samples": 1},
 "accepted_at": 1799999990.0, "starts_at": 1799999990.0, "ends_at": 1799999990.0,
 "facts": {"force_translation": false, "add_prompt": false},
 "verdict": {"failed": "", "code": "", "pictures": null}, "lasting": false}
"""
"""An unfinished task as the versions before this one left it; the function came with its module's path then."""


@pytest.mark.parametrize(
    "module",
    [
        "atelier.server.engine.studio",
        "atelier_mcp.server.engine.studio",
        "atelier_mcp.server.engine.worker_functions",
    ],
)
async def test_a_task_left_unfinished_by_an_older_version_is_rendered(
    new_site: NewSite, tmp_path: Path, engine: FakeEngine, module: str
) -> None:
    folder = tmp_path / "tasks" / "mhapi.imgenstd" / "0123456789abcdef0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(OLD_TASK % module)
    site = await new_site(state_dir=tmp_path)
    result = await wait_for_state(site, folder.name, "SUCCESS")
    assert [image["seed"] for image in result["images"]] == [41]
    assert [name for name, _ in engine.calls] == ["generate"]


OLD_UPSCALING = """
{"service": "mhapi.super_res", "task_id": "0123456789abcdef0123456789abcdef", "account": "atelier-demo-ak",
 "function": "upscale",
 "arguments": {"picture": {"$file": "source.in"}, "ratio": 2.0, "seed": 7, "watermark": null, "file_format": "PNG"},
 "accepted_at": 1799999990.0, "starts_at": 1799999990.0, "ends_at": 1799999990.0, "facts": {},
 "verdict": {"failed": "", "code": "", "pictures": null}, "lasting": false}
"""
OLD_OUTCOME = """
{"pictures": [{"raw": "0.png", "small": "0.small.jpg", "seed": 7}], "notes": [], "file": "", "document": null,
 "failed": ""}
"""


def test_a_task_and_an_outcome_of_an_older_version_are_read_by_their_former_names(tmp_path: Path) -> None:
    store = TaskStore()
    store.open(tmp_path)
    folder = tmp_path / "tasks" / "mhapi.super_res" / "0123456789abcdef0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(OLD_UPSCALING)
    (folder / "source.in").write_bytes(b"the source")
    (folder / "outcome.json").write_text(OLD_OUTCOME)
    task = store.read_task("mhapi.super_res", folder.name)
    assert task is not None
    assert store.read_arguments(task)["image"] == b"the source"
    outcome = store.read_outcome(task)
    assert outcome is not None
    assert [image.seed for image in outcome.images] == [7]


async def test_a_folder_that_vanishes_does_not_take_the_emulator_along(
    new_site: NewSite, tmp_path: Path, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    site = await new_site(state_dir=tmp_path)
    engine.answer_gate.clear()
    task_id = await submit(site)
    await wait_for_state(site, task_id, "RUNNING")
    await asyncio.to_thread(shutil.rmtree, tmp_path / "tasks" / "mhapi.imgenstd" / task_id)
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S):
        while f"keeping task {task_id}" not in caplog.text:
            await asyncio.sleep(0)
    assert (await site.get(f"{RESULT}/{task_id}")).status_code == 404
    await wait_for_state(site, await submit(site), "SUCCESS")
