"""What a WebUI takes is sent through an MCP client, but for what ``NEVER_SENT`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.sd_webui.auth import WEBUI_ACCOUNT
from tests.support.commands import run_atelier
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness

    Call = Callable[..., Awaitable[types.CallToolResult]]

BOTH: Final = ("txt2img", "img2img")
NEVER_SENT: Final = {
    **{
        f"{call}/{name}": reason
        for call in BOTH
        for name, reason in {
            "do_not_save_samples": "the server overwrites it with the opposite of save_images",
            "do_not_save_grid": "the server overwrites it with the opposite of save_images",
            "sampler_index": "the older name of sampler_name",
            "disable_extra_networks": "it would ignore the LoRAs that were asked for",
            "script_name": "what a script draws is not known beforehand, so that no size or count could be promised",
            "script_args": "of a script",
            "infotext": "it would fill in what the caller left to us",
            "alwayson_scripts.controlnet.args[].mask": "no tool takes a mask for a control",
        }.items()
    },
    "img2img/mask_blur_x": "mask_blur sets both",
    "img2img/mask_blur_y": "mask_blur sets both",
    "img2img/mask_round": "our masks are black and white already",
    "img2img/include_init_images": "it would send the sources back",
    **{
        f"{call}/{name}": "upscale_image enlarges and leaves faces alone"
        for call in ("extra_single_image", "extra_batch_images")
        for name in ("gfpgan_visibility", "codeformer_visibility", "codeformer_weight", "upscale_first")
    },
    **{
        f"{call}/{name}": "one upscaler is chosen"
        for call in ("extra_single_image", "extra_batch_images")
        for name in ("upscaler_2", "extras_upscaler_2_visibility")
    },
    "extra_single_image/upscaling_resize": "one picture is enlarged to its exact size",
    **{
        f"extra_batch_images/{name}": "tiles are enlarged by a factor"
        for name in ("upscaling_resize_w", "upscaling_resize_h", "upscaling_crop")
    },
    "skip": "it would end one batch of a job, and whoever cancels wants none of them",
    "options_set": "it changes the settings of everybody for good; override_settings does it for one picture",
    "controlnet.detect": "no tool gives out a control's map",
    **{
        f"rembg/{name}": "only read with alpha matting, which is off"
        for name in (
            "alpha_matting_foreground_threshold", "alpha_matting_background_threshold", "alpha_matting_erode_size",
        )
    },
    **{
        f"reactor.image/{name}": "faces are swapped and left as they are otherwise"
        for name in (
            "upscaler", "scale", "upscale_visibility", "face_restorer", "restorer_visibility", "codeformer_weight",
            "restore_first", "upscale_force", "mask_face",
        )
    },
    **{
        f"reactor.image/{name}": "a face comes as a picture and is named by its number"
        for name in (
            "gender_source", "gender_target", "select_source", "face_model", "random_image", "det_thresh", "det_maxnum",
        )
    },
    "reactor.image/result_file_path": "a path on the server",
    "reactor.image/source_folder": "a path on the server",
    "reactor.image/device": "the server's owner has chosen it",
}  # fmt: skip
UNIT: Final[dict[str, Any]] = {
    "model": "control_v11p_sd15_canny [d14c016b]", "resize_mode": "Just Resize",
    "control_mode": "My prompt is more important", "processor_res": 512, "threshold_a": 10, "threshold_b": 20,
    "pixel_perfect": True, "low_vram": True, "hr_option": "Low res only",
}  # fmt: skip
ALWAYS: Final[dict[str, Any]] = {
    "sampler_name": "DDIM", "scheduler": "karras", "batch_size": 1, "vae": "vae-ft-mse-840000-ema-pruned.safetensors",
    "clip_skip": 2, "control_units": [UNIT], "styles": ["plain"], "subseed": 3, "subseed_strength": 0.2,
    "seed_resize_from_w": 512, "seed_resize_from_h": 512, "restore_faces": True, "tiling": True, "eta": 0.1,
    "s_min_uncond": 0.1, "s_churn": 1, "s_tmin": 0.1, "s_tmax": 2, "s_noise": 1.1,
    "refiner_checkpoint": "sd_xl_base_1.0", "refiner_switch_at": 0.8, "distilled_cfg_scale": 3,
    "override_settings": {"eta_noise_seed_delta": 1}, "override_settings_restore_afterwards": True,
    "save_images": True,
}  # fmt: skip
SECOND_PASS: Final[dict[str, Any]] = {
    "enable_hr": True, "denoising_strength": 0.5, "firstphase_width": 512, "firstphase_height": 512, "hr_scale": 1.5,
    "hr_upscaler": "Latent", "hr_second_pass_steps": 10, "hr_resize_x": 640, "hr_resize_y": 704,
    "hr_checkpoint_name": "sd_xl_base_1.0", "hr_sampler_name": "DDIM", "hr_scheduler": "karras", "hr_prompt": "a kite",
    "hr_negative_prompt": "rain",
}  # fmt: skip
WITH_SOURCE: Final = {"resize_mode": "Resize and Fill", "image_cfg_scale": 1.5, "initial_noise_multiplier": 1.1}
LISTED: Final = [
    "checkpoint", "lora", "sampler", "scheduler", "controlnet", "upscale", "vae", "embedding", "segment", "face",
]  # fmt: skip


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """This service alone, behind a password."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "SD_WEBUI_URL": f"{site.emulator.base_url}/sd_webui",
        "SD_WEBUI_USER": WEBUI_ACCOUNT.access_key,
        "SD_WEBUI_PASSWORD": WEBUI_ACCOUNT.secret_key,
        "SD_WEBUI_MAX_SIDE": "640",
    }


def save_image(tmp_path: Path, width: int, height: int) -> str:
    """The path of a local picture."""
    path = tmp_path / f"{width}x{height}.png"
    path.write_bytes(encode_plain_image(width, height))
    return str(path)


async def cancel_at_work(call: Call, site: EmulatorHarness) -> None:
    """A job that is interrupted while it is drawn."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    started = get_structured(await call("generate_image", prompt="too long", wait_s=1))
    await call("cancel_jobs", job_ids=[started["job_id"]])
    await site.call_control("PATCH", "/settings", {"task_seconds": 0})


async def draw_without_page(call: Call, site: EmulatorHarness) -> None:
    """A picture from a server that tells nothing of single tasks, so that its general progress is asked."""
    await site.call_control("PATCH", "/settings", {"sd_webui": {"has_page": False}, "task_seconds": 2.5})
    get_structured(await call("generate_image", prompt="a kite over the sea"))
    await site.call_control("PATCH", "/settings", {"sd_webui": {"asks_credentials": True}, "task_seconds": 0})


@pytest.mark.wire_coverage
async def test_calls_and_parameters_of_the_webui_are_sent(
    call: Call, site: EmulatorHarness, tmp_path: Path, environ: dict[str, str]
) -> None:
    await site.call_control("PATCH", "/settings", {"sd_webui": {"asks_credentials": True}})
    photo, large = save_image(tmp_path, 320, 256), save_image(tmp_path, 900, 300)
    drawing: dict[str, Any] = {
        "prompt": "a red kite", "negative_prompt": "rain", "seed": 7, "steps": 20, "guidance": 6, "width": 512,
        "height": 448, "model": "dreamlike-anime", "loras": [{"model": "ink_sketch"}],
        "controls": [{"type": "canny", "image": photo, "start": 0.1, "end": 0.9}],
    }  # fmt: skip
    get_structured(await call("generate_image", **drawing, advanced=ALWAYS | SECOND_PASS))
    get_structured(await call("generate_image", **drawing, image=photo, advanced=ALWAYS | WITH_SOURCE))
    box = [{"type": "box", "points": [10, 10, 100, 100]}]
    get_structured(await call("inpaint_image", image=photo, prompt="a boat", shapes=box))
    for name, fields in (
        ("outpaint_image", {"image": photo, "right": 100}),
        ("upscale_image", {"image": photo}),
        ("upscale_image", {"image": large}),
        ("describe_image", {"image": photo}),
        ("cut_out_subject", {"image": photo}),
        ("swap_faces", {"image": photo, "faces": [{"image": photo}]}),
        ("list_models", {"kind": LISTED, "limit": 100}),
    ):
        get_structured(await call(name, **fields))
    for unknown in ({"model": "nobody"}, {"loras": [{"model": "nobody"}]}):
        assert "nobody" in get_refusal(await call("generate_image", prompt="a kite", **unknown))
    await cancel_at_work(call, site)
    await draw_without_page(call, site)
    await run_atelier("doctor", "--json", environ=environ)
    check_coverage("sd_webui", await read_whole_log(site, tmp_path / "access.jsonl"), exceptions=NEVER_SENT)
