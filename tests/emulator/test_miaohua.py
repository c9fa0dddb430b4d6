"""The emulated Miaohua: who gets in, what is refused, what becomes of tasks, how fast it may be asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL
from tests.support.emulator_harness import BOUND_S, EmulatorHarness, FakeEngine, encode_plain_image, read_image_size
from tests.support.miaohua_member import MiaohuaMember

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.clock import ManualUnixClock

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

DAY_S = 86_400


@pytest.fixture
async def member(site: EmulatorHarness) -> MiaohuaMember:
    return await MiaohuaMember(site).log_in()


async def test_an_unknown_e_mail_and_a_wrong_password_are_told_apart(member: MiaohuaMember) -> None:
    assert await member.fetch_code("/get_token", email="nobody@example.com", password="x") == 101
    assert await member.fetch_code("/get_token", email=DEMO_EMAIL, password="x") == 102
    assert await member.fetch_code("/get_token", email=DEMO_EMAIL) == 129


async def test_a_token_is_refused_when_it_is_old_garbage_foreign_or_missing(
    member: MiaohuaMember, clock: ManualUnixClock
) -> None:
    other = MiaohuaMember(member.emulator)
    for token, code in (("", 401), ("garbage", 412), (f"{member.token}x", 413), (member.token, 0)):
        other.token = token
        assert await other.fetch_code("/models/base") == code
    clock.now += DAY_S
    assert await member.fetch_code("/models/base") == 411
    await member.log_in()
    assert await member.fetch_code("/models/base") == 0


async def test_the_older_services_codes_can_be_had(member: MiaohuaMember) -> None:
    """Where it had codes of its own: of the login, of the token, of slots and of the balance."""
    switches: dict[str, Any] = {"old_codes": True, "most_tasks": 0}
    await member.emulator.call_control("PATCH", "/settings", {"miaohua": switches})
    assert await member.fetch_code("/get_token", email="nobody@example.com", password="x") == 600
    assert await member.fetch_code("/get_token", email=DEMO_EMAIL, password="x") == 601
    assert await member.fetch_code("/task_submit", prompt="a cat") == 603
    await member.emulator.call_control("PATCH", "/settings", {"miaohua": {"out_of_balance": True}})
    assert await member.fetch_code("/task_submit", prompt="a cat") == 604
    assert await member.fetch_code("/task_submit", prompt=7) == 129
    member.token = "garbage"
    assert await member.fetch_code("/models/base") == 600


async def test_an_upload_can_be_let_in_by_its_part_alone(member: MiaohuaMember) -> None:
    await member.emulator.call_control("PATCH", "/settings", {"miaohua": {"token_in_files": True}})
    headers = {"Authorization": f"Bearer {member.token}"}
    files = [("init_img", ("a.png", encode_plain_image(), "image/png"))]
    assert (await member.request("POST", "/upload_imgs", files=files, headers=headers)).json()["code"] == 401
    files.append(("token", ("token", member.token.encode(), "text/plain")))
    assert (await member.request("POST", "/upload_imgs", files=files, headers=headers)).json()["code"] == 0


async def test_a_token_works_at_another_instance_on_the_same_folder(new_site: NewSite, tmp_path: Any) -> None:
    one, other = await new_site(state_dir=tmp_path), await new_site(state_dir=tmp_path)
    member = await MiaohuaMember(one).log_in()
    task_id = await member.submit_task()
    member.emulator = other
    assert (await member.fetch_result(task_id))["state"] == "done"


async def test_an_account_added_by_the_control_api_sees_only_its_own(member: MiaohuaMember) -> None:
    task_id = await member.submit_task()
    (link,) = await member.upload_images()
    await member.fetch_info("/dataset", name="cats", images=[link])
    await member.emulator.call_control("POST", "/accounts", {"access_key": "b@example.com", "secret_key": "pw"})
    other = MiaohuaMember(member.emulator)
    document = await other.post("/get_token", email="b@example.com", password="pw")
    other.token = document["token"]
    assert await other.fetch_code("/task_result", task_id=task_id) == 106
    assert (await other.fetch_info("/dataset_all"))["items"] == []
    assert await other.fetch_code("/dataset/add_images", dataset=1, images=[link]) == 129


@pytest.mark.parametrize(
    "fields",
    [
        {"n_images": 8}, {"scale": 1}, {"scale": 20}, {"scale": 1.2}, {"strength": 0}, {"select_seed": -1},
        {"select_seed": 9_999_999}, {"output_size": "512x6240"}, {"prompt": ""}, {"prompt": "猫" * 1000},
        {"add_prompt": "false"}, {"add_prompt": 1}, {"cn_configs": None}, {"cn_configs": []}, {"lora_configs": []},
        {"versionid": "", "model_name": ""}, {"versionid": "", "model_name": "artist v0.3.0 BETA"},
        {"versionid": "sgl_artist_v0.3.5", "model_name": "whatever"}, {"ddim_steps": 5}, {"unheard_of": 1},
    ],
    ids=str,
)  # fmt: skip
async def test_values_within_their_bounds_are_accepted(member: MiaohuaMember, fields: dict[str, Any]) -> None:
    assert await member.fetch_code("/task_submit", **{"prompt": "a cat", **fields}) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"n_images": 0}, {"n_images": 9}, {"n_images": "two"}, {"n_images": True}, {"n_images": 1.5}, {"scale": 0.9},
        {"scale": 21}, {"scale": "7"}, {"strength": 1.1}, {"select_seed": -2}, {"select_seed": 10_000_000},
        {"output_size": "511x960"}, {"output_size": "960x6241"}, {"output_size": "960"}, {"output_size": 960},
        {"prompt": "x" * 1001}, {"prompt": None}, {"prompt": 7}, {"add_prompt": "perhaps"}, {"cn_configs": "canny"},
        {"versionid": "unknown"}, {"model_name": "unknown"}, {"lora_configs": [{"versionid": "x", "merge_weight": 1}]},
        {"lora_configs": [{"versionid": "lora_ink", "merge_weight": 3}]}, {"lora_configs": [{"versionid": "lora_ink"}]},
        {"init_img": "https://example.com/a.png"}, {"controlnet_model": "canny"}, {"controlnet_model": "unknown"},
        {"cn_configs": [{"cn": "canny", "weight": 1}]}, {"outpaint_config": {}}, {"outpaint_config": "x"},
    ],
    ids=str,
)  # fmt: skip
async def test_values_out_of_their_bounds_are_refused(member: MiaohuaMember, fields: dict[str, Any]) -> None:
    assert await member.fetch_code("/task_submit", **{"prompt": "a cat", **fields}) == 129


@pytest.mark.parametrize(
    ("control", "code"),
    [
        ({"cn": "canny", "config": {"control_processor": "invert"}}, 0),
        ({"cn": "canny", "config": {"low_threshold": 1, "high_threshold": 255}}, 0),
        ({"cn": "lineart", "config": {"control_processor": "invert"}}, 0),
        ({"cn": "openpose", "config": {"control_processor": "dw_openpose_full"}}, 0),
        ({"cn": "tile", "config": {"down_sample_rate": 8}}, 0),
        ({"cn": "ip2p"}, 0),
        ({"cn": "brightness", "weight": 2, "guidance_start": 0.5, "guidance_end": 0.5}, 0),
        ({"cn": "unknown"}, 129),
        ({"cn": "canny", "weight": 2.1}, 129),
        ({"cn": "canny", "config": {"low_threshold": 0}}, 129),
        ({"cn": "canny", "config": {"low_threshold": 201}}, 129),
        ({"cn": "canny", "config": {"control_processor": "openpose"}}, 129),
        ({"cn": "tile", "config": {"down_sample_rate": 8.1}}, 129),
        ({"cn": "canny", "guidance_start": 0.6, "guidance_end": 0.5}, 129),
    ],
    ids=str,
)
async def test_controls_are_held_against_their_table(member: MiaohuaMember, control: dict[str, Any], code: int) -> None:
    (link,) = await member.upload_images()
    config = {"img": link, "weight": 1, **control}
    assert await member.fetch_code("/task_submit", prompt="a cat", cn_configs=config) == code
    assert await member.fetch_code("/task_submit", prompt="a cat", cn_configs=[config] * 3) == code
    assert await member.fetch_code("/task_submit", prompt="a cat", cn_configs=[config] * 4) == 129


async def test_the_engine_gets_all_arguments(member: MiaohuaMember, engine: FakeEngine) -> None:
    source, guide = encode_plain_image(colour="red"), encode_plain_image(colour="blue")
    links = await member.upload_images(source, guide)
    task_id = await member.submit_task(
        prompt="一只猫", neg_prompt="dogs", n_images=2, select_seed=5, output_size="700x800", ddim_steps=12, scale=3.5,
        init_img=links[0], strength=0.3,
        cn_configs=[{"cn": "lineart", "img": links[1], "weight": 0.4, "config": {"control_processor": "invert"}}],
        lora_configs=[{"versionid": "lora_ink", "merge_weight": 0.7}, {"versionid": "ignored", "merge_weight": 1}],
    )  # fmt: skip
    assert [image["save_index"] for image in (await member.fetch_result(task_id))["images"]] == [0, 1]
    arguments = engine.get_last_arguments("generate")
    control = arguments.pop("controls")[0]
    assert arguments == {
        "prompt": "一只猫", "negative_prompt": "dogs", "seed": 5, "width": 700, "height": 800, "steps": 12,
        "guidance": 3.5, "source": source, "strength": 0.3, "profiles": [["ink", 0.7]], "watermark": None,
        "file_format": "JPG", "samples": 2,
    }  # fmt: skip
    assert (control["kind"], control["pre_processor"], control["image"]) == ("canny", "invert", guide)


async def test_the_old_single_control_reads_its_guide_from_init_img(member: MiaohuaMember, engine: FakeEngine) -> None:
    (link,) = await member.upload_images()
    await member.fetch_result(await member.submit_task(controlnet_model="hed", init_img=link))
    arguments = engine.get_last_arguments("generate")
    assert arguments["source"] is None
    assert [control["kind"] for control in arguments["controls"]] == ["softedge"]


async def test_an_extension_lies_where_it_was_told(member: MiaohuaMember, engine: FakeEngine) -> None:
    (link,) = await member.upload_images(encode_plain_image(400, 300))
    config = {"src_img": link, "outpaint_ratio": 1.5, "align_position": "bottomright"}
    await member.fetch_result(await member.submit_task(outpaint_config=config))
    arguments = engine.get_last_arguments("outpaint")
    assert [arguments[side] for side in ("left", "top", "right", "bottom")] == [200, 150, 0, 0]
    assert await member.fetch_code("/task_submit", outpaint_config={**config, "outpaint_ratio": 1.3}) == 129


async def test_a_result_is_pending_then_done_with_links_that_work(new_site: NewSite) -> None:
    member = await MiaohuaMember(await new_site(task_seconds=10)).log_in()
    task_id = await member.submit_task(select_seed=7)
    pending = await member.fetch_info("/task_result", task_id=task_id)
    assert (pending["state"], pending["images"], pending["error_msg"]) == ("pending", [], "")
    await member.emulator.finish_task(task_id)
    document = await member.post("/task_result", task_id=task_id)
    assert document["state"] == document["info"]["state"] == "done"
    (image,) = document["images"]
    assert document["select_seed"] == 7
    images = [await member.emulator.client.get(image[size]) for size in ("large", "middle")]
    assert [read_image_size(response.content) for response in images] == [(64, 48), (16, 12)]


async def test_a_failed_task_is_done_without_pictures_and_says_why(member: MiaohuaMember) -> None:
    await member.emulator.call_control("POST", "/faults", {"kind": "failed", "reason": "Intern error"})
    result = await member.fetch_result(await member.submit_task())
    assert (result["state"], result["images"], result["error_msg"]) == ("done", [], "Intern error")


async def test_a_blocked_picture_is_left_out_and_the_others_keep_their_place(member: MiaohuaMember) -> None:
    await member.emulator.call_control("POST", "/faults", {"kind": "partial", "indexes": [0]})
    result = await member.fetch_result(await member.submit_task(n_images=3))
    assert [image["save_index"] for image in result["images"]] == [1, 2]
    await member.emulator.call_control("POST", "/faults", {"kind": "sensitive"})
    result = await member.fetch_result(await member.submit_task())
    assert (result["images"], result["error_msg"]) == ([], "all pictures were sensitive")


async def test_a_batch_keeps_the_order_and_is_not_failed_by_an_unknown_id(member: MiaohuaMember) -> None:
    known = await member.submit_task()
    await member.emulator.finish_task(known)
    entries = await member.fetch_info("/task_results", task_ids=["unknown", known])
    assert [entry["task_id"] for entry in entries] == ["unknown", known]
    assert entries[0]["error_msg"] == "task not found"
    assert entries[1]["images"][0]["task_id"] == known
    assert await member.fetch_code("/task_results", task_ids=["x"] * 50) == 0
    assert await member.fetch_code("/task_results", task_ids=["x"] * 51) == 129
    assert await member.fetch_code("/task_results", task_ids=[]) == 129
    assert await member.fetch_code("/task_results", task_ids=["x"], sensitive_limit_value=1.1) == 129


async def test_six_batch_calls_a_second_are_answered(member: MiaohuaMember, clock: ManualUnixClock) -> None:
    codes = [await member.fetch_code("/task_results", task_ids=["x"]) for _ in range(7)]
    assert codes == [0] * 6 + [429]
    assert await member.fetch_code("/task_result", task_id="x") == 106
    clock.now += 1
    assert await member.fetch_code("/task_results", task_ids=["x"]) == 0


async def test_slots_and_balance_are_finite(member: MiaohuaMember) -> None:
    site = member.emulator
    await site.call_control("PATCH", "/settings", {"task_seconds": 100, "miaohua": {"most_tasks": 1}})
    task_id = await member.submit_task()
    assert await member.fetch_code("/task_submit", prompt="a cat") == 123
    await site.finish_task(task_id)
    assert await member.fetch_code("/task_submit", prompt="a cat") == 0
    await site.call_control("PATCH", "/settings", {"miaohua": {"out_of_balance": True, "most_tasks": None}})
    assert await member.fetch_code("/task_submit", prompt="a cat") == 124


async def test_the_five_can_be_sent_wrapped_or_flat_alone(member: MiaohuaMember) -> None:
    for envelope, names in (("wrapped", {"code", "info", "msg"}), ("flat", {"task_id"})):
        await member.emulator.call_control("PATCH", "/settings", {"miaohua": {"envelope": envelope}})
        assert set(await member.post("/task_submit", prompt="a cat")) == names
    assert set(await member.post("/models/base")) == {"code", "info", "msg"}


async def test_an_upload_is_checked_by_its_bytes_and_kept_all_or_none(member: MiaohuaMember) -> None:
    headers = {"Authorization": f"Bearer {member.token}"}

    async def get_code(*images: bytes, path: str = "/upload_imgs", **more: Any) -> int:
        files = [("init_img", ("a.png", data, "image/png")) for data in images]
        response = await member.request("POST", path, files=files, **{"headers": headers, **more})
        return response.json()["code"]

    good, small, tiff = (
        encode_plain_image(256, 256),
        encode_plain_image(255, 256),
        encode_plain_image(file_format="TIFF"),
    )
    assert await get_code(good, encode_plain_image(file_format="WEBP"), encode_plain_image(file_format="JPEG")) == 0
    assert await get_code(good, small) == 400
    assert await get_code(tiff) == 400
    assert await get_code(good, b"x" * (5 * 1024 * 1024 + 1)) == 400
    assert await get_code(good, path="/upload_img") == 0
    assert await get_code(good, good, path="/upload_img") == 129
    assert await get_code(good, headers={}) == 401
    assert await get_code(good, headers={}, data={"token": member.token}) == 0
    assert await get_code(good, headers={"Authorization": "Bearer x"}, data={"token": member.token}) == 412


async def test_uploads_keep_their_order(member: MiaohuaMember) -> None:
    links = await member.upload_images(encode_plain_image(300, 256), encode_plain_image(400, 256))
    widths = [read_image_size((await member.emulator.client.get(link)).content)[0] for link in links]
    assert widths == [300, 400]


async def test_models_are_paged_and_filtered_by_the_body_before_the_query(member: MiaohuaMember) -> None:
    first = await member.fetch_info("/models/base", page=1, per_page=4)
    assert (len(first["models"]), first["has_next"], first["page"], first["per_page"]) == (4, True, 1, 4)
    second = await member.fetch_info("/models/base?page=2&per_page=1", per_page=4)
    assert (len(second["models"]), second["has_next"], second["page"]) == (2, False, 2)
    found = await member.fetch_info("/models/base", query="TURBO")
    assert [model["versionid"] for model in found["models"]] == ["sgl_artist_v0.3.5_turbo"]


async def test_controls_of_a_model_can_be_asked_with_either_verb(member: MiaohuaMember) -> None:
    posted = await member.fetch_info("/cn/list", versionid="open_painter_v1")
    query = {"token": member.token, "versionid": "open_painter_v1"}
    got = (await member.request("GET", "/cn/list", params=query)).json()["info"]
    assert posted == got
    assert {control["name"] for control in got} == {c["name"] for c in await member.fetch_info("/cn/opensource")}
    assert await member.fetch_code("/cn/list", versionid="unknown") == 129


async def test_forms_need_no_token_and_have_an_old_path(member: MiaohuaMember) -> None:
    forms = [(await member.request("GET", path)).json() for path in ("/get_train_form", "/train_form")]
    assert forms[0] == forms[1]
    fields = (await member.request("GET", "/get_generation_form")).json()["info"]
    assert {"name": "resolution", "type": "dict"}.items() <= {**fields[6]}.items()


async def test_other_methods_and_paths_are_transport_problems(member: MiaohuaMember) -> None:
    for method, path, status in (
        ("GET", "/task_submit", 405),
        ("POST", "/nowhere", 404),
        ("POST", "/upload_imgs", 415),
    ):
        response = await member.request(method, path)
        assert (response.status_code, response.json()["code"]) == (status, status)


async def test_a_data_set_lives_through_a_restart_and_changes_all_or_not_at_all(
    new_site: NewSite, tmp_path: Any, clock: ManualUnixClock
) -> None:
    member = await MiaohuaMember(await new_site(state_dir=tmp_path)).log_in()
    one, two, three = await member.upload_images(
        *(encode_plain_image(colour=colour) for colour in ("red", "green", "blue"))
    )
    number = (await member.fetch_info("/dataset", name="n", description="d", images=[one, two]))["dataset_id"]
    assert await member.fetch_code("/dataset", name="n", images=[]) == 129
    assert await member.fetch_code("/dataset", name="n", images=["https://example.com/a.png"]) == 400
    clock.now += 60
    member.emulator = await new_site(state_dir=tmp_path)
    assert await member.post("/dataset/add_images", dataset=number, images=[three]) == {
        "code": 0,
        "info": "",
        "msg": "OK",
    }
    assert (
        await member.fetch_code("/dataset/add_images", dataset=number, images=[three, "https://example.com/a.png"])
        == 400
    )
    (item,) = (await member.fetch_info("/dataset_all?page=1"))["items"]
    assert (item["name"], item["images_num"], len(item["images"])) == ("n", 3, 3)
    assert item["update_time"] > item["create_time"]
    renewed = one.partition("?")[0]
    assert (
        await member.fetch_code("/dataset/delete_images", dataset=number, images=[renewed, "https://x.example/z.png"])
        == 400
    )
    assert await member.fetch_code("/dataset/delete_images", dataset=number, images=[renewed]) == 0
    (item,) = (await member.fetch_info("/dataset_all"))["items"]
    assert item["images_num"] == 2


async def test_a_training_learns_and_its_lora_draws(
    new_site: NewSite, engine: FakeEngine, clock: ManualUnixClock
) -> None:
    member = await MiaohuaMember(await new_site(task_seconds=100)).log_in()
    links = await member.upload_images(encode_plain_image(), encode_plain_image(colour="red"))
    number = (await member.fetch_info("/dataset", name="n", images=links))["dataset_id"]
    task_id = (await member.fetch_info("/train_submit", name="my style", main_body="Style", dataset=[number]))[
        "task_id"
    ]
    assert (await member.fetch_info("/train_progress", task_id=task_id))["state"] == "pending"
    clock.now += 50
    assert 0 < (await member.fetch_info("/train_progress", task_id=task_id))["training_progress"] < 1
    await member.emulator.finish_task(task_id)
    progress = await member.fetch_info("/train_progress", task_id=task_id)
    assert (progress["state"], progress["model_name"], progress["training_progress"]) == ("done", "my_style", 1)
    (lora,) = (await member.fetch_info("/models/private"))["models"]
    assert (lora["model_name"], lora["tag"]) == ("my_style", "LORA")
    by_id = await member.submit_task(lora_configs=[{"versionid": lora["versionid"], "merge_weight": 1}])
    by_name = await member.submit_task(model_name="my_style")
    for drawing in (by_id, by_name):
        await member.fetch_result(drawing)
        assert engine.get_last_arguments("generate")["profiles"] == [[b"profile of 2", 1]]


@pytest.mark.parametrize(
    "fields",
    [{"dataset": [99]}, {"dataset": []}, {"main_body": "Cars"}, {"base_model": "unknown"}, {"name": ""}],
    ids=str,
)
async def test_a_training_that_cannot_be_is_refused(member: MiaohuaMember, fields: dict[str, Any]) -> None:
    number = (await member.fetch_info("/dataset", name="n", images=await member.upload_images()))["dataset_id"]
    good = {"name": "n", "main_body": "Human", "dataset": [number], "base_model": "自动选择", "nsfw": 1}
    assert await member.fetch_code("/train_submit", **good) == 0
    assert await member.fetch_code("/train_submit", **{**good, **fields}) == 129


async def test_a_description_comes_at_once_or_is_withdrawn(member: MiaohuaMember) -> None:
    (link,) = await member.upload_images()
    assert await member.fetch_info("/img2txt", init_img=link) == "Teal all over."
    await member.emulator.call_control("PATCH", "/settings", {"miaohua": {"img2txt_withdrawn": True}})
    assert await member.fetch_code("/img2txt", init_img=link) == 403


async def test_who_asked_for_a_callback_is_called_when_the_task_is_over(member: MiaohuaMember) -> None:
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await bodies.put(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        task_id = await member.submit_task(callback_url=f"http://127.0.0.1:{port}/hook")
        body = await asyncio.wait_for(bodies.get(), BOUND_S)
    assert f'"task_id":"{task_id}"'.encode() in body.replace(b": ", b":")
    assert b'"state":"done"' in body.replace(b": ", b":")


async def test_the_log_names_the_contract_and_the_account_and_hides_the_token(new_site: NewSite, tmp_path: Any) -> None:
    site = await new_site(access_log=tmp_path / "log.jsonl")
    member = await MiaohuaMember(site).log_in()
    await member.fetch_info("/models/base")
    await member.upload_images()
    await site.emulator.__aexit__(None, None, None)
    text = (tmp_path / "log.jsonl").read_text("utf-8")
    assert text.count('"upstream": "miaohua_v1b"') == 3
    assert text.count(f'"account": "{DEMO_EMAIL}"') == 3
    assert member.token not in text
    assert '"form": ["init_img"]' in text


async def test_a_callback_that_breaks_ends_nothing_else(
    member: MiaohuaMember, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The calls share a task group, in which one error would be the end of all, and of the emulator."""
    state = member.emulator.emulator.state
    engine.answer_gate.clear()
    (task,) = await state.tasks.find_by_id(await member.submit_task())

    def build_body(_: Any) -> dict[str, Any]:
        raise RuntimeError("a defect")

    state.callbacks.send_when_finished(task, "http://127.0.0.1:9/hook", build_body)
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S):
        while "a callback broke" not in caplog.text:
            await asyncio.sleep(0)
    assert (await member.fetch_result(await member.submit_task()))["state"] == "done"


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400", "1" + "0" * 400, f'"{"9" * 5000}"'])
@pytest.mark.parametrize(("path", "name"), [("/models/base", "per_page"), ("/task_submit", "scale")])
async def test_a_number_that_is_none_is_129(member: MiaohuaMember, path: str, name: str, number: str) -> None:
    content = f'{{"token": "{member.token}", "prompt": "a cat", "{name}": {number}}}'
    response = await member.request("POST", path, content=content)
    assert (response.status_code, response.json()["code"]) == (200, 129)


@pytest.mark.parametrize("value", [[], {}, 1, None])
async def test_a_choice_of_another_type_is_129(member: MiaohuaMember, value: Any) -> None:
    """An array and an object have no hash, and must not be looked up in a table."""
    (link,) = await member.upload_images()
    config = {"src_img": link, "outpaint_ratio": 1.5, "align_position": value}
    assert await member.fetch_code("/task_submit", prompt="a cat", outpaint_config=config) == 129
