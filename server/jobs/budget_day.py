"""The day by which limits count: of UTC, wherever the server stands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta


def to_utc_day(moment: datetime) -> str:
    """The UTC day a picture asked for at ``moment`` counts on: ``2026-11-20``."""
    return moment.astimezone(UTC).date().isoformat()


def format_fresh_start(now: datetime) -> str:
    """When the next day begins, for whoever has to wait for it."""
    midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return f"it starts afresh at {midnight:%Y-%m-%d %H:%M} UTC"
