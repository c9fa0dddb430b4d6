"""What Atelier must know of Paint before it is used; read at every start, so that nothing heavy is imported."""

from __future__ import annotations

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec


class PaintSettings(ProviderSettings):
    """One Paint account."""

    required_fields = ("api_key",)  # without these it does not count as configured

    api_key: SecretStr = Field(SecretStr(""), alias="PAINT_API_KEY", description="Paint: API key")
    base_url: str = Field("https://api.paint.example", alias="PAINT_BASE_URL", description="Paint: base address")


SPEC = ProviderSpec(
    name="paint",  # stands in settings and answers
    title="Paint",  # for people
    settings=PaintSettings,
    operations={"generate_image": OperationSpec(deadline_s=600)},
    factory="atelier_paint.factory:create",
)
