"""What the workers of a pool are told to do in its tests; imported in the workers only."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import NoReturn

from atelier_mcp.server.errors import ImageRefused


def add(left: int, *, right: int) -> int:
    """The sum."""
    return left + right


def process_id() -> int:
    """The worker's process id."""
    return os.getpid()


def phone_home(port: int, name: str) -> str:
    """Call the test, say who we are and wait for a line to return; the call drops when the worker dies."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rw", newline="\n") as line:
        line.write(f"{name}\n")
        line.flush()
        return line.readline().strip()


def refuse(reason: str) -> NoReturn:
    """Raise a ValueError."""
    raise ValueError(reason)


def stumble(reason: str) -> NoReturn:
    """Raise an error that is not the caller's fault."""
    raise LookupError(reason)


def die(exit_code: int) -> NoReturn:
    """End the process at once, as a crash would."""
    os._exit(exit_code)


def unsendable() -> object:
    """A result no pipe can carry."""
    return lambda: None


def chatter() -> str:
    """Write on stdout in both ways a library can, and read stdin."""
    print("printed by a job", flush=True)  # noqa: T201 - what the pool has to keep off the protocol
    os.write(1, b"written by a job\n")
    return sys.stdin.read()


def interrupted() -> str:
    """Receive Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
    return "unharmed"


def loaded_modules() -> list[str]:
    """What the worker has imported."""
    return sorted(sys.modules)


def refuse_image(message: str) -> NoReturn:
    """Raise one of our own errors."""
    raise ImageRefused(message, hint="Give another.")


def allocate(size_bytes: int) -> int:
    """Take so much memory, use it, and give it back."""
    return len(bytearray(size_bytes))


def compute_for_ever() -> NoReturn:
    """Never return, and keep a processor busy."""
    while True:
        pass
