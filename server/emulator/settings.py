"""What can be set on the emulator. Nothing here comes from the environment: whoever starts it hands it over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

DAY_S: Final = 86_400.0
MEBIBYTE: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class MhapiSwitches:
    """Other readings of MHAPI's contract where it is silent or contradicts itself; the default is the stricter one.

    Each field names the entry of the contract it belongs to.
    """

    always_200: bool = False
    """Answer errors under HTTP 200 too (shared.http_status)."""
    lenient_names: bool = False
    """Ignore unknown parameter names instead of refusing them (shared.unknown_params)."""
    nbf_leeway_s: float = 5.0
    """How far in the future a token's nbf may lie (auth.skew)."""
    max_token_s: float | None = None
    """The longest lifetime a token may have left (auth.lifetime)."""
    prompt_code_points: bool = False
    """Count a Chinese character as one, not two (shared.prompt_length)."""
    max_source_bytes: int = 8 * MEBIBYTE
    """The largest source picture (shared.file_size)."""
    any_order: bool = False
    """Accept guidance_start above guidance_end and low above high thresholds (imgenstd.imgen.guidance_order)."""
    empty_face_failure: bool = False
    """Report a failed face task as finished and empty instead of with code 9 (face.no_failure_state)."""
    narrow_inpaint_seed: bool = False
    """Hold inpaint's seed below 9999999 as printed (inpaint.imgen.seed_range)."""
    equal_canvas: bool = False
    """Let a free canvas be as wide or high as source plus offset (outpaint.imgen_free.strictly_greater)."""
    lora_done: bool = False
    """Call a finished training DONE (lora.state_done)."""
    late_cancel_code_9: bool = False
    """Refuse the cancel of a training that has started with code 9 (lora.cancel.not_waiting)."""
    sync_seconds: float = 0.0
    """How long the synchronous calls take beyond the rendering (stylization.imgen_sync.timeout)."""


MiaohuaEnvelope: TypeAlias = Literal["both", "wrapped", "flat"]


@dataclass(frozen=True, slots=True)
class MiaohuaSwitches:
    """Other readings of Miaohua's contract; the default is what its ``emulator`` lines advise."""

    envelope: MiaohuaEnvelope = "both"
    """How the five answers are sent that are printed without envelope (task_submit.submit_envelope)."""
    token_seconds: float = DAY_S
    """How long a token works (get_token.token_lifetime)."""
    status_calls_per_s: int = 6
    """Calls of task_results an account may make in one second (task_results.rate_scope)."""
    bare_batch: bool = False
    """Leave the task id out of the entries of task_results, as printed (task_results.batch_correlation)."""
    img2txt_withdrawn: bool = False
    """Answer img2txt as the vendor does since it was taken offline (img2txt.withdrawn)."""
    any_source: bool = False
    """Take pictures from any link, not only from uploads and results (task_submit.init_img)."""
    strict_names: bool = False
    """Refuse unknown parameter names instead of ignoring them."""
    most_tasks: int | None = None
    """How many tasks an account may have under way; 123 beyond (errors.123)."""
    out_of_balance: bool = False
    """Answer every submit with 124 (errors.124)."""


@dataclass(frozen=True, slots=True)
class SensenovaSwitches:
    """Other readings of SenseNova's contract; the default is what its ``emulator`` lines advise."""

    done_terminator: bool = False
    """End the fusion stream with the mark the table promises and the sample lacks (done_terminator)."""


@dataclass(frozen=True, slots=True)
class SdAwsSwitches:
    """Other readings of the contract of Stable Diffusion on AWS; the default is what its ``emulator`` lines advise."""

    generation: Literal["2023", "2024", "both"] = "both"
    """Which generation is deployed; with both, who sends ``username`` is served the later one (detection)."""
    two_step: bool = False
    """POST /inference/v2 only prepares, as deployed (inference_v2.one_step_or_two)."""
    documented_trainings: bool = False
    """Trainings are created on the documented path alone (create_training.wrong_path)."""
    wrapped_endpoints: bool = False
    """GET /endpoints answers with an object (list_endpoints.list_shape)."""
    null_reply: bool = False
    """POST /endpoints answers null, as printed (create_endpoint.null_reply)."""
    printed_uploads: bool = False
    """Upload data as printed, which for parts holds no links (create_checkpoint.presign_shape)."""
    mirror_status: bool = False
    """Failures carry their status as the HTTP status too (status_in_body)."""
    deploy_seconds: float | None = None
    """How long a deployment takes; as long as any task when absent (limits.endpoint_start_minutes)."""


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How the emulator behaves."""

    state_dir: Path | None = None
    """Where tasks and pictures live, to be shared with other instances; a temporary folder when absent."""
    access_log: Path | None = None
    """A file that gets one JSON line per request."""
    task_seconds: float = 0.0
    """How long a task takes at least; it takes longer when its rendering does."""
    link_seconds: float = DAY_S
    """How long a result link works."""
    keep_seconds: float = 7 * DAY_S
    """How long a task and its pictures are kept; looked at when the emulator starts. Trained models stay."""
    rate_per_s: float | None = None
    """Requests an account may make in one second; no limit when absent."""
    render_slots: int = 2
    """How many tasks are rendered beside each other."""
    mhapi: MhapiSwitches = field(default_factory=MhapiSwitches)
    miaohua: MiaohuaSwitches = field(default_factory=MiaohuaSwitches)
    sensenova: SensenovaSwitches = field(default_factory=SensenovaSwitches)
    sd_aws: SdAwsSwitches = field(default_factory=SdAwsSwitches)
