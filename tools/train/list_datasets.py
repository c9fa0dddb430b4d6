"""See the data sets there are."""

from __future__ import annotations

from pydantic import Field, computed_field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import ListDatasets
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.server.tool_result import ToolResult
from atelier_mcp.tools.train._dataset_results import DatasetResult


class DatasetsResult(ToolResult):
    """One page of data sets of one provider."""

    provider: str
    datasets: list[DatasetResult] = Field(default_factory=list[DatasetResult])
    page: int
    more: bool = False

    @computed_field
    @property
    def notes(self) -> list[str]:
        """What to do next."""
        return ["There are more: raise page."] * self.more

    def format_text(self) -> str:
        """Whose they are, then each data set; a picture has a line where its data set was asked for."""
        lines = [f"Data sets at {self.provider}; train_lora takes their ids in dataset_ids."]
        lines += [entry.format_text() for entry in self.datasets] or ["There are none."]
        return "\n".join([*lines, *self.notes])


@tool(toolset="train", read_only=True, destructive=False, idempotent=True)
async def list_datasets(request: ListDatasets, context: ToolContext) -> DatasetsResult:
    """List the data sets at Miaohua, or one with its pictures. Free."""
    return DatasetsResult.model_validate(await context.call(request))
