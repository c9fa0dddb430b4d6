"""JPEG files whose last bytes were lost: whether the pixels are all there, though the mark at the end is not."""

from __future__ import annotations

from io import BytesIO

END_MARK = b"\xff\xd9"
_FILLINGS = (b"\x55" * 512, b"\xaa" * 512, b"\xd6\x2b\x91\x4e" * 128)
"""Taken for pixels where some are missing, each for others; no byte of them begins a mark."""


def complete_jpeg(data: bytes) -> bytes:
    """The same file with the mark at its end."""
    # The file may have been cut between the two bytes of the mark: then the first one goes.
    return data if data.endswith(END_MARK) else data.removesuffix(b"\xff") + END_MARK


def restore_end(data: bytes) -> bytes | None:
    """The same file with its end; None when pixels are missing as well.

    The decoder tells neither. But where pixels are missing it makes them of whatever follows, so that different
    endings give different pictures.
    """
    cut, complete = data.removesuffix(b"\xff"), complete_jpeg(data)
    try:
        image = _decode(complete)
        is_whole = all(_decode(cut + filling + END_MARK) == image for filling in _FILLINGS)
    except MemoryError:  # which says nothing of the picture
        raise
    except Exception:  # noqa: BLE001  # whatever the decoder raises: it could not be read before either
        return None
    return complete if is_whole else None


def _decode(data: bytes) -> bytes:
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(BytesIO(data), "") as image:
        return image.tobytes()
