"""Pictures laid over one another here."""

from __future__ import annotations

import pytest
from PIL import Image

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.color_names import TRANSPARENT, find_color
from atelier_mcp.server.images.layers import ImageLayer, compose

TEAL = (0, 128, 128, 255)


def build_square(side: int = 20, opacity: int = 255) -> Image.Image:
    return Image.new("RGBA", (side, side), (255, 0, 0, opacity))


def test_without_a_size_the_canvas_is_the_first_layers_or_the_backgrounds() -> None:
    assert compose(TEAL, [ImageLayer(image=build_square(), width=50)], size=None).size == (50, 50)
    assert compose(Image.new("RGB", (90, 60)), [ImageLayer(image=build_square())], size=None).size == (90, 60)
    assert compose(Image.new("RGB", (90, 60)), [ImageLayer(image=build_square())], size=(40, 40)).size == (40, 40)


def test_a_layer_lies_where_it_was_placed_and_nowhere_else() -> None:
    canvas = compose(TRANSPARENT, [ImageLayer(image=build_square(), x=-5, y=30, scale=2)], size=(100, 80))
    assert canvas.getbbox() == (0, 30, 35, 70)
    corner = compose(TRANSPARENT, [ImageLayer(image=build_square(), position="bottomright")], size=(100, 80))
    assert corner.getbbox() == (80, 60, 100, 80)
    assert compose(TRANSPARENT, [ImageLayer(image=build_square(), x=7)], size=(100, 80)).getbbox() == (7, 30, 27, 50)


def test_the_ground_shows_through_what_is_transparent_or_under_the_mask() -> None:
    half = compose(TEAL, [ImageLayer(image=build_square(opacity=0))], size=None)
    assert half.getpixel((5, 5)) == TEAL
    mask = Image.new("L", (40, 40), 0)
    mask.paste(255, (0, 0, 20, 40))
    masked = compose(TEAL, [ImageLayer(image=build_square(), mask=mask)], size=None)
    assert (masked.getpixel((2, 10)), masked.getpixel((18, 10))) == ((255, 0, 0, 255), TEAL)


def test_a_soft_edge_fades_inwards() -> None:
    canvas = compose(TRANSPARENT, [ImageLayer(image=build_square(60), soft_edge_px=5)], size=(100, 100))
    opacity = canvas.getchannel("A")
    assert opacity.getpixel((50, 50)) == 255
    assert opacity.getpixel((20, 50)) < 40  # pyright: ignore[reportOperatorIssue]  # one band
    assert opacity.getpixel((19, 50)) == 0


def test_a_layer_outside_of_the_canvas_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"layers\[0\]: 20x20 at 100,0 lies outside the canvas, 50x50"):
        compose(TEAL, [ImageLayer(image=build_square(), x=100, y=0)], size=(50, 50))


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#ff8000", (255, 128, 0, 255)),
        ("Teal", TEAL),
        ("rebeccapurple", (102, 51, 153, 255)),
        ("transparent", TRANSPARENT),
        ("#11223344", (17, 34, 51, 68)),
        ("img_aaaaaaaaaaaaaaaa", None),
        ("photo.png", None),
    ],
)
def test_colours_have_their_css_names(text: str, color: tuple[int, ...] | None) -> None:
    assert find_color(text) == color
