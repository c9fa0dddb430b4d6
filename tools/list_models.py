"""See what can be chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from atelier_mcp.server.providers.model_listing import ModelEntry

# Of several providers; the router refuses a kind that the chosen one has not.
ModelKind = Literal[
    "checkpoint", "lora", "controlnet", "inpaint", "erase", "outpaint", "upscale", "segment", "style", "face",
    "training_base", "trained_lora", "form", "embedding", "hypernetwork", "vae", "sampler", "scheduler", "workflow",
]  # fmt: skip
USES: Final = {
    "checkpoint": "model of generate_image",
    "lora": 'loras of generate_image: [{"model": id}]',
    "trained_lora": 'loras of generate_image: [{"model": id}]',
    "controlnet": 'controls of generate_image: [{"type": id, "image": ...}]',
    "inpaint": "model of inpaint_image",
    "erase": "model of erase_object",
    "outpaint": "model of outpaint_image",
    "upscale": "model of upscale_image",
    "segment": "model of cut_out_subject",
    "style": "style of stylize_image",
    "face": "model of swap_faces",
    "training_base": "base of train_lora",
    "embedding": "advanced.embeddings of generate_image",
    "hypernetwork": "advanced.hypernetworks of generate_image",
    "workflow": "workflow of generate_image",
    "sampler": "advanced.sampler_name of generate_image",
    "scheduler": "advanced.scheduler of generate_image",
}
"""Where an id of a kind goes."""


class ListModelsArguments(ToolArguments):
    """The arguments of ``list_models``."""

    kind: list[ModelKind] = Field(
        default_factory=lambda: ["checkpoint"], min_length=1, description="What to list (checkpoint)"
    )
    base: str | None = Field(None, description="controlnet: the checkpoint they are for")
    limit: int = Field(20, ge=1, le=100, description="How many")
    offset: int = Field(0, ge=0, description="How many to skip")


class ModelResult(BaseModel):
    """One model; ``id`` is what other tools take, and leads to its service."""

    id: str
    provider: str
    kind: str
    name: str | None = None
    base: str | None = None
    triggers: str | None = None
    description: str | None = None
    abilities: str | None = None


class ModelsResult(ToolResult):
    """A part of the models there are."""

    models: list[ModelResult] = Field(default_factory=list[ModelResult])
    more: bool = False
    offset: int = 0
    notes: list[str] = Field(default_factory=list[str])

    def format_text(self) -> str:
        """One numbered line per model, then where their ids go."""
        first = self.offset + 1
        lines = [f"{number}. {_format_row(model)}" for number, model in enumerate(self.models, first)] or ["None."]
        kinds = dict.fromkeys(model.kind for model in self.models)
        uses = dict.fromkeys(USES[kind] for kind in kinds if kind in USES)
        lines += [f"An id goes into {', or '.join(uses)}; it leads to its service."] * bool(uses)
        return "\n".join([*lines, *self.notes])


def _format_row(model: ModelResult) -> str:
    """Id, kind, whose it is, and whatever of the rest says something new."""
    owner = f"{model.provider}, yours" if model.kind == "trained_lora" else model.provider
    triggers = f"say {model.triggers!r} in the prompt" if model.triggers else None
    parts = [f"for {model.base}" if model.base else None, triggers, model.description, model.abilities]
    names = [part for part in (model.name,) if part and not _is_same_name(part, model.id)]
    details = [*names, *(part for part in parts if part)]
    return f"{model.id} ({model.kind} at {owner}){': ' * bool(details)}{'; '.join(details)}"


def _is_same_name(one: str, other: str) -> bool:
    """True for names that differ only in case and in what stands between their words."""
    plain_one, plain_other = ("".join(c for c in name.lower() if c.isalnum()) for name in (one, other))
    return plain_one == plain_other


@tool(toolset="models", read_only=True, destructive=False, idempotent=True, capability="list_models")
async def list_models(arguments: ListModelsArguments, context: ToolContext) -> ModelsResult:
    """List checkpoints, LoRAs, styles and so on: the ids that other tools take. Free."""
    from atelier_mcp.server.providers.model_listing import list_models_of_all

    providers = context.services.router.find_model_providers(arguments.kind, context.options.provider)
    missing_kinds = set(arguments.kind).difference(*(provider.model_kinds for provider in providers))
    listing = await list_models_of_all(
        providers,
        arguments.kind,
        base=arguments.base,
        offset=arguments.offset,
        limit=arguments.limit,
    )
    return ModelsResult(
        models=[_build_row(entry) for entry in listing.entries],
        more=listing.has_more,
        offset=arguments.offset,
        notes=[
            *(f"There is no {kind} to list here." for kind in arguments.kind if kind in missing_kinds),
            *(f"Of {provider} nothing is listed: {error.message}" for provider, error in listing.errors),
            *["There are more: raise offset."] * listing.has_more,
        ],
    )


def _build_row(entry: ModelEntry) -> ModelResult:
    model = entry.model
    abilities = [*model.abilities, *["training"] * entry.is_trainable]
    return ModelResult(
        id=model.id,
        provider=entry.provider,
        kind=entry.kind,
        name=model.name or None,
        base=model.base if model.base and not _is_same_name(model.base, model.id) else None,
        triggers=model.triggers or None,
        description=model.description or None,
        abilities=", ".join(abilities) or None,
    )
