"""Other readings of MHAPI's contract, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass

from atelier_mcp.server.emulator.settings import MEBIBYTE


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
