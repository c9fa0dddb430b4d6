"""What belongs to a deployment of Stable Diffusion on AWS, as answers, and local files on their way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from atelier_mcp.server.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.studio import Rooms


class EndpointResult(BaseModel):
    """One endpoint; ``instances`` is the largest number of machines."""

    name: str = ""
    state: str = ""
    kind: str = ""
    instance_type: str = ""
    instances: str = ""
    started: str = ""
    error: str = ""


class EndpointsResult(Answer):
    """All endpoints."""

    provider: str
    endpoints: list[EndpointResult] = Field(default_factory=list[EndpointResult])

    def text(self) -> str:
        """One line per endpoint."""
        return lines(
            [(e.name, e.state, e.instance_type, e.instances and f"up to {e.instances}") for e in self.endpoints]
        )


class InferenceResult(BaseModel):
    """One inference as the service keeps it."""

    id: str
    state: str = ""
    task: str = ""
    started: str = ""
    completed: str = ""
    parameters: dict[str, Any] | None = None


class InferencesResult(Answer):
    """Inferences, newest first."""

    provider: str
    jobs: list[InferenceResult] = Field(default_factory=list[InferenceResult])

    def text(self) -> str:
        """One line per inference, and the parameters of a single one."""
        text = lines([(job.id, job.state, job.task, job.started) for job in self.jobs])
        known = (job.parameters for job in self.jobs if job.parameters)
        return "\n".join([text, *(f"{name}: {value}" for given in known for name, value in given.items())])


class CheckpointResult(BaseModel):
    """One entry of the deployment's files."""

    id: str
    kind: str = ""
    state: str = ""
    files: list[str] = Field(default_factory=list[str])


class CheckpointsResult(Answer):
    """The deployment's files."""

    provider: str
    checkpoints: list[CheckpointResult] = Field(default_factory=list[CheckpointResult])

    def text(self) -> str:
        """One line per entry."""
        return lines([(entry.id, entry.kind, entry.state, ", ".join(entry.files)) for entry in self.checkpoints])


class NamedResult(BaseModel):
    """Something with an id, a name and a state: a training base or a training."""

    id: str
    name: str = ""
    state: str = ""


class BasesResult(Answer):
    """What can be trained on."""

    provider: str
    bases: list[NamedResult] = Field(default_factory=list[NamedResult])

    def text(self) -> str:
        """One line per base."""
        return lines([(base.id, base.name, base.state) for base in self.bases])


class TrainingsResult(Answer):
    """Trainings."""

    provider: str
    trainings: list[NamedResult] = Field(default_factory=list[NamedResult])

    def text(self) -> str:
        """One line per training."""
        return lines([(training.id, training.name, training.state) for training in self.trainings])


class DataFileResult(BaseModel):
    """One file of a data set; the link works for a day."""

    name: str = ""
    state: str = ""
    link: str = ""


class AwsDatasetResult(BaseModel):
    """One data set; its files where it was asked for by name."""

    name: str
    state: str = ""
    files: list[DataFileResult] | None = None


class AwsDatasetsResult(Answer):
    """Data sets in the deployment's storage."""

    provider: str
    datasets: list[AwsDatasetResult] = Field(default_factory=list[AwsDatasetResult])

    def text(self) -> str:
        """One line per data set, and one per file of a single one."""
        rows = [(entry.name, entry.state) for entry in self.datasets]
        files = [(file.name, file.state, file.link) for entry in self.datasets for file in entry.files or []]
        return lines([*rows, *files])


class DoneResult(Answer):
    """What was done at once."""

    provider: str
    done: str
    data: dict[str, Any] | None = None

    def text(self) -> str:
        """One sentence."""
        return self.done


def lines(rows: Sequence[Sequence[str]]) -> str:
    """A line per row, what is empty left out."""
    return "\n".join("  ".join(cell for cell in row if cell) for row in rows) or "None."


async def local_file(reference: str | None, rooms: Rooms) -> str | None:
    """The path of a file that the caller may name."""
    return None if reference is None else str(await rooms.files.find(reference))


async def local_pictures(references: Sequence[str], rooms: Rooms) -> tuple[str, ...]:
    """The paths of pictures, each looked at before anything is sent."""
    paths = [str(await rooms.files.find(reference)) for reference in references]
    await rooms.pictures.open({f"files[{index}]": path for index, path in enumerate(paths)})
    return tuple(paths)
