"""Colours that a file names by numbers (CICP, ITU-T H.273) instead of a profile: AVIF, HEIC and PNG do.

The numbers are made into the profile that says the same, so that whatever reads profiles reads them too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Matrix: TypeAlias = "tuple[tuple[float, ...], ...]"

_D65: Final = (0.3127, 0.3290)
_D50_XYZ: Final = (0.9642, 1.0, 0.8249)
_PRIMARIES: Final = {
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    1: ("sRGB", ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))),
}
_PLAIN_PRIMARIES: Final = frozenset({0, 1, 2, 5, 6, 7})
"""Those of sRGB, those of old television, which differ little and are seldom meant, and those that are not told."""
_PLAIN_TRANSFERS: Final = frozenset({0, 1, 2, 6, 13, 14, 15})
"""The curve of sRGB, those of television, which are shown by it, and those that are not told."""
_PQ, _HLG, _LINEAR = 16, 18, 8
_WHITE_NITS: Final = 203.0
"""What is white in pictures of a high dynamic range (ITU-R BT.2408)."""
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_CURVE_STEPS: Final = 1024
_MAX_BOXES: Final = 1000
_CONTAINERS: Final = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""The boxes on the way to the colours, each with the bytes before those inside of it."""


@dataclass(frozen=True, slots=True)
class CodedColours:
    """What the numbers say."""

    primaries: int
    transfer: int

    def build_profile(self) -> bytes | None:
        """A profile that says the same; None where that is sRGB, or not known here."""
        curve = _find_curve(self.transfer)
        is_plain = self.primaries in _PLAIN_PRIMARIES
        if curve is None or (is_plain and self.transfer in _PLAIN_TRANSFERS):
            return None
        if not is_plain and self.primaries not in _PRIMARIES:
            return None
        _, chromaticities = _PRIMARIES[1 if is_plain else self.primaries]
        return _build_profile(chromaticities, curve)

    def describe(self) -> tuple[str, ...]:
        """What a reader should know beside that the colours are converted."""
        if _find_curve(self.transfer) is None or self.primaries not in _PLAIN_PRIMARIES | _PRIMARIES.keys():
            return (f"colours left as they are: of a kind not known here (CICP {self.primaries}/{self.transfer})",)
        if self.transfer in (_PQ, _HLG):
            name = "PQ" if self.transfer == _PQ else "HLG"
            return (f"high dynamic range ({name}) cut off at white",)
        return ()


def find_coded_colours(data: bytes) -> CodedColours | None:
    """Those of an AVIF or HEIC file; None where it has none, or a profile, which goes before them."""
    found: CodedColours | None = None
    for body in _iterate_colour_boxes(data):
        if body[:4] in (b"prof", b"rICC"):
            return None
        if body[:4] == b"nclx" and len(body) >= 8 and found is None:
            found = CodedColours(*struct.unpack_from(">HH", body, 4))
    return found


def parse_png_colours(body: bytes) -> CodedColours | None:
    """Those of a PNG's ``cICP``; None for a broken one."""
    return CodedColours(body[0], body[1]) if len(body) == 4 else None


def _iterate_colour_boxes(data: bytes) -> Iterator[bytes]:
    ranges = [(0, len(data))]
    for _ in range(_MAX_BOXES):
        if not ranges:
            return
        position, end = ranges.pop()
        if position + 8 > end:
            continue
        size, kind = struct.unpack_from(">I4s", data, position)
        size = size or end - position
        if size < 8 or position + size > end:  # sizes of 64 bits are of pixels, which come behind
            continue
        ranges.append((position + size, end))
        if kind in _CONTAINERS:
            ranges.append((position + 8 + _CONTAINERS[kind], position + size))
        elif kind == b"colr":
            yield data[position + 8 : position + size]


def _find_curve(transfer: int) -> Callable[[float], float] | None:
    """From a value to light, both in [0, 1], white being 1; None for one that is not known here."""
    if transfer in _PLAIN_TRANSFERS:
        return _decode_srgb
    return {_LINEAR: float, _PQ: _decode_pq, _HLG: _decode_hlg, 4: _decode_gamma_22}.get(transfer)


def _decode_srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _decode_gamma_22(value: float) -> float:
    return value**2.2


def _decode_pq(value: float) -> float:
    """SMPTE ST 2084."""
    power = value ** (1 / 78.84375)
    nits = 10_000 * (max(0.0, power - 0.8359375) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    return min(1.0, nits / _WHITE_NITS)


def _decode_hlg(value: float) -> float:
    """ITU-R BT.2100 on a display of 1,000 nits, where 75 % are white."""
    scene = (
        value * value / 3
        if value <= 0.5
        else (2.718281828459045 ** ((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return min(1.0, 1000 * scene**1.2 / _WHITE_NITS)


def _build_profile(chromaticities: Sequence[tuple[float, float]], curve: Callable[[float], float]) -> bytes:
    """An ICC profile of version 2 with three colorants and one curve."""
    columns = zip(*_compute_colorants(chromaticities), strict=True)
    steps = [round(65_535 * curve(step / (_CURVE_STEPS - 1))) for step in range(_CURVE_STEPS)]
    table = b"curv" + bytes(4) + struct.pack(f">I{_CURVE_STEPS}H", _CURVE_STEPS, *steps)
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = {name: _encode_xyz(column) for name, column in zip(names, columns, strict=True)}
    tags |= {b"wtpt": _encode_xyz(_D50_XYZ), b"rTRC": table, b"gTRC": table, b"bTRC": table}
    offset = 128 + 4 + 12 * len(tags)
    directory, bodies = b"", b""
    for name, body in tags.items():
        directory += struct.pack(">4sII", name, offset + len(bodies), len(body))
        bodies += body
    size = offset + len(bodies)
    illuminant = _encode_xyz(_D50_XYZ)[8:]
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp")
    header = header.ljust(68, b"\0") + illuminant
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + bodies


def _encode_xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65_536) for value in values))


def _compute_colorants(chromaticities: Sequence[tuple[float, float]]) -> Matrix:
    """The columns are red, green and blue in XYZ, seen under the light of profiles, D50."""
    primaries = _transpose([_to_xyz(*point) for point in chromaticities])
    scales = _multiply(_invert(primaries), _transpose([_to_xyz(*_D65)]))
    colorants = tuple(tuple(value * scales[n][0] for n, value in enumerate(row)) for row in primaries)
    cones, wanted = (_multiply(_BRADFORD, _transpose([white])) for white in (_to_xyz(*_D65), _D50_XYZ))
    gains = tuple(tuple(wanted[n][0] / cones[n][0] if n == m else 0.0 for m in range(3)) for n in range(3))
    return _multiply(_multiply(_multiply(_invert(_BRADFORD), gains), _BRADFORD), colorants)


def _to_xyz(x: float, y: float) -> tuple[float, ...]:
    return (x / y, 1.0, (1 - x - y) / y)


def _transpose(rows: Sequence[Sequence[float]]) -> Matrix:
    return tuple(zip(*rows, strict=True))


def _multiply(one: Matrix, other: Matrix) -> Matrix:
    columns = _transpose(other)
    return tuple(tuple(sum(a * b for a, b in zip(row, column, strict=True)) for column in columns) for row in one)


def _invert(matrix: Matrix) -> Matrix:
    """Of three rows and columns, by cofactors."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = ((e * i - f * h, c * h - b * i, b * f - c * e), (f * g - d * i, a * i - c * g, c * d - a * f),
                 (d * h - e * g, b * g - a * h, a * e - b * d))  # fmt: skip
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return tuple(tuple(value / determinant for value in row) for row in cofactors)
