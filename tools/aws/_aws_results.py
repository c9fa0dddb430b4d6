"""What belongs to a deployment of Stable Diffusion on AWS, as answers, and local files on their way to it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from atelier_mcp.server.requests.aws import PRICES_LINK
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.services import Services


class EndpointResult(BaseModel):
    """One endpoint; ``instances`` is the largest number of machines."""

    name: str = ""
    state: str = ""
    kind: str = ""
    instance_type: str = ""
    instances: str = ""
    started: str = ""
    error: str = ""


class ListingResult(ToolResult):
    """A list of the service's; ``unreadable`` counts the entries that could not be read."""

    provider: str
    unreadable: int | None = None

    def format_text(self) -> str:
        """One line per entry, and how many are left out."""
        # A row of its own, so that an otherwise empty list does not read "None.".
        remark = [(f"{self.unreadable} more could not be read.",)] if self.unreadable else []
        return format_rows([*self.list_rows(), *remark])

    @abstractmethod
    def list_rows(self) -> list[tuple[str, ...]]:
        """A row per entry."""


class EndpointsResult(ListingResult):
    """All endpoints."""

    endpoints: list[EndpointResult] = Field(default_factory=list[EndpointResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Name, state, kind and machines, and where their price stands."""
        rows = [
            (e.name, e.state, e.kind, e.instance_type, e.instances and f"up to {e.instances}") for e in self.endpoints
        ]
        return [*rows, *[(f"The price of a machine's hour stands at {PRICES_LINK}.",)] * bool(rows)]


class InferenceResult(BaseModel):
    """One inference as the service keeps it."""

    id: str
    state: str = ""
    task: str = ""
    started: str = ""
    completed: str = ""
    parameters: dict[str, Any] | None = None


class InferencesResult(ListingResult):
    """Inferences, newest first."""

    jobs: list[InferenceResult] = Field(default_factory=list[InferenceResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Id, state, task and time, and the parameters of a single one."""
        rows: list[tuple[str, ...]] = [(job.id, job.state, job.task, job.started) for job in self.jobs]
        parameter_sets = (job.parameters for job in self.jobs if job.parameters)
        return rows + [(f"{name}: {value}",) for parameters in parameter_sets for name, value in parameters.items()]


class CheckpointResult(BaseModel):
    """One entry of the deployment's files."""

    id: str
    kind: str = ""
    state: str = ""
    files: list[str] = Field(default_factory=list[str])


class CheckpointsResult(ListingResult):
    """The deployment's files."""

    checkpoints: list[CheckpointResult] = Field(default_factory=list[CheckpointResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Id, kind, state and files."""
        return [(entry.id, entry.kind, entry.state, ", ".join(entry.files)) for entry in self.checkpoints]


class NamedItemResult(BaseModel):
    """Something with an id, a name and a state: a training base or a training."""

    id: str
    name: str = ""
    state: str = ""


class TrainingBasesResult(ListingResult):
    """What can be trained on."""

    bases: list[NamedItemResult] = Field(default_factory=list[NamedItemResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Id, name and state."""
        return [(base.id, base.name, base.state) for base in self.bases]


class TrainingsResult(ListingResult):
    """Trainings."""

    trainings: list[NamedItemResult] = Field(default_factory=list[NamedItemResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Id, name and state."""
        return [(training.id, training.name, training.state) for training in self.trainings]


class DatasetFileResult(BaseModel):
    """One file of a data set; the link works for a day."""

    name: str = ""
    state: str = ""
    link: str = ""


class AwsDatasetResult(BaseModel):
    """One data set; its files where it was asked for by name."""

    name: str
    state: str = ""
    files: list[DatasetFileResult] | None = None


class AwsDatasetsResult(ListingResult):
    """Data sets in the deployment's storage."""

    datasets: list[AwsDatasetResult] = Field(default_factory=list[AwsDatasetResult])

    def list_rows(self) -> list[tuple[str, ...]]:
        """Name and state, and the files of a single one."""
        rows: list[tuple[str, ...]] = [(entry.name, entry.state) for entry in self.datasets]
        return rows + [(file.name, file.state, file.link) for entry in self.datasets for file in entry.files or []]


class ActionResult(ToolResult):
    """What was done at once."""

    provider: str
    done: str
    data: dict[str, Any] | None = None

    def format_text(self) -> str:
        """One sentence."""
        return self.done


def format_rows(rows: Sequence[Sequence[str]]) -> str:
    """A line per row, what is empty left out."""
    return "\n".join("  ".join(cell for cell in row if cell) for row in rows) or "None."


async def resolve_model_file(reference: str | None, services: Services) -> str | None:
    """The path of a model file that the caller may have uploaded."""
    return None if reference is None else str(await services.local_files.find_model(reference))


async def resolve_local_images(references: Sequence[str], services: Services) -> tuple[str, ...]:
    """The paths of pictures, each looked at before anything is sent."""
    # Resolved first, which also refuses what lies outside of the folders that may be read.
    paths = [str(await services.local_files.find_image(reference)) for reference in references]
    # Only opened: they are sent as the files they are, and a picture that is none is refused here.
    await services.image_pipeline.open({format_place("files", index): path for index, path in enumerate(paths)})
    return tuple(paths)
