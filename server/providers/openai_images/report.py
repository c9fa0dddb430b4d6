"""What an endpoint says of itself to whoever checks the installation, and what is known of it by its row and model.

The dialect has no call that names a version or a capability (contract: models.kind): only models are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.openai_images.prices import PRICES_SEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.providers.openai_images.drawing import ChosenModel, OpenaiDrawing
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect

MAX_NAMES: Final = 3
UNRECOGNISED: Final = "relay"


async def build_report_words(drawing: OpenaiDrawing, models: Sequence[ListedModel], *, is_listed: bool) -> str:
    """Which server it is, its models, and what the one can do that is drawn with where a call names none.

    ``is_listed`` says whether the service knows that model. Raises what ``choose_model`` raises.
    """
    server = drawing.server
    count = f"{len(models)} model{'s' * (len(models) != 1)} to draw with{_format_names(models)}"
    parts = [_format_server(server, drawing.session.suffix), *(["free"] if server.is_own_hardware else []), count]
    if not drawing.default_model and not models:
        return ", ".join([*parts, f"OPENAI_IMAGE_MODEL{drawing.session.suffix} is not set"])
    model = await drawing.choose_model(None)
    source = "" if drawing.default_model else f"OPENAI_IMAGE_MODEL{drawing.session.suffix} is not set: "
    doubt = "" if is_listed else ", which it does not list"
    able = ", ".join(_list_abilities(drawing, model))
    return f"{', '.join(parts)}; {source}draws with {model.id}{doubt}: {able}; tells no version"


def _format_server(server: ServerDialect, suffix: str) -> str:
    if server.id == UNRECOGNISED:
        return f"a server that its address does not tell (OPENAI_SERVER{suffix})"
    return server.title


def _format_names(models: Sequence[ListedModel]) -> str:
    names = [model.id for model in models[:MAX_NAMES]]
    more = f" and {len(models) - MAX_NAMES} more" if len(models) > MAX_NAMES else ""
    return f" ({', '.join(names)}{more})" if names else ""


def _list_abilities(drawing: OpenaiDrawing, model: ChosenModel) -> list[str]:
    """What can be asked of the model at this server."""
    server, known = drawing.server, model.known
    takes_images = server.takes_images and (known is None or known.has_edits)
    masks = "no mask, so that only what a mask leaves is pasted back" if server.mask == "none" else "a mask"
    pictures = f"up to {server.max_images} pictures" if server.max_images > 1 else "one picture"
    is_transparent = server.has_background and known is not None and known.is_transparent
    has_price = drawing.find_price(model) is not None
    return [
        f"from {pictures}, with {masks}" if takes_images else "from words alone",
        *([f"quality {known.qualities[0]} to {known.qualities[-1]}"] if known and server.has_quality else []),
        *(["transparent"] if is_transparent else []),
        "streamed" if drawing.allows_stream(model, 1) else "in whole answers",
        *([f"ends {known.ends}"] if known and known.ends else []),
        *([] if server.is_own_hardware else [f"prices of {PRICES_SEEN}" if has_price else "no price known"]),
    ]
