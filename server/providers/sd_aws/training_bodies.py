"""What a training is told, in the words of each version (contract: answered.training_bodies)."""

from __future__ import annotations

from io import BytesIO
from json import dumps
from tarfile import TarFile, TarInfo
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.requests.aws import CreateTraining

TRAIN_TYPE: Final = "Stable-diffusion"
SETTINGS_ARCHIVE: Final = "db_config.tar"
"""The file of settings that v1.4 has its caller upload."""


def build_base_training(
    request: CreateTraining, locations: Mapping[str, str], *, base_name: str, creator: str
) -> dict[str, Any]:
    """A training of the versions up to v1.4, on a base; ``locations`` holds the data sets' folders by name.

    Raises ``InvalidRequest`` for an unknown data set, and for what those versions cannot do.
    """
    unknown = [name for name in (*request.datasets, *request.class_datasets) if name not in locations]
    if unknown:
        raise InvalidRequest(f"datasets: there is no {unknown[0]}.", hint="aws_list_datasets shows all.")
    if request.xl:
        raise InvalidRequest("xl: this deployment trains no SDXL models.")
    data = [locations[name] for name in request.datasets]
    options = {
        "data_tar_list": data,
        # Without class pictures the sample has one empty text here, not an empty list (contract: create_training).
        "class_data_tar_list": [locations[name] for name in request.class_datasets] or [""],
        "training_instance_type": request.instance_type,
    }
    folder = f"models/dreambooth/{base_name}"
    config = {
        "concepts_list": _build_concepts(request, data),
        "model_dir": folder,
        "model_name": request.name,
        "pretrained_model_name_or_path": f"{folder}/working",
        "num_train_epochs": request.epochs,
        "use_lora": request.lora,
        "revision": "",
    }
    return {
        "train_type": TRAIN_TYPE,
        "model_id": request.base,
        "params": {"training_params": options, "config_params": config},
        "creator": creator,
    }


def build_lora_training(request: CreateTraining, *, is_flat: bool) -> dict[str, Any]:
    """A training of v1.5 and later, on a checkpoint as it is; the settings of v1.7 are flat.

    One file is saved, at the end.
    """
    options = {
        "training_instance_type": request.instance_type,
        "model": request.base,
        "dataset": request.datasets[0],
        "fm_type": "sd_xl" if request.xl else "sd_1_5",
    }
    # The interval is the whole length, so that nothing is saved on the way.
    saving = {"output_name": request.name, "save_every_n_epochs": request.epochs}
    training = {"max_train_epochs": request.epochs}
    config = {**saving, **training} if is_flat else {"saving_arguments": saving, "training_arguments": training}
    return {"lora_train_type": "kohya", "params": {"training_params": options, "config_params": config}}


def check_lora_training(request: CreateTraining) -> None:
    """Raise ``InvalidRequest`` for what v1.5 and later have no place for."""
    if len(request.datasets) > 1 or request.class_datasets:
        raise InvalidRequest("datasets: this deployment learns from one data set, and from no class pictures.")
    if request.prompt or request.class_prompt:
        raise InvalidRequest(
            "prompt: this deployment learns its words from captions.", hint="Give captions to aws_create_dataset."
        )
    if not request.lora:
        raise InvalidRequest("lora: this deployment trains nothing else.")


def pack_settings(config: Mapping[str, Any], *, base_name: str) -> bytes:
    """The archive of settings, which the trainer unpacks where the base lies."""
    content, archive = dumps(config).encode(), BytesIO()
    with TarFile(fileobj=archive, mode="w") as tar:
        entry = TarInfo(f"models/sagemaker_dreambooth/{base_name}/db_config_cloud.json")
        entry.size = len(content)
        tar.addfile(entry, BytesIO(content))
    return archive.getvalue()


def _build_concepts(request: CreateTraining, locations: Sequence[str]) -> list[dict[str, Any]]:
    """A concept per data set, with the values of the contract's sample where nothing was said."""
    return [
        {
            "class_data_dir": "",
            "class_guidance_scale": 7.5,
            "class_infer_steps": 40,
            "class_negative_prompt": "",
            "class_prompt": request.class_prompt,
            "class_token": "",
            "instance_prompt": request.prompt,
            "num_class_images_per": 0,
            "instance_data_dir": place,
            "instance_token": "",
            "is_valid": True,
            "n_save_sample": 1,
            "sample_seed": -1,
            "save_guidance_scale": 7.5,
            "save_infer_steps": 20,
            "save_sample_negative_prompt": "",
            "save_sample_prompt": request.prompt,
            "save_sample_template": "",
        }
        for place in locations
    ]
