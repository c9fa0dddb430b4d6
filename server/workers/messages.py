"""What the server and a worker say to each other: on a pipe a message is eight bytes of length and a pickle.

Both ends are this program; nothing else can write there.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTH_BYTES: Final = 8

Outcome: TypeAlias = Literal["done", "raised", "out of memory", "failed"]


class WorkerCall(NamedTuple):
    """A call to be made in a worker."""

    function: str
    """``package.module:name``."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    memory_bytes: int | None = None
    """How much the call may allocate, where the system can hold a process to that; None: as much as there is."""
    cpu_s: float | None = None
    """How long it may compute, likewise."""


class WorkerResponse(NamedTuple):
    """How a call ended."""

    outcome: Outcome
    value: Any
    """The result, what it raised for its caller, or the reason in words."""
    peak_bytes: int = 0
    """The most memory the worker has ever had; 0 where the system does not tell."""


def send_message(pipe: IO[bytes], message: bytes) -> None:
    """Write one message, whole."""
    pipe.write(len(message).to_bytes(LENGTH_BYTES, "little"))
    pipe.write(message)
    pipe.flush()


def receive_message(pipe: IO[bytes]) -> bytes:
    """The next message; EOFError when the other end is gone, be it within a message."""
    length = int.from_bytes(_read_exactly(pipe, LENGTH_BYTES), "little")
    return _read_exactly(pipe, length)


def _read_exactly(pipe: IO[bytes], size_bytes: int) -> bytes:
    data = pipe.read(size_bytes)
    if len(data) < size_bytes:
        raise EOFError
    return data
