"""The README as the package index shows it: links that lead into the repository carry its address there."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(!?\[[^\]]*\]\()(?!\w+:|#)([^)\s]+)(\))")


class LongDescription(MetadataHookInterface):
    """Fills in ``project.readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Hatchling calls this for every build."""
        repository = metadata["urls"]["Repository"]
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": make_links_absolute(text, repository)}


def make_links_absolute(text: str, repository: str) -> str:
    """Pictures by the address of their bytes, pages by that of the page."""

    def replace(match: "re.Match[str]") -> str:
        kind = "raw" if match[1].startswith("!") else "blob"
        return f"{match[1]}{repository}/{kind}/main/{match[2]}{match[3]}"

    return RELATIVE_LINK.sub(replace, text)
