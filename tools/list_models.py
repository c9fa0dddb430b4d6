"""See what can be chosen by name."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, computed_field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.server.tool_result import ToolResult

ModelKind = Literal[
    "checkpoint", "lora", "controlnet", "inpaint", "erase", "outpaint", "upscale", "segment", "style", "face",
    "training_base", "trained_lora", "form", "embedding", "hypernetwork",
]  # fmt: skip


class ListModelsArguments(ToolArguments):
    """The arguments of ``list_models``."""

    kind: ModelKind = Field("checkpoint", description="What to list")
    base: str | None = Field(None, description="controlnet: the checkpoint they are for")
    limit: int = Field(20, ge=1, le=100, description="How many")
    offset: int = Field(0, ge=0, description="How many to skip")


class ModelResult(BaseModel):
    """One model; ``id`` is what other tools take."""

    id: str
    name: str | None = None
    base: str | None = None
    triggers: str | None = None
    description: str | None = None


class ModelsResult(ToolResult):
    """One page of models of one provider."""

    provider: str
    models: list[ModelResult] = Field(default_factory=list[ModelResult])
    more: bool = False

    @computed_field
    @property
    def notes(self) -> list[str]:
        """What to do next."""
        return ["There are more: raise offset."] * self.more

    def format_text(self) -> str:
        """One line per model."""
        lines = [_format_line(model) for model in self.models] or ["None."]
        return "\n".join([*lines, *self.notes])


def _format_line(model: ModelResult) -> str:
    details = ", ".join(part for part in (model.name, model.base, model.triggers, model.description) if part)
    return f"{model.id}: {details}" if details else model.id


@tool(toolset="models", read_only=True, destructive=False, idempotent=True, capability="list_models")
async def list_models(arguments: ListModelsArguments, context: ToolContext) -> ModelsResult:
    """List the checkpoints, LoRAs, ControlNets, styles and so on that other tools take by id. Free."""
    provider = context.services.router.choose_model_provider(arguments.kind, context.options.provider)
    page = await provider.list_models(
        arguments.kind, base=arguments.base, offset=arguments.offset, limit=arguments.limit
    )
    models = [
        ModelResult(
            id=model.id,
            name=model.name or None,
            base=model.base or None,
            triggers=model.triggers or None,
            description=model.description or None,
        )
        for model in page.models
    ]
    return ModelsResult(provider=provider.name, models=models, more=page.has_more)
