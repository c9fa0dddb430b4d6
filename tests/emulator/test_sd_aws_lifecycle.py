"""The emulated middleware over time: deployments, signed links, and a plain client of the later generation."""

from __future__ import annotations

import asyncio
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
KEY = {"x-api-key": DEMO_API_KEY}


async def call(site: EmulatorHarness, method: str, path: str, *, user: str = "", **kwargs: Any) -> httpx2.Response:
    headers = {**KEY, **({"username": user} if user else {})}
    return await site.client.request(method, f"/sd_aws/prod{path}", headers=headers, **kwargs)


async def deploy_endpoint(site: EmulatorHarness, **body: Any) -> str:
    fields = {"instance_type": "ml.g4dn.xlarge", "initial_instance_count": "1", **body}
    return (await call(site, "POST", "/endpoints", json=fields)).json()["data"]["endpoint_name"]


async def deploy_ready_endpoint(site: EmulatorHarness) -> str:
    """The name of an endpoint in service: a deployment is work in the background, which a busy machine does late."""
    name = await deploy_endpoint(site)
    (row,) = (await call(site, "GET", "/endpoints")).json()
    await site.finish_task(row["EndpointDeploymentJobId"])
    return name


async def test_a_plain_client_of_the_later_generation_gets_its_picture(site: EmulatorHarness) -> None:
    """As the contract's appendix tells it: prepare, upload, start, look, download, delete."""
    body = {"task_type": "txt2img", "inference_type": "Async", "models": BASES}
    created = await call(site, "POST", "/inferences", user="api", json=body)
    assert created.status_code == 201
    inference = created.json()["data"]["inference"]
    assert (await site.client.put(inference["api_params_s3_upload_url"], json={"prompt": "a kite"})).is_success
    started = await call(site, "PUT", f"/inferences/{inference['id']}/start", user="api")
    assert (started.status_code, started.json()["data"]["inference"]["status"]) == (202, "inprogress")
    await site.finish_task(inference["id"])
    data = (await call(site, "GET", f"/inferences/{inference['id']}", user="api")).json()["data"]
    assert data["status"] == "succeed"
    (link,) = data["img_presigned_urls"]
    assert read_image_size((await site.client.get(link)).content) == (64, 48)
    listed = {"inference_id_list": [inference["id"]]}
    assert (await call(site, "DELETE", "/inferences", user="api", json=listed)).status_code == 204


async def test_real_time_and_payload_string_answer_with_the_finished_job(site: EmulatorHarness) -> None:
    body = {
        "task_type": "txt2img",
        "inference_type": "Real-time",
        "models": BASES,
        "payload_string": '{"prompt": "x"}',
    }
    response = await call(site, "POST", "/inferences", user="api", json=body)
    assert (response.status_code, response.json()["data"]["status"]) == (200, "succeed")
    bad = await call(site, "POST", "/inferences", user="api", json={**body, "payload_string": "{"})
    assert (bad.status_code, bad.json()["message"]) == (400, "payload_string must be valid json string")


@pytest.mark.parametrize(
    ("generation", "user", "status"), [("both", "", 403), ("both", "api", 200), ("2024", "", 200), ("2023", "api", 403)]
)
async def test_ping_tells_the_generations_apart(new_site: NewSite, generation: Any, user: str, status: int) -> None:
    site = await new_site(switches=(SdAwsSwitches(generation=generation),))
    assert (await call(site, "GET", "/ping", user=user)).status_code == status


async def test_a_wrong_key_is_forbidden(site: EmulatorHarness) -> None:
    response = await site.client.get("/sd_aws/prod/endpoints", headers={"x-api-key": "wrong"})
    assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})


async def test_a_deployment_takes_as_long_as_it_was_told_to(new_site: NewSite, clock: ManualUnixClock) -> None:
    site = await new_site(switches=(SdAwsSwitches(deploy_seconds=600),))
    name = await deploy_endpoint(site)

    async def get_state() -> str:
        return (await call(site, "GET", "/endpoints")).json()[0]["endpoint_status"]

    assert await get_state() == "Creating"
    refused = await call(site, "POST", "/inference/v2", json=build_inference(name))
    assert (refused.status_code, refused.json()["statusCode"]) == (200, 400)
    clock.now += 601
    async with asyncio.timeout(BOUND_S):  # its time has come; the work itself may still be under way
        while await get_state() != "InService":
            await asyncio.sleep(0)
    assert (await call(site, "POST", "/inference/v2", json=build_inference(name))).json()["status"] == "inprogress"
    await call(site, "DELETE", "/endpoints", json={"delete_endpoint_list": [name]})
    assert (await call(site, "GET", "/endpoints")).json() == []


async def test_the_state_outlives_the_emulator(new_site: NewSite, tmp_path: Any, engine: FakeEngine) -> None:
    first = await new_site(state_dir=tmp_path)
    name = await deploy_endpoint(first)
    again = await new_site(state_dir=tmp_path)
    assert [row["endpoint_name"] for row in (await call(again, "GET", "/endpoints")).json()] == [name]


async def test_parameters_become_a_task_for_the_engine(site: EmulatorHarness, engine: FakeEngine) -> None:
    name = await deploy_ready_endpoint(site)
    more = {
        "enable_hr": True,
        "hr_scale": 1.5,
        "seed": 9,
        "batch_size": 2,
        "n_iter": 2,
        "prompt": "a kite <lora:ink:0.5>",
    }
    body = {**build_inference(name), **more, "models": {**BASES, "Lora": ["ink.safetensors"]}}
    job = (await call(site, "POST", "/inference/v2", json=body)).json()["inference_id"]
    await site.finish_task(job)
    arguments = engine.get_last_arguments("generate")
    assert (arguments["prompt"], arguments["width"], arguments["samples"], arguments["seed"]) == ("a kite", 768, 4, 9)
    assert arguments["profiles"] == [["ink", 0.5]]
    links = await call(site, "GET", "/inference/get-inference-job-image-output", params={"jobID": job})
    assert len(links.json()) == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"models": {}}, "Stable-diffusion is required"),
        ({"models": {"Stable-diffusion": ["x"]}}, "checkpoint with name x, type Stable-diffusion is not found"),
        ({"task_type": "img2img"}, "init_images is required"),
        ({"steps": 0}, "steps must be from 1"),
        ({"task_type": "paint"}, "task_type must be one of"),
    ],
)
async def test_what_cannot_be_is_refused_in_the_body_of_an_http_200(
    site: EmulatorHarness, change: dict[str, Any], says: str
) -> None:
    name = await deploy_ready_endpoint(site)
    response = await call(site, "POST", "/inference/v2", json={**build_inference(name), **change})
    assert (response.status_code, response.json()["statusCode"]) == (200, 400)
    assert says in str(response.json()["errMsg"])


async def test_a_signed_link_takes_its_own_part_until_its_time_is_over(
    site: EmulatorHarness, clock: ManualUnixClock
) -> None:
    body: dict[str, Any] = {
        "checkpoint_type": "Lora",
        "filenames": [{"filename": "a.pt", "parts_number": 2}],
        "params": {},
    }
    created = (await call(site, "POST", "/checkpoint", json=body)).json()
    first, second = created["s3PresignUrl"]["a.pt"]
    stored = await site.client.put(first, content=b"one")
    assert stored.headers["etag"] == f'"{hashlib.md5(b"one", usedforsecurity=False).hexdigest()}"'
    assert (await site.client.put(first.replace("partNumber=1", "partNumber=2"), content=b"x")).status_code == 403
    tags = [{"ETag": stored.headers["etag"], "PartNumber": 1}, {"ETag": '"wrong"', "PartNumber": 2}]
    done = {"checkpoint_id": created["checkpoint"]["id"], "status": "Active", "multi_parts_tags": {"a.pt": tags}}
    assert (await call(site, "PUT", "/checkpoint", json=done)).json()["statusCode"] == 500
    clock.now += 8 * 86_400
    assert (await site.client.put(second, content=b"two")).status_code == 403


async def test_a_training_learns_from_the_uploaded_pictures(site: EmulatorHarness, engine: FakeEngine) -> None:
    content = [{"filename": "a.png", "name": "a.png", "type": "image"}]
    dataset = {"dataset_name": "cats", "content": content, "creator": "api", "prefix": ""}
    made = await call(site, "POST", "/datasets", user="api", json=dataset)
    assert (
        await site.client.put(made.json()["data"]["s3PresignUrl"]["a.png"], content=encode_plain_image())
    ).is_success
    await call(site, "PUT", "/datasets/cats", user="api", json={"status": "Enabled"})
    options = {"training_instance_type": "ml.g5.2xlarge", "model": "v1-5", "dataset": "cats", "fm_type": "sd_1_5"}
    body = {"lora_train_type": "kohya", "params": {"training_params": options, "config_params": {}}}
    training = (await call(site, "POST", "/trainings", user="api", json=body)).json()["data"]["id"]
    await site.finish_task(training)
    assert len(engine.get_last_arguments("learn")["pictures"]) == 1
    files = (await call(site, "GET", "/inference/get-lora-list")).json()
    assert any(name.startswith("cats-") for name in files)


def build_inference(endpoint: str) -> dict[str, Any]:
    return {"sagemaker_endpoint_name": endpoint, "task_type": "txt2img", "prompt": "a kite", "models": BASES}


@pytest.mark.parametrize("name", ["width", "steps", "n_iter", "seed", "cfg_scale", "denoising_strength"])
@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1" + "0" * 400])
async def test_a_number_beyond_all_bounds_is_refused(site: EmulatorHarness, name: str, number: str) -> None:
    body = {**build_inference(await deploy_ready_endpoint(site)), name: 0}
    response = await call(
        site, "POST", "/inference/v2", content=json.dumps(body).replace(f'"{name}": 0', f'"{name}": {number}')
    )
    assert (response.status_code, response.json()["statusCode"]) == (200, 400)
    assert response.json()["errMsg"].startswith(f"{name} must be")


async def test_infinity_is_taken_where_stored_parameters_have_it(site: EmulatorHarness, engine: FakeEngine) -> None:
    """The later generation's own parameter files say ``"s_tmax": Infinity`` (contract: inference_v2.non_finite)."""
    body = {**build_inference(await deploy_ready_endpoint(site)), "s_tmax": 0}
    content = json.dumps(body).replace('"s_tmax": 0', '"s_tmax": Infinity')
    assert (await call(site, "POST", "/inference/v2", content=content)).json()["status"] == "inprogress"


async def test_a_lora_tag_with_an_odd_weight_is_read_up_to_it(site: EmulatorHarness, engine: FakeEngine) -> None:
    prompt = {"prompt": "a kite <lora:ink:1.2.3>", "models": {**BASES, "Lora": ["ink.safetensors"]}}
    body = {**build_inference(await deploy_ready_endpoint(site)), **prompt}
    await site.finish_task((await call(site, "POST", "/inference/v2", json=body)).json()["inference_id"])
    assert engine.get_last_arguments("generate")["profiles"] == [["ink", 1.2]]


@pytest.mark.parametrize(
    "query", [{"limit": "abc"}, {"limit": "0"}, {"limit": "-1"}, {"limit": "9" * 5000}, {"exclusive_start_key": "x"}]
)
async def test_a_page_of_inferences_that_cannot_be_is_refused(site: EmulatorHarness, query: dict[str, str]) -> None:
    response = await call(site, "GET", "/inferences", user="api", params=query)
    assert response.status_code == 400


async def test_inferences_are_read_page_by_page_newest_first(site: EmulatorHarness, clock: ManualUnixClock) -> None:
    body = {"task_type": "txt2img", "inference_type": "Async", "models": BASES}
    ids: list[str] = []
    for _ in range(3):
        clock.now += 1
        ids.append((await call(site, "POST", "/inferences", user="api", json=body)).json()["data"]["inference"]["id"])
    first = (await call(site, "GET", "/inferences", user="api", params={"limit": 2})).json()["data"]
    assert [row["id"] for row in first["inferences"]] == ids[:0:-1]
    query = {"limit": 2, "exclusive_start_key": first["last_evaluated_key"]}
    last = (await call(site, "GET", "/inferences", user="api", params=query)).json()["data"]
    assert ([row["id"] for row in last["inferences"]], last["last_evaluated_key"]) == (ids[:1], None)
