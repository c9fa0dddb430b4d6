"""Several pictures laid over one another on a ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.encode import check_result_size
from atelier_mcp.server.images.placement import fit_over, place
from atelier_mcp.server.images.resample import resize_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayer:
    """One picture of a composition. Lengths in pixels of the canvas."""

    image: Image
    """As ``RGB`` or ``RGBA``."""
    mask: Image | None = None
    """What of it is shown, as ``L`` of any size: 255 is shown, 0 is not."""
    width: int | None = None
    height: int | None = None
    scale: float | None = None
    x: int | None = None
    y: int | None = None
    position: str = "middle"
    """Where it lies along an axis without an offset: ``topleft`` to ``bottomright``."""
    soft_edge_px: float = 0
    opacity: float = 1

    def compute_size(self) -> tuple[int, int]:
        """Its size in the canvas: by its sides, one of which is enough, or its scale."""
        width, height = self.image.size
        if self.scale is not None:
            return max(1, round(width * self.scale)), max(1, round(height * self.scale))
        if self.width is not None:
            return self.width, self.height or max(1, round(self.width * height / width))
        return (
            (max(1, round(self.height * width / height)), self.height) if self.height is not None else (width, height)
        )


def compose(background: Image | Color, layers: Iterable[ImageLayer], *, size: tuple[int, int] | None) -> Image:
    """The layers on the background, the first one lowest, as ``RGBA``.

    There is at least one layer; each is asked for when the one before lies on the canvas. ``size`` is the canvas:
    without one it is the background's, or the first layer's. A background picture covers the canvas. What reaches
    beyond it is cut off. Raises ``InvalidRequest`` for a layer that lies wholly outside and for a canvas past 100
    megapixels. Called in a worker.
    """
    canvas: Image | None = None
    for index, layer in enumerate(layers):
        if canvas is None:
            canvas = _create_canvas(background, size or _choose_size(background, layer))
        _paste_layer(canvas, layer, index)
    if canvas is None:
        raise ValueError("a composition has a layer")
    return canvas


def _choose_size(background: Image | Color, first_layer: ImageLayer) -> tuple[int, int]:
    return first_layer.compute_size() if isinstance(background, tuple) else background.size


def _create_canvas(background: Image | Color, size: tuple[int, int]) -> Image:
    from PIL.Image import new

    check_result_size(*size)
    if isinstance(background, tuple):
        return new("RGBA", size, background)
    covering = resize_image(background, fit_over(background.size, size))
    left, top = place(size, covering.size, "middle")
    return covering.crop((left, top, left + size[0], top + size[1])).convert("RGBA")


def _paste_layer(canvas: Image, layer: ImageLayer, index: int) -> None:
    size = layer.compute_size()
    # A layer is made whole before it is cut off, so all of it has to be within the limit.
    check_result_size(*size)
    at_x, at_y = place(size, canvas.size, layer.position)
    x, y = at_x if layer.x is None else layer.x, at_y if layer.y is None else layer.y
    if x >= canvas.width or y >= canvas.height or x + size[0] <= 0 or y + size[1] <= 0:
        raise InvalidRequest(
            f"layers[{index}]: {size[0]}x{size[1]} at {x},{y} lies outside the canvas, {canvas.width}x{canvas.height}."
        )
    image = _prepare_layer(layer, size)
    left, top = max(0, -x), max(0, -y)
    visible = image.crop((left, top, min(size[0], canvas.width - x), min(size[1], canvas.height - y)))
    canvas.alpha_composite(visible, (max(x, 0), max(y, 0)))


def _prepare_layer(layer: ImageLayer, size: tuple[int, int]) -> Image:
    """The layer at its size, what its mask hides made transparent."""
    from PIL import ImageChops

    image = resize_image(layer.image.convert("RGBA"), size)
    alpha = image.getchannel("A")
    if layer.mask is not None:
        alpha = ImageChops.multiply(alpha, layer.mask.resize(size))
    if layer.soft_edge_px:
        alpha = ImageChops.multiply(alpha, soften_edges(alpha, layer.soft_edge_px))
    if layer.opacity < 1:
        alpha = alpha.point([round(value * layer.opacity) for value in range(256)])
    image.putalpha(alpha)
    return image


def soften_edges(alpha: Image, radius_px: float) -> Image:
    """The opacity fading towards its edges, inwards only, so that nothing of what was hidden shows."""
    from PIL import Image, ImageFilter

    margin = round(radius_px * 2) + 1
    # With room around it, a layer that fills its picture fades at the picture's edge as well.
    page = Image.new("L", (alpha.width + 2 * margin, alpha.height + 2 * margin), 0)
    page.paste(alpha, (margin, margin))
    blurred = page.filter(ImageFilter.GaussianBlur(radius_px))
    # Blurred, an edge is half as strong where it was: less than half lies outside of it and becomes 0.
    faded = blurred.point([max(0, 2 * value - 255) for value in range(256)])
    return faded.crop((margin, margin, margin + alpha.width, margin + alpha.height))
