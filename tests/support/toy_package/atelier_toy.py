"""Somebody else's provider: all that its author had to write, beside one entry point.

Its upstream needs no network: it takes a job, and has a plain image of the asked size at the first poll.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pydantic import Field

from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import AccountId, ModelPage, Plan, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.rate_limit import RateLimit
from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.context import ProviderContext


class ToySettings(ProviderSettings):
    """One paint box."""

    required_fields = ("colour",)

    colour: str = Field("", alias="TOY_COLOUR", description="Toy: colour of everything")
    side_px: int = Field(640, ge=16, le=2048, alias="TOY_SIDE_PX", description="Toy: side of the images, in pixels")


class ToyGeneration(JobOperation[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage

    def __init__(self, colour: str) -> None:
        self._colour = colour

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        return Plan(request, notes=(f"all {self._colour}",))

    async def submit(self, request: GenerateImage, images: Mapping[str, str], call: SubmitCall) -> UpstreamTask:
        return UpstreamTask("square", "squares")


class ToyProvider:
    """Draws squares of one colour."""

    name = "toy"
    account = AccountId("toy:local")
    model_kinds: tuple[str, ...] = ()
    is_emulated = False
    is_local = True

    def __init__(self, colour: str, side_px: int) -> None:
        self.operations = {"generate_image": ToyGeneration(colour)}
        self.poll_rate_limit = RateLimit(50.0)
        self._colour = colour
        self._side_px = side_px

    def batch_size(self, kind: str) -> int:
        return 10

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSucceeded]:
        return {task.id: TaskSucceeded((self._draw(),)) for task in tasks}

    async def cancel(self, task: UpstreamTask) -> bool:
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        return ModelPage((), has_more=False)

    async def close(self) -> None:
        return None

    def _draw(self) -> OutputImage:
        from PIL import Image

        buffer = io.BytesIO()
        Image.new("RGB", (self._side_px, self._side_px), self._colour).save(buffer, "PNG")
        return OutputImage(data=buffer.getvalue())


def create(settings: ToySettings, context: ProviderContext) -> ToyProvider:
    """The paint box; ``context`` would give a clock, a folder and other providers."""
    return ToyProvider(settings.colour, settings.side_px)


SPEC = ProviderSpec(
    name="toy",
    title="Toy",
    settings=ToySettings,
    operations={"generate_image": OperationSpec(deadline_s=60, polls_from_start=True)},
    factory="atelier_toy:create",
)
