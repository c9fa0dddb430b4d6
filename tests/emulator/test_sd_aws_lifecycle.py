"""The emulated middleware over time, and what the recordings do not tell: the engine behind it, links, the folder."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from tests.support.emulator_harness import BOUND_S, encode_plain_image, read_image_size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx2

    from tests.support.clock import ManualUnixClock
    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

BASES = {"Stable-diffusion": ["v1-5-pruned-emaonly.safetensors"]}
OLD = SdAwsSwitches(version="1.3")


async def call(site: EmulatorHarness, method: str, path: str, *, user: str = "api", **kwargs: Any) -> httpx2.Response:
    names = {"username": user, "Authorization": f"Bearer {user.encode().hex().upper()}"} if user else {}
    headers = {"x-api-key": DEMO_API_KEY, **names}
    return await site.client.request(method, f"/sd_aws/prod{path}", headers=headers, **kwargs)


async def deploy_endpoint(site: EmulatorHarness, kind: str = "Async", **body: Any) -> str:
    """The id of a deployment, which has just begun."""
    fields = {
        "endpoint_type": kind, "instance_type": "ml.g5.2xlarge", "initial_instance_count": 1,
        "autoscaling_enabled": False, "assign_to_roles": ["IT Operator"], **body,
    }  # fmt: skip
    response = await call(site, "POST", "/endpoints", json=fields)
    assert response.status_code == 202, response.text
    return response.json()["data"]["EndpointDeploymentJobId"]


async def deploy_ready_endpoint(site: EmulatorHarness, kind: str = "Async") -> None:
    """A deployment is work in the background, which a busy machine does late."""
    await site.finish_task(await deploy_endpoint(site, kind))


async def prepare(site: EmulatorHarness, kind: str = "Async", models: Any = BASES, **more: Any) -> dict[str, Any]:
    body = {"task_type": "txt2img", "inference_type": kind, "models": models, **more}
    response = await call(site, "POST", "/inferences", json=body)
    assert response.status_code == 201, response.text
    return response.json()["data"]["inference"]


async def run(
    site: EmulatorHarness, parameters: Any, *, models: Any = BASES, task_type: str = "txt2img"
) -> dict[str, Any]:
    """What an Async job with these parameters has come to."""
    inference = await prepare(site, models=models, task_type=task_type)
    content = parameters if isinstance(parameters, str) else json.dumps(parameters)
    assert (await site.client.put(inference["api_params_s3_upload_url"], content=content)).is_success
    assert (await call(site, "PUT", f"/inferences/{inference['id']}/start")).status_code == 202
    await site.finish_task(inference["id"])
    return (await call(site, "GET", f"/inferences/{inference['id']}")).json()["data"]


async def test_real_time_answers_with_the_finished_job(site: EmulatorHarness) -> None:
    await deploy_ready_endpoint(site, "Real-time")
    body = {"task_type": "txt2img", "inference_type": "Real-time", "models": BASES, "payload_string": '{"prompt": "x"}'}
    response = await call(site, "POST", "/inferences", json=body)
    assert (response.status_code, response.json()["data"]["status"]) == (200, "succeed")
    (link,) = response.json()["data"]["img_presigned_urls"]
    assert read_image_size((await site.client.get(link)).content) == (64, 48)


async def test_real_time_past_the_limit_of_the_gateway_is_told_later(new_site: NewSite, clock: ManualUnixClock) -> None:
    site = await new_site()
    await deploy_ready_endpoint(site, "Real-time")
    await site.call_control("PATCH", "/settings", {"task_seconds": 40})
    inference = await prepare(site, "Real-time")
    await site.client.put(inference["api_params_s3_upload_url"], json={"prompt": "a kite"})
    path = f"/inferences/{inference['id']}"
    assert (await call(site, "PUT", f"{path}/start")).status_code == 504
    running = (await call(site, "GET", path)).json()["data"]
    assert (running["status"], bool(running["startTime"])) == ("created", True)
    clock.now += 41
    async with asyncio.timeout(BOUND_S):
        while (await call(site, "GET", path)).json()["data"]["status"] != "succeed":
            await asyncio.sleep(0)


@pytest.mark.parametrize(("version", "status"), [("1.3", 403), ("1.4", 200), ("1.5", 200), ("1.7", 200)])
async def test_the_version_can_be_changed_while_it_runs(site: EmulatorHarness, version: str, status: int) -> None:
    await site.call_control("PATCH", "/settings", {"sd_aws": {"version": version}})
    assert (await call(site, "GET", "/ping", user="")).status_code == status


async def test_a_version_there_is_not_is_refused(site: EmulatorHarness) -> None:
    response = await site.client.patch("/_control/settings", json={"sd_aws": {"version": "1.6"}})
    assert response.status_code == 400


async def test_a_fresh_deployment_has_files_to_make_pictures_with(site: EmulatorHarness) -> None:
    """Otherwise nobody could try it; one that is not wanted can be deleted like any other."""
    query = {"types": "Stable-diffusion"}
    listed = (await call(site, "GET", "/checkpoints", params=query)).json()["data"]["checkpoints"]
    ids = {"checkpoint_id_list": [listed[0]["id"]]}
    assert (await call(site, "DELETE", "/checkpoints", json=ids)).status_code == 204
    left = (await call(site, "GET", "/checkpoints", params=query)).json()["data"]
    assert (len(listed), left["total"]) == (2, 1)


async def test_a_deployment_takes_as_long_as_it_was_told_to(new_site: NewSite, clock: ManualUnixClock) -> None:
    site = await new_site(switches=(SdAwsSwitches(deploy_seconds=600),))
    await deploy_endpoint(site, endpoint_name="one")

    async def get_state() -> str:
        return (await call(site, "GET", "/endpoints")).json()["data"]["endpoints"][0]["endpoint_status"]

    assert await get_state() == "Creating"
    body = {"task_type": "txt2img", "inference_type": "Async", "models": BASES}
    assert (await call(site, "POST", "/inferences", json=body)).status_code == 400
    clock.now += 601
    async with asyncio.timeout(BOUND_S):  # its time has come; the work itself may still be under way
        while await get_state() != "InService":
            await asyncio.sleep(0)
    assert (await call(site, "POST", "/inferences", json=body)).status_code == 201
    await call(site, "DELETE", "/endpoints", json={"endpoint_name_list": ["sd-async-one"]})
    assert (await call(site, "GET", "/endpoints")).json()["data"]["endpoints"] == []


async def test_a_deleted_endpoint_of_2023_stays_as_deleted(new_site: NewSite) -> None:
    site = await new_site(switches=(OLD,))
    body = {
        "instance_type": "ml.g4dn.xlarge", "initial_instance_count": "1", "autoscaling_enabled": False,
        "assign_to_roles": ["IT Operator"], "creator": "api", "endpoint_name": "one",
    }  # fmt: skip
    await call(site, "POST", "/endpoints", json=body)
    await call(site, "DELETE", "/endpoints", json={"delete_endpoint_list": ["infer-endpoint-one"], "username": "api"})
    async with asyncio.timeout(BOUND_S):
        while (await call(site, "GET", "/endpoints")).json()["endpoints"][0]["endpoint_status"] != "Deleted":
            await asyncio.sleep(0)


async def test_the_state_outlives_the_emulator(new_site: NewSite, tmp_path: Any) -> None:
    first = await new_site(state_dir=tmp_path)
    await deploy_endpoint(first, endpoint_name="one")
    again = await new_site(state_dir=tmp_path)
    rows = (await call(again, "GET", "/endpoints")).json()["data"]["endpoints"]
    assert [row["endpoint_name"] for row in rows] == ["sd-async-one"]


async def test_parameters_become_a_task_for_the_engine(site: EmulatorHarness, engine: FakeEngine) -> None:
    await deploy_ready_endpoint(site)
    parameters = {
        "enable_hr": True, "hr_scale": 1.5, "seed": 9, "batch_size": 2, "n_iter": 2,
        "prompt": "a kite <lora:ink:0.5>",
    }  # fmt: skip
    data = await run(site, parameters, models={**BASES, "Lora": ["ink.safetensors"]})
    arguments = engine.get_last_arguments("generate")
    assert (arguments["prompt"], arguments["width"], arguments["samples"], arguments["seed"]) == ("a kite", 768, 4, 9)
    assert arguments["profiles"] == [["ink", 0.5]]
    assert data["image_names"] == [f"image_{index}.png" for index in range(4)]


@pytest.mark.parametrize("shape", ["base64", "image and mask"])
async def test_a_unit_s_map_comes_after_the_picture(site: EmulatorHarness, engine: FakeEngine, shape: str) -> None:
    await deploy_ready_endpoint(site)
    image = base64.b64encode(encode_plain_image(80, 60)).decode()
    unit = {
        "enabled": True,
        "module": "canny",
        "image": image if shape == "base64" else {"image": image, "mask": image},
    }
    data = await run(site, {"prompt": "x", "alwayson_scripts": {"controlnet": {"args": [unit]}}})
    sizes = [read_image_size((await site.client.get(link)).content) for link in data["img_presigned_urls"]]
    assert sizes == [(64, 48), (80, 60)]
    assert len(engine.get_last_arguments("generate")["controls"]) == 1


@pytest.mark.parametrize(
    ("task_type", "parameters"),
    [
        ("img2img", {"prompt": "x"}),
        ("txt2img", {"prompt": "x", "steps": 0}),
        ("txt2img", {"prompt": 7}),
        ("rembg", {"input_image": "no picture"}),
        ("extra-single-image", {}),
        ("txt2img", "[1]"),
    ],
)
async def test_what_a_worker_cannot_work_with_is_taken_and_fails(
    site: EmulatorHarness, task_type: str, parameters: Any
) -> None:
    """The service looks at no parameter: its worker does."""
    await deploy_ready_endpoint(site)
    data = await run(site, parameters, task_type=task_type, models=BASES if "2img" in task_type else {})
    assert (data["status"], data["img_presigned_urls"]) == ("failed", [])


async def test_the_worker_of_2023_says_why_it_failed(new_site: NewSite) -> None:
    site = await new_site(switches=(OLD,))
    body = {
        "instance_type": "ml.g4dn.xlarge", "initial_instance_count": "1", "autoscaling_enabled": False,
        "assign_to_roles": ["IT Operator"], "creator": "api",
    }  # fmt: skip
    made = (await call(site, "POST", "/endpoints", json=body)).json()["data"]
    await site.finish_task(made["EndpointDeploymentJobId"])
    single = {"sagemaker_endpoint_name": made["endpoint_name"], "task_type": "txt2img", "models": BASES, "steps": 0}
    job = (await call(site, "POST", "/inference-api/inference", json=single)).json()["inference"]["inference_id"]
    await site.finish_task(job)
    told = (await call(site, "GET", "/inference/get-inference-job", params={"jobID": job})).json()
    assert "steps must be from 1" in json.loads(told["sagemakerRaw"])["errors"]


async def test_a_signed_link_takes_its_own_part_until_its_time_is_over(
    site: EmulatorHarness, clock: ManualUnixClock
) -> None:
    files = [{"filename": "a.pt", "parts_number": 2}]
    body: dict[str, Any] = {"checkpoint_type": "Lora", "filenames": files, "params": {}}
    created = (await call(site, "POST", "/checkpoints", json=body)).json()["data"]
    first, second = created["s3PresignUrl"]["a.pt"]
    stored = await site.client.put(first, content=b"one")
    assert stored.headers["etag"] == f'"{hashlib.md5(b"one", usedforsecurity=False).hexdigest()}"'
    assert (await site.client.put(first.replace("partNumber=1", "partNumber=2"), content=b"x")).status_code == 403
    tags = [{"ETag": stored.headers["etag"], "PartNumber": 1}, {"ETag": '"wrong"', "PartNumber": 2}]
    done = {"status": "Active", "multi_parts_tags": {"a.pt": tags}}
    assert (await call(site, "PUT", f"/checkpoints/{created['checkpoint']['id']}", json=done)).status_code == 400
    clock.now += 8 * 86_400
    assert (await site.client.put(second, content=b"two")).status_code == 403


async def test_a_training_learns_from_the_uploaded_pictures_not_from_their_captions(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    content: list[Any] = [
        {"filename": name, "name": name, "type": "image", "params": {}} for name in ("a.png", "a.txt")
    ]
    dataset: dict[str, Any] = {
        "dataset_name": "cats",
        "content": content,
        "creator": "api",
        "prefix": "10_cat",
        "params": {},
    }
    links = (await call(site, "POST", "/datasets", json=dataset)).json()["data"]["s3PresignUrl"]
    assert (await site.client.put(links["a.png"], content=encode_plain_image())).is_success
    assert (await site.client.put(links["a.txt"], content=b"a cat")).is_success
    await call(site, "PUT", "/datasets/cats", json={"status": "Enabled"})
    options = {"training_instance_type": "ml.g5.2xlarge", "model": BASES["Stable-diffusion"][0], "dataset": "cats"}
    config = {"output_name": "tabby", "save_every_n_epochs": 1, "max_train_epochs": 1}
    params = {"training_params": {**options, "fm_type": "sd_1_5"}, "config_params": config}
    body = {"lora_train_type": "kohya", "params": params}
    training = (await call(site, "POST", "/trainings", json=body)).json()["data"]["id"]
    await site.finish_task(training)
    assert len(engine.get_last_arguments("learn")["images"]) == 1
    await deploy_ready_endpoint(site)
    await run(site, {"prompt": "a kite <lora:tabby:1>"}, models={**BASES, "Lora": ["tabby.safetensors"]})
    assert engine.get_last_arguments("generate")["profiles"] == [[b"profile of 1", 1.0]]


async def test_a_training_without_its_pictures_fails(site: EmulatorHarness) -> None:
    content: list[Any] = [{"filename": "a.png", "name": "a.png", "type": "image", "params": {}}]
    dataset: dict[str, Any] = {"dataset_name": "cats", "content": content, "creator": "api", "prefix": "", "params": {}}
    await call(site, "POST", "/datasets", json=dataset)
    options = {"training_instance_type": "x", "model": BASES["Stable-diffusion"][0], "dataset": "cats"}
    config = {"output_name": "tabby", "save_every_n_epochs": 1, "max_train_epochs": 1}
    params = {"training_params": {**options, "fm_type": "sd_1_5"}, "config_params": config}
    made = await call(site, "POST", "/trainings", json={"lora_train_type": "kohya", "params": params})
    training = made.json()["data"]["id"]
    await site.finish_task(training)
    data = (await call(site, "GET", f"/trainings/{training}")).json()["data"]
    assert data["job_status"] == "Failed"
    assert "a.png was not uploaded" in data["params"]["resp"]["error_msg"]


@pytest.mark.parametrize("name", ["width", "steps", "n_iter", "cfg_scale", "denoising_strength"])
@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1" + "0" * 400])
async def test_a_number_beyond_all_bounds_fails_the_job_alone(site: EmulatorHarness, name: str, number: str) -> None:
    await deploy_ready_endpoint(site)
    assert (await run(site, f'{{"prompt": "x", "{name}": {number}}}'))["status"] == "failed"


@pytest.mark.parametrize("seed", [12345678901234, 4294967296, -1])
async def test_a_seed_past_32_bits_is_taken(site: EmulatorHarness, engine: FakeEngine, seed: int) -> None:
    await deploy_ready_endpoint(site)
    assert (await run(site, {"prompt": "x", "seed": seed}))["status"] == "succeed"
    assert 0 <= engine.get_last_arguments("generate")["seed"] < 1 << 32


async def test_infinity_is_taken_where_stored_parameters_have_it(site: EmulatorHarness) -> None:
    """The later versions' own parameter files say ``"s_tmax": Infinity`` (contract: inference_v2.non_finite)."""
    await deploy_ready_endpoint(site)
    assert (await run(site, '{"prompt": "x", "s_tmax": Infinity}'))["status"] == "succeed"


async def test_a_lora_tag_with_an_odd_weight_is_read_up_to_it(site: EmulatorHarness, engine: FakeEngine) -> None:
    await deploy_ready_endpoint(site)
    await run(site, {"prompt": "a kite <lora:ink:1.2.3>"}, models={**BASES, "Lora": ["ink.safetensors"]})
    assert engine.get_last_arguments("generate")["profiles"] == [["ink", 1.2]]


@pytest.mark.parametrize(
    "query", [{"limit": "abc"}, {"limit": "0"}, {"limit": "-1"}, {"limit": "9" * 5000}, {"exclusive_start_key": "x"}]
)
@pytest.mark.parametrize("path", ["/inferences", "/endpoints", "/datasets", "/trainings"])
async def test_a_page_that_cannot_be_is_refused_or_empty(
    site: EmulatorHarness, path: str, query: dict[str, str]
) -> None:
    response = await call(site, "GET", path, params=query)
    assert response.status_code == (200 if query == {"limit": "9" * 5000} else 400)


async def test_inferences_are_read_page_by_page_newest_first(site: EmulatorHarness, clock: ManualUnixClock) -> None:
    await deploy_ready_endpoint(site)
    ids: list[str] = []
    for _ in range(3):
        clock.now += 1
        ids.append((await prepare(site))["id"])
    first = (await call(site, "GET", "/inferences", params={"limit": 2})).json()["data"]
    assert [row["InferenceJobId"] for row in first["inferences"]] == ids[:0:-1]
    query = {"limit": 2, "exclusive_start_key": first["last_evaluated_key"]}
    last = (await call(site, "GET", "/inferences", params=query)).json()["data"]
    assert ([row["InferenceJobId"] for row in last["inferences"]], last["last_evaluated_key"]) == (ids[:1], None)


@pytest.mark.parametrize("path", ["/endpoints", "/datasets"])
async def test_pages_of_tables_hold_every_row_once(site: EmulatorHarness, path: str) -> None:
    names = [f"n{number}" for number in range(12)]
    for name in names:
        if path == "/endpoints":
            await deploy_endpoint(site, endpoint_name=name, assign_to_roles=[name])
        else:
            content: list[Any] = [{"filename": "a", "name": "a", "type": "image", "params": {}}]
            body: dict[str, Any] = {
                "dataset_name": name,
                "content": content,
                "creator": "api",
                "prefix": "",
                "params": {},
            }
            await call(site, "POST", path, json=body)
    found: list[str] = []
    query: dict[str, str] = {"limit": "4"}
    while True:
        data = (await call(site, "GET", path, params=query)).json()["data"]
        found += [row.get("endpoint_name", row.get("datasetName")) for row in data[path[1:]]]
        if data["last_evaluated_key"] is None:
            break
        query["exclusive_start_key"] = data["last_evaluated_key"]
    assert sorted(name.removeprefix("sd-async-") for name in found) == sorted(names)


async def test_two_who_look_at_the_end_of_a_job_see_its_pictures_once(site: EmulatorHarness) -> None:
    await deploy_ready_endpoint(site)
    inference = await prepare(site)
    await site.client.put(inference["api_params_s3_upload_url"], json={"prompt": "x"})
    path = f"/inferences/{inference['id']}"
    await call(site, "PUT", f"{path}/start")
    await site.finish_task(inference["id"])
    answers = await asyncio.gather(*(call(site, "GET", path) for _ in range(8)))
    assert {len(answer.json()["data"]["img_presigned_urls"]) for answer in answers} == {1}
