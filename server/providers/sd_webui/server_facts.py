"""Which server of the family answers, and what it has; asked when it is first needed, and again now and then.

It may be started, and get another extension, long after we are: what was not there is looked for again.
(contract: variants, version.unknown)
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from atelier_mcp.server.errors import AtelierError, ConfigurationError
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.model_cache import ModelCache
from atelier_mcp.server.providers.sd_webui.errors import START_HINT, SdWebuiRejection

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession

SdWebuiVariant: TypeAlias = Literal["a1111", "forge", "reforge", "forge_classic", "sdnext", "sdcpp"]
TITLES: Final[dict[SdWebuiVariant, str]] = {
    "a1111": "AUTOMATIC1111",
    "forge": "Forge",
    "reforge": "reForge",
    "forge_classic": "Forge Classic",
    "sdnext": "SD.Next",
    "sdcpp": "stable-diffusion.cpp",
}
CPP_MARK: Final = "sd-cpp-local"
PROBES: Final = {
    "samplers": "/sdapi/v1/samplers",
    "options": "/sdapi/v1/options",
    "scripts": "/sdapi/v1/scripts",
    "sd_modules": "/sdapi/v1/sd-modules",
    "sd_vae": "/sdapi/v1/sd-vae",
    "schedulers": "/sdapi/v1/schedulers",
    "version": "/sdapi/v1/version",
    "cpp_models": "/v1/models",
    "controlnet_version": "/controlnet/version",
    "control_types": "/controlnet/control_types",
    "swap_models": "/reactor/models",
}
REMBG_PATH: Final = "/rembg"
NO_MODEL: Final = {"model": "None"}
"""What the extension answers with null, without doing anything (contract: rembg)."""


@dataclass(frozen=True, slots=True)
class SdWebuiFacts:
    """What one server is and has."""

    variant: SdWebuiVariant
    loaded_checkpoint: str
    """By its title; empty where that is not told."""
    scripts: frozenset[str]
    """In lower case."""
    has_schedulers: bool
    has_controlnet: bool
    has_cut_out: bool
    swap_models: tuple[str, ...] | None
    """None without the extension."""
    revision: str = ""
    """What it says of its version, where it does."""

    @property
    def title(self) -> str:
        """The server's name."""
        return TITLES[self.variant]

    @property
    def takes_task_ids(self) -> bool:
        """Whether it takes a task id of ours."""
        return self.variant not in ("sdnext", "sdcpp")

    @property
    def takes_lora_tags(self) -> bool:
        """Whether LoRAs are tags in the prompt; else they are a field of their own."""
        return self.variant != "sdcpp"

    @property
    def extensions(self) -> tuple[str, ...]:
        """Those that serve a tool or a part of one."""
        found = {"ControlNet": self.has_controlnet, "rembg": self.has_cut_out, "ReActor": self.swap_models is not None}
        return tuple(name for name, is_there in found.items() if is_there)


class SdWebuiProbe:
    """Asks a server what it is, and remembers it for a few minutes."""

    def __init__(self, session: SdWebuiSession, *, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._cache: ModelCache[SdWebuiFacts] = ModelCache(clock)

    async def get(self) -> SdWebuiFacts:
        """What is known of the server. Raises ``ProviderUnavailable`` where none answers.

        A failure is not remembered: a server that is started now is found by the next call.
        """
        try:
            return await self._cache.get("facts", self._read)
        except AtelierError:
            self._cache.forget("facts")
            raise

    def forget(self) -> None:
        """Ask anew: something was not there that may have come."""
        self._cache.forget("facts")

    async def _read(self) -> SdWebuiFacts:
        with raise_rejection_errors():
            # One first: where nothing answers, it is not asked twelve times.
            found: dict[str, Any] = {"samplers": await self._session.find(PROBES["samplers"])}
            if not isinstance(found["samplers"], list):
                message = f"What answers at {self._session.client.host} is no WebUI, or its API is off."
                raise ConfigurationError(message, hint=START_HINT)
            others = [name for name in PROBES if name not in found]
            answers = await asyncio.gather(*(self._session.find(PROBES[name]) for name in others))
            has_cut_out = await self._has_cut_out()
        return _read_facts(found | dict(zip(others, answers, strict=True)), has_cut_out=has_cut_out)

    async def _has_cut_out(self) -> bool:
        try:
            await self._session.post(REMBG_PATH, NO_MODEL)
        except SdWebuiRejection as err:
            return not err.fault.is_route_missing
        return True


def _read_facts(found: dict[str, Any], *, has_cut_out: bool) -> SdWebuiFacts:
    options, scripts = _to_dict(found["options"]), _to_dict(found["scripts"])
    swap_models = _to_dict(found["swap_models"]).get("models")
    version = _to_dict(found["version"])
    return SdWebuiFacts(
        variant=_choose_variant(found),
        loaded_checkpoint=str(options.get("sd_model_checkpoint") or ""),
        scripts=frozenset(str(title).lower() for title in scripts.get("txt2img") or ()),
        has_schedulers=isinstance(found["schedulers"], list),
        has_controlnet="control_types" in _to_dict(found["control_types"]),
        has_cut_out=has_cut_out,
        swap_models=tuple(map(str, cast("list[Any]", swap_models))) if isinstance(swap_models, list) else None,
        revision=str(version.get("updated") or version.get("hash") or ""),
    )


def _choose_variant(found: dict[str, Any]) -> SdWebuiVariant:
    if any(_to_dict(model).get("id") == CPP_MARK for model in _to_dict(found["cpp_models"]).get("data") or ()):
        return "sdcpp"
    if found["version"] is not None:
        return "sdnext"
    if found["sd_modules"] is not None:
        return "forge"
    has_builtin_controlnet = found["control_types"] is not None and found["controlnet_version"] is None
    if found["schedulers"] is None:
        # Without the built-in extension it is an AUTOMATIC1111 of before 1.9.
        return "forge_classic" if has_builtin_controlnet else "a1111"
    return "reforge" if has_builtin_controlnet else "a1111"


def _to_dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
