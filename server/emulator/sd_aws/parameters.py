"""What the parameters of an inference may be, and how a worker reads them.

(contract: inference_v2, appendix_generation_2.parameter_files)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.json_numbers import is_finite_number
from atelier_mcp.server.emulator.sd_aws.worker_failures import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEDS: Final = 1 << 32
"""The engine's seeds; larger ones are taken, too, and stand for one of these (contract: answered.numbers)."""
MOST_SIDE_PX: Final = 4096
MOST_IMAGES: Final = 16
LARGE: Final = 1e30
"""What Infinity is stored as, where the bounds let it in (inference_v2.non_finite)."""


@dataclass(frozen=True, slots=True)
class NumberBounds:
    """A number between two ends."""

    least: float
    most: float
    default: float | None
    whole: bool = False

    def read(self, name: str, value: Any) -> float | int | None:
        """The value, or the default for null; raises InferenceFailed."""
        if value is None:
            return self.default
        # JSON has no Infinity and Python's parser takes it; the worker does, too (contract: answered.numbers).
        value = LARGE if value == math.inf else value
        if not is_finite_number(value):
            raise InferenceFailed(f"{name} must be a number")
        if self.whole and value != int(value):
            raise InferenceFailed(f"{name} must be an integer")
        if not self.least <= value <= self.most:
            raise InferenceFailed(f"{name} must be from {self.least:g} to {self.most:g}")
        return int(value) if self.whole else float(value)


def _build_integer_bounds(least: float, most: float, default: float | None) -> NumberBounds:
    return NumberBounds(least, most, default, whole=True)


NUMBERS: Final = {
    "denoising_strength": NumberBounds(0, 1, None),
    "firstphase_width": _build_integer_bounds(0, MOST_SIDE_PX, 0),
    "firstphase_height": _build_integer_bounds(0, MOST_SIDE_PX, 0),
    "hr_scale": NumberBounds(1, 4, 2.0),
    "hr_second_pass_steps": _build_integer_bounds(0, 150, 0),
    "hr_resize_x": _build_integer_bounds(0, MOST_SIDE_PX, 0),
    "hr_resize_y": _build_integer_bounds(0, MOST_SIDE_PX, 0),
    "seed": _build_integer_bounds(-1, LARGE, -1),
    "subseed": _build_integer_bounds(-1, LARGE, -1),
    "subseed_strength": NumberBounds(0, 1, 0.0),
    "seed_resize_from_h": _build_integer_bounds(-1, MOST_SIDE_PX, 0),
    "seed_resize_from_w": _build_integer_bounds(-1, MOST_SIDE_PX, 0),
    "batch_size": _build_integer_bounds(1, 8, 1),
    "n_iter": _build_integer_bounds(1, MOST_IMAGES, 1),
    "steps": _build_integer_bounds(1, 150, 28),
    "cfg_scale": NumberBounds(0, 30, 7.0),
    "width": _build_integer_bounds(64, MOST_SIDE_PX, 512),
    "height": _build_integer_bounds(64, MOST_SIDE_PX, 512),
    "eta": NumberBounds(0, 1, None),
    "s_min_uncond": NumberBounds(0, 4, 0.0),
    "s_churn": NumberBounds(0, 100, 0.0),
    "s_tmax": NumberBounds(0, LARGE, 1.0),
    "s_tmin": NumberBounds(0, 10, 0.0),
    "s_noise": NumberBounds(0, 2, 1.0),
}
FLAGS: Final = {
    "enable_hr": False,
    "restore_faces": False,
    "tiling": False,
    "do_not_save_samples": False,
    "do_not_save_grid": False,
    "override_settings_restore_afterwards": True,
    "send_images": True,
    "save_images": False,
}
TEXTS: Final[dict[str, str | None]] = {
    "prompt": "",
    "negative_prompt": "",
    "hr_upscaler": "Latent",
    "hr_sampler_name": None,
    "hr_prompt": "",
    "hr_negative_prompt": "",
    "sampler_name": "Euler a",
    "sampler_index": "Euler a",
    "script_name": None,
}
TYPES_OF: Final[dict[str, type]] = {
    "styles": list, "script_args": list, "override_settings": dict, "alwayson_scripts": dict, "init_images": list,
}  # fmt: skip


def read_object(value: Any) -> dict[str, Any]:
    """A JSON object, typed; empty for any other document."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def read_values(raw_values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their defaults, unknown names left out; raises InferenceFailed."""
    values: dict[str, Any] = {name: rule.read(name, raw_values.get(name)) for name, rule in NUMBERS.items()}
    for names, kind in ((FLAGS, bool), (TEXTS, str)):
        for name, default in names.items():
            value = raw_values.get(name, default)
            if value is not None and not isinstance(value, kind):
                raise InferenceFailed(f"{name} must be a {kind.__name__}")
            values[name] = default if value is None else value
    for name, kind in TYPES_OF.items():
        value = raw_values.get(name)
        if value is not None and not isinstance(value, kind):
            raise InferenceFailed(f"{name} must be a {kind.__name__}")
        values[name] = kind() if value is None else value
    return values
