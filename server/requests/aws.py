"""What only Stable Diffusion on AWS has: endpoints, checkpoints, data sets, trainings, and its extra inputs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from atelier_mcp.server.requests.base import Request, RequestModel

CheckpointKind = Literal["Stable-diffusion", "embeddings", "Lora", "hypernetworks", "ControlNet", "VAE"]
CheckpointState = Literal["Initial", "Active", "Disabled"]
Scalar = str | int | float | bool


def _require_exact_name(name: str) -> str:
    # Nothing here expands a pattern: it is a misunderstanding, better told before something is deleted.
    if any(sign in name for sign in "*?[]%"):
        raise ValueError(f"{name} is a pattern; give exact names")
    return name


ExactName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_require_exact_name)]
FileName = Annotated[str, Field(min_length=1, max_length=255)]
LocalFilePath = Annotated[str, Field(min_length=1, max_length=4096)]
Caption = Annotated[str, Field(min_length=1, max_length=2000)]
Link = Annotated[str, Field(pattern=r"^https?://", max_length=4000)]
INSTANCE_TYPES = [
    *(f"ml.g4dn.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge")),
    *(f"ml.g5.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "24xlarge")),
]
InstanceType = Annotated[
    str, Field(pattern=r"^ml\.[\w.]+$"), WithJsonSchema({"type": "string", "enum": INSTANCE_TYPES})
]
"""These are offered; others are taken too: the service checks none (contract: create_endpoint.instance_types)."""
PRICES_LINK = "https://aws.amazon.com/sagemaker/ai/pricing/"
# It becomes a part of a path.
Identifier = Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")]


class ControlNetUnitOptions(RequestModel):
    """What only this service has of one entry of ``controls``, in the same order."""

    model: FileName | None = Field(None, description="ControlNet file; else by type")
    resize_mode: Literal["Just Resize", "Crop and Resize", "Resize and Fill"] | None = Field(
        None, description="How the guide is fitted"
    )
    control_mode: Literal["Balanced", "My prompt is more important", "ControlNet is more important"] | None = Field(
        None, description="Prompt against guide"
    )
    processor_res: int | None = Field(None, ge=64, le=2048, description="Pre-processor's resolution")
    threshold_a: float | None = Field(None, ge=0, description="Its first parameter")
    threshold_b: float | None = Field(None, ge=0, description="Its second parameter")
    pixel_perfect: bool = Field(False, description="Choose its resolution")
    low_vram: bool = Field(False, description="Save memory")


class AdvancedOptions(RequestModel):
    """The inputs of an inference for which there is no common name."""

    endpoint: ExactName | None = Field(None, description="Endpoint; else the first in service")
    real_time: bool = Field(False, description="Use a Real-time endpoint (v1.4 on)")
    sampler_name: str | None = Field(None, min_length=1, description="Sampler (Euler a)")
    batch_size: int | None = Field(None, ge=1, le=8, description="Pictures per batch; divides samples")
    vae: FileName | None = Field(None, description="VAE file")
    embeddings: tuple[FileName, ...] = Field((), max_length=10, description="Textual inversion files")
    hypernetworks: tuple[FileName, ...] = Field((), max_length=5, description="Hypernetwork files")
    control_units: tuple[ControlNetUnitOptions, ...] = Field(
        (), max_length=3, description="More of each of controls, in order"
    )
    enable_hr: bool = Field(False, description="Second pass at a higher resolution")
    denoising_strength: float | None = Field(None, ge=0, le=1, description="Of the second pass")
    firstphase_width: int | None = Field(None, ge=64, le=2048, description="First pass, pixels")
    firstphase_height: int | None = Field(None, ge=64, le=2048, description="First pass, pixels")
    hr_scale: float | None = Field(None, ge=1, le=4, description="Second pass scale (2)")
    hr_upscaler: str | None = Field(None, min_length=1, description="Upscaler (Latent)")
    hr_second_pass_steps: int | None = Field(None, ge=0, le=150, description="Its steps (0: same)")
    hr_resize_x: int | None = Field(None, ge=64, le=4096, description="Its width, instead of a scale")
    hr_resize_y: int | None = Field(None, ge=64, le=4096, description="Its height")
    hr_sampler_name: str | None = Field(None, min_length=1, description="Its sampler")
    hr_prompt: str | None = Field(None, max_length=2000, description="Its prompt")
    hr_negative_prompt: str | None = Field(None, max_length=2000, description="Its negative prompt")
    styles: tuple[str, ...] = Field((), max_length=10, description="Named prompt styles")
    subseed: int | None = Field(None, ge=0, le=4_294_967_295, description="Variation seed")
    subseed_strength: float | None = Field(None, ge=0, le=1, description="Variation strength")
    seed_resize_from_w: int | None = Field(None, ge=64, le=4096, description="Width the seed was used at")
    seed_resize_from_h: int | None = Field(None, ge=64, le=4096, description="Height the seed was used at")
    restore_faces: bool = Field(False, description="Restore faces")
    tiling: bool = Field(False, description="Tileable picture")
    eta: float | None = Field(None, ge=0, le=1, description="Sampler eta")
    s_min_uncond: float | None = Field(None, ge=0, le=4, description="Sampler parameter")
    s_churn: float | None = Field(None, ge=0, le=100, description="Sampler parameter")
    s_tmin: float | None = Field(None, ge=0, le=10, description="Sampler parameter")
    # Stored parameter files have Infinity here, which is no JSON (contract: inference_v2.non_finite).
    s_tmax: float | None = Field(None, ge=0, le=999, description="Sampler parameter")
    s_noise: float | None = Field(None, ge=0, le=2, description="Sampler parameter")
    override_settings: dict[str, Scalar] = Field(default_factory=dict[str, Scalar], description="Worker settings")
    override_settings_restore_afterwards: bool = Field(True, description="Restore them afterwards")
    script_name: str | None = Field(None, min_length=1, description="Script to run")
    script_args: tuple[Scalar, ...] = Field((), max_length=50, description="Its arguments")
    extra_options: tuple[Scalar, ...] = Field((), max_length=50, description="Arguments of 'extra options'")


class FreeRequest(Request):
    """A request for which nothing is charged."""

    def image_count(self) -> int:
        """Nothing: no machine is started."""
        return 0


class DeployEndpoint(Request):
    """An inference endpoint: machines that are paid for from now on."""

    capability: ClassVar[str] = "aws_deploy_endpoint"

    instance_type: InstanceType = Field("ml.g4dn.xlarge", description="Machine type")
    instances: int = Field(1, ge=1, le=6, description="How many machines")
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9-]{1,40}$", description="Ends the endpoint's name")
    autoscaling: bool = Field(False, description="Scale up to instances")
    min_instances: int | None = Field(None, ge=0, le=6, description="Scale down to (0; real_time 1)")
    # The role that every version is deployed with.
    roles: tuple[FileName, ...] = Field(("IT Operator",), min_length=1, max_length=10, description="Who may use it")
    real_time: bool = Field(False, description="Answer at once (v1.4 on)")

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.min_instances is None:
            return self
        if not self.autoscaling:
            raise ValueError("min_instances goes with autoscaling")
        # A Real-time endpoint has one machine at least (contract: answered.instance_numbers).
        if not int(self.real_time) <= self.min_instances <= self.instances:
            raise ValueError("min_instances: from 0, with real_time from 1, up to instances")
        return self

    def image_count(self) -> int:
        """One per machine."""
        return self.instances


class ListEndpoints(FreeRequest):
    """The deployment's endpoints."""

    capability: ClassVar[str] = "aws_list_endpoints"


class DeleteEndpoints(FreeRequest):
    """Endpoints taken down."""

    capability: ClassVar[str] = "aws_delete_endpoints"

    names: tuple[ExactName, ...] = Field(min_length=1, max_length=10, description="Exact names from aws_list_endpoints")


class ListInferenceJobs(FreeRequest):
    """The service's own record of inferences, or all about one."""

    capability: ClassVar[str] = "aws_list_inference_jobs"

    job_id: Identifier | None = Field(None, description="Only this one, with its parameters")
    limit: int = Field(20, ge=1, le=100, description="How many, newest first")


class AddCheckpoint(FreeRequest):
    """Model files put into the deployment: fetched by it from links, or uploaded from here."""

    capability: ClassVar[str] = "aws_add_checkpoint"

    kind: CheckpointKind = Field(description="What the files are")
    file: LocalFilePath | None = Field(None, description="Local file to upload; or links")
    links: tuple[Link, ...] = Field((), max_length=20, description="Where the service fetches them: final addresses")
    description: str | None = Field(None, max_length=500, description="What it is")

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        if (self.file is None) == (not self.links):
            raise ValueError("give either file or links")
        return self


class ListCheckpoints(FreeRequest):
    """The deployment's model files."""

    capability: ClassVar[str] = "aws_list_checkpoints"

    kinds: tuple[CheckpointKind, ...] = Field((), description="Only these kinds")
    states: tuple[CheckpointState, ...] = Field((), description="Only in these states")


class DisableCheckpoint(FreeRequest):
    """A checkpoint taken out of use."""

    capability: ClassVar[str] = "aws_disable_checkpoint"

    checkpoint_id: Identifier = Field(description="Id from aws_list_checkpoints")


class CreateTrainingBase(Request):
    """A model made ready to be trained on, from a file, a checkpoint of the deployment, or a model hub."""

    capability: ClassVar[str] = "aws_create_training_base"

    name: str = Field(pattern=r"^[\w-]{1,64}$", description="Its name")
    file: LocalFilePath | None = Field(None, description="Local checkpoint file to upload")
    checkpoint_id: Identifier | None = Field(None, description="Or an Active checkpoint")
    hub_model: str | None = Field(None, min_length=1, description="Or a model's name at the hub")
    kind: Literal["Stable-diffusion"] = Field("Stable-diffusion", description="Kind")
    extract_ema: bool = Field(False, description="Use averaged weights")
    train_unfrozen: bool = Field(False, description="Train all layers")
    is_512: bool = Field(True, description="512-pixel base; else 768")

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        if sum(source is not None for source in (self.file, self.checkpoint_id, self.hub_model)) != 1:
            raise ValueError("give one of file, checkpoint_id and hub_model")
        return self


class ListTrainingBases(FreeRequest):
    """What can be trained on."""

    capability: ClassVar[str] = "aws_list_training_bases"

    states: tuple[Literal["Initial", "Creating", "Complete", "Fail"], ...] = Field(
        (), description="Only in these states"
    )


class CreateAwsDataset(FreeRequest):
    """A data set of local pictures in the deployment's storage."""

    capability: ClassVar[str] = "aws_create_dataset"

    # The later versions' pattern, also for v1.3, which takes any name (contract: POST /datasets).
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,19}$", description="A new name")
    # What v1.7 takes; the provider refuses more than 24 for the versions before it.
    files: tuple[LocalFilePath, ...] = Field(min_length=1, max_length=500, description="Handles or paths of pictures")
    captions: tuple[Caption, ...] = Field((), max_length=500, description="What each of files shows, in order")

    @model_validator(mode="after")
    def _require_caption_for_each(self) -> Self:
        if self.captions and len(self.captions) != len(self.files):
            raise ValueError(f"captions: {len(self.captions)} for {len(self.files)} files; give one for each")
        return self


class ListAwsDatasets(FreeRequest):
    """The deployment's data sets, or the files of one."""

    capability: ClassVar[str] = "aws_list_datasets"

    name: str | None = Field(None, min_length=1, description="Only this one, with its files")
    states: tuple[Literal["Initialed", "Enabled", "Disabled"], ...] = Field((), description="Only in these states")


class CreateTraining(FreeRequest):
    """A training written down; nothing runs before it is started."""

    capability: ClassVar[str] = "aws_create_training"

    name: str = Field(pattern=r"^[\w-]{1,64}$", description="What the trained model is called")
    base: FileName = Field(description="Id from aws_list_training_bases")
    datasets: tuple[ExactName, ...] = Field(min_length=1, max_length=10, description="Data sets to learn from")
    class_datasets: tuple[ExactName, ...] = Field((), max_length=10, description="Pictures of the class")
    instance_type: InstanceType = Field("ml.g5.2xlarge", description="Machine type")
    prompt: str = Field("", max_length=1000, description="What the pictures show (v1.5 on: captions instead)")
    class_prompt: str = Field("", max_length=1000, description="What their class is")
    epochs: int = Field(100, ge=1, le=10_000, description="Epochs")
    lora: bool = Field(True, description="Train a LoRA")
    xl: bool = Field(False, description="SDXL base (v1.5 on)")


class StartTraining(Request):
    """A training set going: a machine that is paid for until it ends."""

    capability: ClassVar[str] = "aws_start_training"

    training_id: Identifier = Field(description="Id from aws_create_training")


class ListTrainings(FreeRequest):
    """The deployment's trainings."""

    capability: ClassVar[str] = "aws_list_trainings"

    states: tuple[FileName, ...] = Field((), description="Only in these states")


class MergeModels(Request):
    """Checkpoints merged into a new one."""

    capability: ClassVar[str] = "aws_merge_models"

    primary: FileName = Field(description="First checkpoint file")
    secondary: FileName = Field(description="Second")
    tertiary: FileName | None = Field(None, description="Third")


class TestConnection(FreeRequest):
    """Whether the deployment answers and takes the key."""

    capability: ClassVar[str] = "aws_test_connection"

    storage: bool = Field(False, description="Also write a small test file into its storage")
