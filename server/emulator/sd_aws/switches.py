"""What can be set on the emulated Stable Diffusion on AWS: above all, which version of the middleware it plays."""

from __future__ import annotations

from dataclasses import dataclass

from atelier_mcp.server.emulator.sd_aws.versions import VERSIONS, VersionName


@dataclass(frozen=True, slots=True)
class SdAwsSwitches:
    """What can be set on the emulated middleware; the entries are those of its contract."""

    version: VersionName = "1.7"
    """Which version is deployed (versions)."""
    built_in_checkpoints: bool = True
    """Whether a fresh deployment has files to make pictures with; a real one has none."""
    deploy_seconds: float | None = None
    """How long a deployment takes; as long as any task when absent
    (conventions.limits.endpoint_start_minutes)."""
    gateway_seconds: float = 29.0
    """What takes longer is answered with HTTP 504, at once, while the work goes on
    (conventions.limits.gateway_seconds)."""

    def __post_init__(self) -> None:
        """Refuse a version nobody knows."""
        if self.version not in VERSIONS:
            raise ValueError(f"version is one of {', '.join(VERSIONS)}")
