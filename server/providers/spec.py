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
class ProviderSpec:
    """One image service as the settings see it."""

    name: str
    title: str
    credentials: tuple[str, ...]
    """The fields of ``Settings`` that must all be set."""
    capabilities: frozenset[str]

    def format_variables(self) -> str:
        """The credentials as the operator writes them: ``MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY``."""
        return " and ".join(name.upper() for name in self.credentials)


PROVIDER_SPECS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
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
    ProviderSpec(
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
    ProviderSpec(
        name="sensenova",
        title="SenseNova",
        credentials=("sensenova_api_key",),
        capabilities=frozenset({"chat_with_image", "chat"}),
    ),
    ProviderSpec(
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


def find_configured_specs(settings: Settings) -> tuple[ProviderSpec, ...]:
    """The upstreams with credentials, in order of preference; none at all means the built-in emulator.

    Raises ``ConfigurationError`` for half a set of credentials and for a preferred service without any.
    """
    specs_by_name = {upstream.name: upstream for upstream in PROVIDER_SPECS if _has_credentials(upstream, settings)}
    if not settings.providers:
        return tuple(specs_by_name.values())
    return tuple(_find_spec(name, specs_by_name) for name in settings.providers)


def find_usable_specs(settings: Settings) -> tuple[ProviderSpec, ...]:
    """The upstreams that tools can be listed for: those configured, or all of them through the emulator."""
    return find_configured_specs(settings) or PROVIDER_SPECS


def map_providers_by_capability(specs: Sequence[ProviderSpec]) -> dict[str, tuple[str, ...]]:
    """Each capability with the names of the upstreams that offer it, preferred first."""
    names = sorted({capability for upstream in specs for capability in upstream.capabilities})
    return {name: tuple(u.name for u in specs if name in u.capabilities) for name in names}


def describe_settings_for(capability: str) -> str:
    """What to set so that a capability can be served, for the reader of an error."""
    variables = [upstream.format_variables() for upstream in PROVIDER_SPECS if capability in upstream.capabilities]
    return ", or ".join(variables)


def _has_credentials(spec: ProviderSpec, settings: Settings) -> bool:
    missing = [name.upper() for name in spec.credentials if not getattr(settings, name)]
    if missing and len(missing) < len(spec.credentials):
        raise ConfigurationError(f"{spec.title} needs {spec.format_variables()}; {' and '.join(missing)} is missing.")
    return not missing


def _find_spec(name: str, specs_by_name: dict[str, ProviderSpec]) -> ProviderSpec:
    if name in specs_by_name:
        return specs_by_name[name]
    all_specs = {upstream.name: upstream for upstream in PROVIDER_SPECS}
    if name in all_specs:
        raise ConfigurationError(f"ATELIER_PROVIDERS names {name}, which needs {all_specs[name].format_variables()}.")
    raise ConfigurationError(f"ATELIER_PROVIDERS: there is no service {name!r}; there are {', '.join(all_specs)}.")
