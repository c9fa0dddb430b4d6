"""Which upstreams there are, what each can do, and which of them the settings make usable.

Facts only: nothing of a provider is imported here, so that the tools can be listed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Upstream:
    """One image service as the settings see it."""

    name: str
    title: str
    credentials: tuple[str, ...]
    """The fields of ``Settings`` that must all be set."""
    capabilities: frozenset[str]

    def variables(self) -> str:
        """The credentials as the operator writes them: ``MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY``."""
        return " and ".join(name.upper() for name in self.credentials)


UPSTREAMS: tuple[Upstream, ...] = (
    Upstream(
        name="mhapi",
        title="SenseTime MHAPI",
        credentials=("mhapi_access_key", "mhapi_secret_key"),
        capabilities=frozenset(
            {
                "generate_image",
                "inpaint_image",
                "erase_object",
                "cut_out_subject",
                "segment_image",
                "outpaint_image",
                "upscale_image",
                "stylize_image",
                "detect_faces",
                "swap_faces",
                "train_lora",
                "list_models",
            }
        ),
    ),
    Upstream(
        name="miaohua",
        title="SenseTime Miaohua",
        credentials=("miaohua_email", "miaohua_password"),
        capabilities=frozenset(
            {
                "generate_image",
                "outpaint_image",
                "describe_image",
                "train_lora",
                "create_dataset",
                "list_datasets",
                "add_dataset_images",
                "remove_dataset_images",
                "list_models",
            }
        ),
    ),
    Upstream(
        name="sensenova",
        title="SenseNova",
        credentials=("sensenova_api_key",),
        capabilities=frozenset({"chat_with_image", "chat"}),
    ),
    Upstream(
        name="sd_aws",
        title="Stable Diffusion on AWS",
        credentials=("sd_aws_url", "sd_aws_api_key"),
        capabilities=frozenset(
            {
                "generate_image",
                "deploy_endpoint",
                "list_endpoints",
                "delete_endpoints",
                "list_inference_jobs",
                "add_checkpoint",
                "list_checkpoints",
                "disable_checkpoint",
                "create_training_base",
                "list_training_bases",
                "create_aws_dataset",
                "list_aws_datasets",
                "create_training",
                "start_training",
                "list_trainings",
                "merge_models",
                "test_connection",
                "list_models",
            }
        ),
    ),
)
BUILTIN_DISCLAIMER = "Made by the built-in preview engine, no neural model."


def configured(settings: Settings) -> tuple[Upstream, ...]:
    """The upstreams with credentials, in order of preference; none at all means the built-in emulator.

    Raises ``ConfigurationError`` for half a set of credentials and for a preferred service without any.
    """
    ready = {upstream.name: upstream for upstream in UPSTREAMS if _has_credentials(upstream, settings)}
    if not settings.providers:
        return tuple(ready.values())
    return tuple(_preferred(name, ready) for name in settings.providers)


def usable(settings: Settings) -> tuple[Upstream, ...]:
    """The upstreams that tools can be listed for: those configured, or all of them through the emulator."""
    return configured(settings) or UPSTREAMS


def serving(upstreams: Sequence[Upstream]) -> dict[str, tuple[str, ...]]:
    """Each capability with the names of the upstreams that offer it, preferred first."""
    names = sorted({capability for upstream in upstreams for capability in upstream.capabilities})
    return {name: tuple(u.name for u in upstreams if name in u.capabilities) for name in names}


def settings_for(capability: str) -> str:
    """What to set so that a capability can be served, for the reader of an error."""
    offers = [upstream.variables() for upstream in UPSTREAMS if capability in upstream.capabilities]
    return ", or ".join(offers)


def _has_credentials(upstream: Upstream, settings: Settings) -> bool:
    missing = [name.upper() for name in upstream.credentials if not getattr(settings, name)]
    if missing and len(missing) < len(upstream.credentials):
        raise ConfigurationError(f"{upstream.title} needs {upstream.variables()}; {' and '.join(missing)} is missing.")
    return not missing


def _preferred(name: str, ready: dict[str, Upstream]) -> Upstream:
    if name in ready:
        return ready[name]
    known = {upstream.name: upstream for upstream in UPSTREAMS}
    if name in known:
        raise ConfigurationError(f"ATELIER_PROVIDERS names {name}, which needs {known[name].variables()}.")
    raise ConfigurationError(f"ATELIER_PROVIDERS: there is no service {name!r}; there are {', '.join(known)}.")
