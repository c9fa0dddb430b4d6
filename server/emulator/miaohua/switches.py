"""Other readings of Miaohua's contract, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from atelier_mcp.server.emulator.settings import DAY_S

MiaohuaEnvelope: TypeAlias = Literal["both", "wrapped", "flat"]


@dataclass(frozen=True, slots=True)
class MiaohuaSwitches:
    """Other readings of Miaohua's contract; the default is what its column "Emulator" says."""

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
    old_codes: bool = False
    """Refuse with the codes of the older service where it had its own (errors.600)."""
    token_in_files: bool = False
    """Let uploads in by a part of the form alone, as the older service does (upload_img.upload_auth)."""
    strict_names: bool = False
    """Refuse unknown parameter names instead of ignoring them."""
    most_tasks: int | None = None
    """How many tasks an account may have under way; 123 beyond (errors.123)."""
    out_of_balance: bool = False
    """Answer every submit with 124 (errors.124)."""
