"""What ``atelier doctor`` finds, one thing a line, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.errors import AtelierError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; neither good nor bad where it is not there and need not be."""

    what: str
    good: bool | None
    words: str
    remedy: str = ""
    """A line that can be pasted into a shell, where there is one that mends it."""


def build_failure(what: str, error: AtelierError, *, remedy: str = "") -> Finding:
    """A bad finding in the error's own words, on one line."""
    return Finding(what, good=False, words=" ".join(str(error).split()), remedy=remedy)


_MARKS: Final = {True: ("ok", "green"), False: ("no", "red"), None: ("--", "dim")}


def print_findings(findings: Sequence[Finding]) -> None:
    """A line for each finding and below it the line that mends it, both unbroken so that they can be copied whole."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark, style = _MARKS[finding.good]
        # Text and not markup: brackets in paths and in names of extras would be taken for styles.
        line = Text.assemble((mark, style), f"  {finding.what:<{width}}  {finding.words}")
        console.print(line, soft_wrap=True, highlight=False)
        if finding.remedy:
            console.print(Text(f"    $ {finding.remedy}"), soft_wrap=True, highlight=False)
