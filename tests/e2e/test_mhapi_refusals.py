"""What each MHAPI tool says to input that cannot work: which argument, what is allowed, what to do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image

from tests.support.emulator_harness import encode_plain_image
from tests.support.mhapi_cases import MASK_BOX, PHOTO_SIDES, SHAPES, fill_placeholders, wait_for_bodies
from tests.support.tool_results import get_refusal, get_structured, get_text, read_access_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]

MAX_LINES = 4


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """With the toolsets that are not offered by default."""
    return {**environ, "ATELIER_TOOLSETS": "all"}


def draw_mask(colour: int, sides: tuple[int, int] = PHOTO_SIDES) -> bytes:
    """A mask of one colour with a black box in it."""
    image = Image.new("L", sides, colour)
    image.paste(0, MASK_BOX)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def draw_noise(sides: tuple[int, int]) -> bytes:
    """A picture that does not compress, so that half of its bytes are half of its rows."""
    out = io.BytesIO()
    Image.effect_noise(sides, 90).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def file_contents() -> dict[str, bytes]:
    """The files the cases name, by the word that stands for them."""
    return {
        "PHOTO": encode_plain_image(*PHOTO_SIDES),
        "MASK": draw_mask(255),
        "LARGE": encode_plain_image(900, 700),
        "VAST": encode_plain_image(6001, 300),
        "CORRUPT": draw_noise(PHOTO_SIDES)[:100_000],
        "TEXT": b"this is no picture at all\n" * 20,
        "MASK-EMPTY": encode_plain_image(*PHOTO_SIDES, colour="white"),
        "MASK-FULL": draw_mask(0),
        "MASK-SQUARE": draw_mask(255, (600, 600)),
        "MASK-CORRUPT": draw_noise(PHOTO_SIDES)[:100_000],
    }


@pytest.fixture
def files(file_contents: dict[str, bytes], tmp_path: Path) -> dict[str, str]:
    """The paths of the files."""
    paths = {word: tmp_path / f"{word.lower()}.png" for word in file_contents}
    for word, path in paths.items():
        path.write_bytes(file_contents[word])
    return {word: str(path) for word, path in paths.items()}


MASK_TOOLS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("erase_object", {}),
    ("inpaint_image", {"prompt": "grass"}),
    ("cut_out_subject", {}),
)
SOURCE_TOOLS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("detect_faces", {}),
    ("erase_object", {"shapes": SHAPES}),
    ("inpaint_image", {"shapes": SHAPES, "prompt": "grass"}),
    ("cut_out_subject", {"shapes": SHAPES}),
    ("upscale_image", {}),
    ("outpaint_image", {}),
    ("stylize_image", {"style": "style_oil"}),
    ("swap_faces", {"faces": [{"image": "PHOTO"}]}),
)
VALID_SHAPES = [{"type": "box", "points": [10, 10, 100, 100]}]

RefusalCase = tuple[str, dict[str, Any], list[str]]


def build_source_cases() -> list[RefusalCase]:
    """Every tool with every kind of source that no tool can take."""
    cases: list[RefusalCase] = []
    for tool, more in SOURCE_TOOLS:
        if "shapes" in more:
            more = {**more, "shapes": VALID_SHAPES}
        if tool not in {"cut_out_subject", "upscale_image"}:  # these work through sources of any size
            cases.append((tool, {"image": "VAST", **more}, ["6001" if tool != "outpaint_image" else "9002", "6000"]))
        cases += [
            (tool, {"image": "CORRUPT", **more}, ["image: ", "damaged or cut off"]),
            (tool, {"image": "TEXT", **more}, ["image: ", "not a picture"]),
        ]
    return cases


def build_mask_cases() -> list[RefusalCase]:
    """Every tool that works where a mask is black, with masks and shapes that mark nothing good."""
    cases: list[RefusalCase] = []
    for tool, more in MASK_TOOLS:
        cases += [
            (tool, {"mask": "MASK-EMPTY", **more}, ["mask: nothing is marked", "make_mask"]),
            (tool, {"mask": "MASK-FULL", **more}, ["mask: 100% of the picture is marked", "invert"]),
            (tool, {"mask": "MASK-SQUARE", **more}, ["mask: ", "600 x 600", "shape of image (800 x 600)"]),
            (tool, {"mask": "MASK-CORRUPT", **more}, ["mask: ", "damaged or cut off"]),
            (tool, {"mask": "TEXT", **more}, ["mask: ", "not a picture"]),
            (tool, {"mask": "img_aaaaaaaaaaaaaaaa", **more}, ["mask: ", "img_aaaaaaaaaaaaaaaa"]),
            *[(tool, more, ["give mask or shapes"])] * (tool != "cut_out_subject"),
            (
                tool,
                build_shape_arguments("box", 800, 10, 900, 90, **more),
                ["shapes[0]: ", "outside the picture", "800x600"],
            ),
            (tool, build_shape_arguments("box", 0, 0, 800, 600, **more), ["shapes: 100% of the picture is marked"]),
            (tool, build_shape_arguments("box", 300, 10, 100, 90, **more), ["shapes[0]", "x2 > x1"]),
            (tool, build_shape_arguments("box", -5, 10, 100, 90, **more), ["shapes[0].points[0]", "at least 0"]),
            (tool, build_shape_arguments("polygon", 1, 1, 9, 9, **more), ["shapes[0]", "three points"]),
            (tool, build_shape_arguments("stroke", 1, 1, 9, **more), ["shapes[0]", "odd"]),
            (tool, build_shape_arguments("circle", 1, 1, 9, 9, **more), ["shapes[0].type", "ellipse"]),
        ]
    return [(tool, {"image": "PHOTO", **arguments}, words) for tool, arguments, words in cases]


def build_shape_arguments(kind: str, *points: int, **more: Any) -> dict[str, Any]:
    """Arguments with one shape."""
    return {"shapes": [{"type": kind, "points": list(points)}], **more}


def build_photo_case(tool: str, words: list[str], **arguments: Any) -> RefusalCase:
    """A call on a good photo."""
    return tool, {"image": "PHOTO", **arguments}, words


TOOL_CASES: list[RefusalCase] = [
    ("detect_faces", {"image": "VAST"}, ["image: ", "6001 x 300", "transform_image(image=..., width=6000)"]),
    ("erase_object", {"image": "VAST", "shapes": SHAPES}, ["6001 x 300", "transform_image(image=..., width=6000)"]),
    ("cut_out_subject", {"image": "PHOTO", "strict": True}, ["strict needs marks"]),
    build_photo_case("upscale_image", ["ratio", "at most 3", "upscale the result again"], ratio=3.1),
    build_photo_case("upscale_image", ["ratio", "above 1"], ratio=1),
    build_photo_case("upscale_image", ["width", "already", "transform_image"], width=20),
    ("outpaint_image", {"image": "LARGE", "width": 900, "height": 700}, ["own 900x700", "nothing to add"]),
    build_photo_case("outpaint_image", ["width: a source of 800", "640"], width=640, height=900),
    build_photo_case("outpaint_image", ["width: a source of 800 pixels at 300", "1000"], width=1000, height=700, x=300),
    build_photo_case("outpaint_image", ["give one of them"], scale=2, width=1600, height=1200),
    build_photo_case("outpaint_image", ["x and y need aspect, scale, width or height"], x=8),
    build_photo_case("outpaint_image", ["skale: there is no such argument; did you mean scale"], skale=2),
    build_photo_case("outpaint_image", ["position", "topleft"], position="upwards"),
    build_photo_case("outpaint_image", ["scale", "at most 5"], scale=6),
    build_photo_case("stylize_image", ["style: ", "'cubist'", "style_oil", "list_models"], style="cubist"),
    build_photo_case("stylize_image", ["style: ", "Did you mean style_ink?"], style="style_inc"),
    build_photo_case("stylize_image", ["style: is missing"]),
    *(
        build_photo_case(tool, ["model: ", "'no-such'", "list_models"], model="no-such", **more)
        for tool, more in SOURCE_TOOLS
        if tool not in {"detect_faces", "stylize_image"}
    ),
    build_photo_case("inpaint_image", ["seed", "9999998"], shapes=SHAPES, prompt="x", seed=9_999_999),
    build_photo_case("inpaint_image", ["prompt is blank"], shapes=SHAPES, prompt="  "),
    build_photo_case("cut_out_subject", ["mark", "smear"], mask="MASK", mark="free"),
    build_photo_case("swap_faces", ["faces: 5 items", "at most 4"], faces=[{"image": "PHOTO"}] * 5),
    build_photo_case("swap_faces", ["faces", "at least 1"], faces=[]),
    build_photo_case("swap_faces", ["same target_index"], faces=[{"image": "PHOTO", "target_index": 1}] * 2),
    build_photo_case("swap_faces", ["prompt: 1002", "1000"], faces=[{"image": "PHOTO"}], prompt="笑" * 501),
    build_photo_case("detect_faces", ["style", "normal, anime"], style="cartoon"),
    ("train_lora", {"images": ["PHOTO"] * 12, "base": "artist_v0.4.0"}, ["images: at least 10", "not 1"]),
    ("train_lora", {"base": "artist_v0.4.0"}, ["images"]),
    ("train_lora", {"images": ["PHOTO"], "dataset_ids": [1], "base": "artist_v0.4.0"}, ["dataset_ids: "]),
    ("train_lora", {"images": ["PHOTO"], "base": "artist_v0.4.0", "subject": "plants"}, ["subject: ", "style"]),
    build_photo_case("make_mask", ["give shapes"]),
    build_photo_case("make_mask", ["shapes[0]: ", "outside"], **build_shape_arguments("ellipse", 10, 600, 90, 700)),
    build_photo_case("make_mask", ["shapes: 100%", "invert"], **build_shape_arguments("box", 0, 0, 800, 600)),
    build_photo_case(
        "make_mask", ["shapes: nothing is marked"], **build_shape_arguments("box", 0, 0, 800, 600), invert=True
    ),
    build_photo_case("make_mask", ["mask: 600x600", "800x600"], mask="MASK-SQUARE"),
    build_photo_case("make_mask", ["mask: nothing is marked"], mask="MASK-EMPTY"),
    build_photo_case("make_mask", ["mask: ", "damaged or cut off"], mask="MASK-CORRUPT"),
    ("make_mask", {"image": "CORRUPT", "shapes": VALID_SHAPES}, ["image: ", "damaged or cut off"]),
    ("list_models", {"kind": "controlnet"}, ["base: "]),
]


def get_case_id(value: Any) -> str:
    """A case's name in the report."""
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("tool", "arguments", "words"), [*build_source_cases(), *build_mask_cases(), *TOOL_CASES], ids=get_case_id
)
async def test_what_cannot_work_is_refused_in_words_and_leaves_nothing(
    call: Call, files: dict[str, str], tmp_path: Path, tool: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """The argument by name, at most four lines; no submit, no picture kept, no job written down."""
    message = get_refusal(await call(tool, **fill_placeholders(arguments, files)))
    for word in words:
        assert word in message, message
    assert len(message.splitlines()) <= MAX_LINES
    assert "incident" not in message
    assert not [entry for entry in read_access_log(tmp_path / "access.jsonl") if entry["method"] == "POST"]
    assert not list((tmp_path / "home").rglob("img_*"))
    assert "There are no such jobs" in get_text(await call("list_jobs"))


@pytest.mark.parametrize("direct", [False, True])
async def test_a_swap_without_a_face_says_where_to_look_and_costs_nothing(
    call: Call, engine: FakeEngine, files: dict[str, str], tmp_path: Path, direct: bool
) -> None:
    """Only the service can tell that there is no face; it refuses, and the job is paid back."""
    engine.faces = []
    message = get_refusal(
        await call("swap_faces", image=files["PHOTO"], faces=[{"image": files["PHOTO"]}], direct=direct)
    )
    assert "no face was found in base_img" in message
    assert "detect_faces" in message
    assert "Nothing was spent." in message
    assert len(message.splitlines()) <= MAX_LINES
    await wait_for_bodies(tmp_path / "access.jsonl", "/v1/face/imggen_sync" if direct else "/v1/face/imggen")
    (job,) = get_structured(await call("list_jobs"))["jobs"]
    assert job["state"] == "failed"


async def test_a_picture_the_engine_cannot_work_on_fails_with_the_services_words(
    call: Call, engine: FakeEngine, files: dict[str, str]
) -> None:
    """Found out too late to be refused: the job failed, the reason is quoted."""
    engine.error = ValueError("the mask cuts through everything there is")
    message = get_refusal(await call("erase_object", image=files["PHOTO"], mask=files["MASK"]))
    assert message.startswith("Job job_")
    assert "the mask cuts through everything there is" in message
    assert len(message.splitlines()) <= MAX_LINES
