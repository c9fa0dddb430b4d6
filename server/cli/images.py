"""Pictures in a terminal that can show them: kitty's protocol, iTerm's, or sixels.

Which one it is comes from what terminals say of themselves in the environment; sixels are asked for, since no
variable tells of them. A picture that is not shown is no error: its file stands in the text.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
from typing import TYPE_CHECKING, Final, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import mcp_types as types
    from PIL.Image import Image

ImageProtocol = Literal["kitty", "iterm", "sixel", "none"]

CHUNK_CHARS: Final = 4096
"""As much as kitty takes in one piece."""
ANSWER_TIMEOUT_S: Final = 0.2
MAX_SIXEL_PX: Final = 640
SIXEL_COLOURS: Final = 255
_KITTY_PROGRAMS: Final = frozenset({"ghostty", "kitty"})
_ITERM_PROGRAMS: Final = frozenset({"iTerm.app", "WezTerm", "vscode", "mintty", "rio", "WarpTerminal"})
_SIXEL_TERMS: Final = ("foot", "mlterm", "yaft", "contour")


def show_images(result: types.CallToolResult, *, protocol: str = "auto") -> None:
    """Show the previews of an answer on stdout, where it is a terminal that can."""
    chosen = find_protocol() if protocol == "auto" else cast("ImageProtocol", protocol)
    if chosen == "none":
        return
    for block in result.content:
        if block.type == "image":
            print(encode_image(base64.b64decode(block.data), chosen), flush=True)


def find_protocol() -> ImageProtocol:
    """What this terminal understands."""
    if not sys.stdout.isatty():
        return "none"
    named = find_named_protocol(os.environ)
    if named is not None:
        return named
    return "sixel" if _can_show_sixels() else "none"


def find_named_protocol(environ: Mapping[str, str]) -> ImageProtocol | None:
    """What the environment says of the terminal; None where it says nothing."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ or term.startswith(("screen", "tmux", "dumb")):
        # They stand between: what the terminal behind them can is of no use.
        return "none"
    if "KITTY_WINDOW_ID" in environ or "kitty" in term or "ghostty" in term or program in _KITTY_PROGRAMS:
        return "kitty"
    if program in _ITERM_PROGRAMS or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "sixel" if term.startswith(_SIXEL_TERMS) else None


def encode_image(data: bytes, protocol: ImageProtocol) -> str:
    """The characters that make a terminal of this kind show the picture."""
    from PIL import Image

    if protocol == "iterm":
        encoded = base64.b64encode(data).decode()
        return f"\x1b]1337;File=inline=1;size={len(data)};preserveAspectRatio=1:{encoded}\x07"
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return _encode_for_kitty(image) if protocol == "kitty" else encode_sixels(image)


def _encode_for_kitty(image: Image) -> str:
    buffer = io.BytesIO()
    # Of the formats with a header, it takes PNG alone.
    image.save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    chunks = [encoded[start : start + CHUNK_CHARS] for start in range(0, len(encoded), CHUNK_CHARS)]
    last = len(chunks) - 1
    controls = [f"{'a=T,f=100,q=2,' if n == 0 else ''}m={int(n < last)}" for n in range(len(chunks))]
    return "".join(f"\x1b_G{control};{chunk}\x1b\\" for control, chunk in zip(controls, chunks, strict=True))


def encode_sixels(image: Image) -> str:
    """A picture in bands of six rows; in each band every colour draws its own columns."""
    small = image.convert("RGB")
    small.thumbnail((MAX_SIXEL_PX, MAX_SIXEL_PX))
    indexed = small.quantize(SIXEL_COLOURS)
    palette, (width, height), pixels = indexed.getpalette() or [], indexed.size, indexed.tobytes()
    colours = [palette[start : start + 3] for start in range(0, len(palette), 3)]
    header = "".join(
        f"#{n};2;{round(r / 2.55)};{round(g / 2.55)};{round(b / 2.55)}" for n, (r, g, b) in enumerate(colours)
    )
    rows = [pixels[y * width : (y + 1) * width] for y in range(height)]
    bands = [_encode_band(rows[top : top + 6], width) for top in range(0, height, 6)]
    return f'\x1bPq"1;1;{width};{height}{header}{"-".join(bands)}\x1b\\'


def _encode_band(rows: Sequence[bytes], width: int) -> str:
    bits_by_colour: dict[int, bytearray] = {}
    for bit, row in enumerate(rows):
        for x, colour in enumerate(row):
            bits_by_colour.setdefault(colour, bytearray(width))[x] |= 1 << bit
    return "$".join(f"#{colour}{_compress(bits)}" for colour, bits in bits_by_colour.items())


def _compress(bits: bytearray) -> str:
    """One character for six pixels, runs of the same with their length."""
    text = bytes(value + 63 for value in bits).decode("ascii")
    return re.sub(r"(.)\1{3,}", lambda run: f"!{len(run[0])}{run[1]}", text, flags=re.DOTALL)


def _can_show_sixels() -> bool:
    """Ask the terminal what it is: one that can shows a 4 among its attributes (DA1)."""
    if os.name == "nt" or not sys.stdin.isatty():
        return False
    import select
    import termios
    import time
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    answer, end_s = b"", time.monotonic() + ANSWER_TIMEOUT_S
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write("\x1b[c")
        sys.stdout.flush()
        while not answer.endswith(b"c") and time.monotonic() < end_s:
            if select.select([descriptor], [], [], ANSWER_TIMEOUT_S)[0]:
                answer += os.read(descriptor, 64)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    match = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    return match is not None and b"4" in match[1].split(b";")[1:]


def open_files(paths: Sequence[str]) -> None:
    """Open files or folders in the program this system opens them in; where there is none, nothing happens."""
    import shutil
    import subprocess

    for path in paths:
        if sys.platform == "win32":
            os.startfile(path)  # noqa: S606  # our own files
            continue
        opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
        if opener is None:
            print(f"There is no program to open {path} with.", file=sys.stderr)
            return
        quiet = subprocess.DEVNULL
        subprocess.Popen([opener, path], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)  # noqa: S603
