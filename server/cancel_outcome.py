"""What it costs that a job was given up, or why it was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.jobs.model import Cancelled, Saving, Unconfirmed, get_state_name

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.services import Services


def format_cancel_outcome(job: Job, services: Services) -> str:
    """What a job costs after it was cancelled, or why it was not."""
    provider = services.router.find_by_account(job.account)
    match job.state:
        # Before the other cancellations, whose words about charges are not true of the stand-in.
        case Cancelled() if provider is not None and provider.is_emulated:
            return "cancelled. The built-in stand-in costs nothing."
        case Cancelled(upstream_stopped=True):
            return f"cancelled. {job.provider} stopped: nothing is charged."
        case Cancelled():
            return f"cancelled here. {job.provider} may go on and charge for it ({_format_price(job)})."
        # The price was paid; throwing the pictures away would save nothing.
        case Saving():
            return "not cancelled: its pictures are made and paid for, and are being stored. wait_for_jobs shows them."
        case Unconfirmed():
            return "unconfirmed: it was sent and never answered, so it cannot be stopped and may have been charged."
        case state:
            return f"already {get_state_name(state)}; nothing was changed."


def _format_price(job: Job) -> str:
    return f"{job.image_count} picture{'s' * (job.image_count != 1)}" if job.image_count else "no picture"
