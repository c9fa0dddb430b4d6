"""How long an unfinished job has taken, what such jobs usually take, and what is before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobTiming:
    """The times of one unfinished job."""

    age_s: float
    """Since it was asked for."""
    typical_s: float | None = None
    """What such jobs of this account usually take at the service, once one was seen."""
    jobs_before: int | None = None
    """Jobs of this server, of the same account, that wait at the service since before it; None once it is running."""

    def format(self) -> str:
        """One line for a reader: ``Asked 12 s ago; such jobs take about 20 s. 2 jobs of this server are before it.``"""
        usual = "" if self.typical_s is None else f"; such jobs take about {format_duration(self.typical_s)}"
        line = f"Asked {format_duration(self.age_s)} ago{usual}."
        if not self.jobs_before:
            return line
        return f"{line} {self.jobs_before} job{'s are' if self.jobs_before > 1 else ' is'} before it in the queue."


def format_duration(seconds: float) -> str:
    """A time in the largest units that say enough: ``9 s``, ``2 min 5 s``, ``3 h 20 min``, ``2 days``."""
    total_s = max(0, round(seconds))
    if total_s < 60:
        return f"{total_s} s"
    if total_s < 3600:
        return f"{total_s // 60} min" + (f" {total_s % 60} s" if total_s % 60 else "")
    if total_s < 2 * 86400:
        minutes = total_s % 3600 // 60
        return f"{total_s // 3600} h" + (f" {minutes} min" if minutes else "")
    return f"{total_s // 86400} days"
