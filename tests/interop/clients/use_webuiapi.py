"""webuiapi: the usual Python client of Stable Diffusion WebUIs, against the emulated one."""

from __future__ import annotations

import json
import os
import sys

from PIL import Image
from webuiapi import ControlNetUnit, RemBGInterface, WebUIApi

URL = os.environ["SD_WEBUI_URL"]


class Api(WebUIApi):
    """The client, told that the extensions' routes lie below a path here, and not at the root of the host."""

    def get_endpoint(self, endpoint: str, baseurl: object) -> str:
        return f"{self.baseurl}/{endpoint}" if baseurl else f"{URL}/{endpoint}"


api = Api(baseurl=f"{URL}/sdapi/v1", sampler="Euler a", steps=5)
failures: list[str] = []


def check(what: str, *, holds: object) -> None:
    """Note what does not hold."""
    if not holds:
        failures.append(what)


def try_drawing() -> Image.Image:
    """Words, pictures, masks, controls; what comes back is what was asked for."""
    drawn = api.txt2img(prompt="a red kite", seed=7, width=256, height=192, batch_size=2)
    check("txt2img draws two pictures", holds=len(drawn.images) == 2)
    check("txt2img keeps the size", holds=drawn.image.size == (256, 192))
    check("txt2img tells seeds", holds=drawn.info["all_seeds"] == [7, 8])
    check("txt2img tells the sampler", holds=drawn.info["sampler_name"] == "Euler a")
    large = api.txt2img(prompt="a red kite", seed=7, width=256, height=192, enable_hr=True, hr_scale=1.5)
    check("the second pass enlarges", holds=large.image.size == (384, 288))
    redrawn = api.img2img(images=[drawn.image], prompt="a blue kite", width=256, height=192, denoising_strength=0.5)
    check("img2img keeps the size", holds=redrawn.image.size == (256, 192))
    mask = Image.new("RGB", drawn.image.size, "black")
    mask.paste("white", (64, 48, 128, 96))
    inpainted = api.img2img(
        images=[drawn.image], mask_image=mask, prompt="a yellow ball", inpainting_fill=1, width=256, height=192
    )
    corner = (0, 0, 32, 32)
    check(
        "what the mask keeps stays", holds=inpainted.image.crop(corner).tobytes() == drawn.image.crop(corner).tobytes()
    )
    model = api.controlnet_model_list()[0]
    unit = ControlNetUnit(image=drawn.image, module="canny", model=model, control_mode="Balanced")
    guided = api.txt2img(prompt="a green kite", width=256, height=192, controlnet_units=[unit])
    check("a control sends its map", holds=len(guided.images) == 2)
    return drawn.image


def try_images(image: Image.Image) -> None:
    """Enlarging, describing, cutting out."""
    single = api.extra_single_image(image, upscaler_1="R-ESRGAN 4x+", upscaling_resize=1.5)
    check("extra_single_image enlarges", holds=single.image.size == (384, 288))
    several = api.extra_batch_images([image, image], upscaler_1="Lanczos", upscaling_resize=2)
    check("extra_batch_images enlarges both", holds=[one.size for one in several.images] == [(512, 384)] * 2)
    check("interrogate has words", holds=api.interrogate(image).info)
    check("deepdanbooru has tags", holds=api.interrogate(image, model="deepdanbooru").info)
    check("a picture tells its prompt", holds="a red kite" in json.dumps(api.png_info(image).info))
    check("rembg cuts out", holds=RemBGInterface(api).rembg(input_image=image).image.mode == "RGBA")


def try_lists() -> None:
    """Everything there is to choose from, settings and progress."""
    names = api.util_get_model_names()
    check("checkpoints are listed", holds=names)
    api.util_set_model(names[1])
    check("a checkpoint is loaded", holds=api.util_get_current_model() == names[1])
    for what, found in {
        "samplers": api.util_get_sampler_names(), "schedulers": api.util_get_scheduler_names(),
        "upscalers": api.get_upscalers(), "LoRAs": api.get_loras(), "VAEs": api.get_sd_vae(),
        "embeddings": api.get_embeddings()["loaded"], "modes": api.get_latent_upscale_modes(),
        "memory": api.get_memory()["cuda"], "modules": api.controlnet_module_list(),
        "the version of controls": api.controlnet_version(),
    }.items():  # fmt: skip
        check(f"{what} are listed", holds=found)
    check("the extension is seen", holds=api.has_controlnet)
    check("nothing is at work", holds=api.get_progress()["progress"] == 0)
    for call in (api.refresh_checkpoints, api.interrupt, api.skip):
        call()


def main() -> None:
    """Try everything, and print what failed as one line of JSON."""
    try:
        try_images(try_drawing())
        try_lists()
    except Exception as err:  # noqa: BLE001  # whatever the client raises is what is looked at
        failures.append(f"{type(err).__name__}: {err}"[:300])
    print("\nINTEROP " + json.dumps(failures), flush=True)


if __name__ == "__main__":
    main()
    sys.exit(0)
