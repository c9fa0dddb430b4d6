"""What a worker process runs: it takes calls, answers them, and ends with the server that started it.

A worker is a fresh interpreter which imports this module and then what its calls name; never the program that started
it, so that a console script needs no guard and costs nothing twice. It is imported in worker processes alone, and
keeps its own imports few: they are what a first call waits for.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import threading
from typing import IO, TYPE_CHECKING, Any

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.workers.limits import forbid_core_dumps, limit_cpu, limit_memory, read_peak
from atelier_mcp.server.workers.messages import WorkerCall, WorkerResponse, receive_message, send_message

if TYPE_CHECKING:
    from collections.abc import Callable


def work(prepare: str) -> None:
    """Run a worker process: take calls, answer them, and exit with the parent, in the middle of a call too.

    ``prepare`` names a function that is called once before the first call; "" for none.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    forbid_core_dumps()
    incoming, outgoing = _detach_pipes()
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive_calls, args=(incoming, calls), name="listener", daemon=True).start()
    if prepare:
        _resolve_function(prepare)()
    while True:
        send_message(outgoing, _handle_call(calls.get()))


def _detach_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move the pipes off stdin and stdout: what a library prints goes to stderr, and what it reads is empty.

    By file descriptor and not by ``sys.stdout``: libraries in C write to descriptor 1 without asking Python.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null_device = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_device, 0)
    os.close(null_device)
    os.dup2(2, 1)
    return incoming, outgoing


def _receive_calls(incoming: IO[bytes], calls: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            calls.put(receive_message(incoming))
    except EOFError:
        # The parent is gone. sys.exit would end this thread only, while the main one computes on for nobody.
        os._exit(0)


def _handle_call(request: bytes) -> bytes:
    try:
        call: WorkerCall = pickle.loads(request)  # noqa: S301 - the other end is our own process
        limit_memory(call.memory_bytes)
        limit_cpu(call.cpu_s)
        response = WorkerResponse("done", _resolve_function(call.function)(*call.args, **call.kwargs), read_peak())
        # Within the try: a result that cannot be pickled is a failed call, not the end of the worker.
        return pickle.dumps(response, protocol=pickle.HIGHEST_PROTOCOL)
    except AtelierError as err:
        response = WorkerResponse("raised", err, read_peak())
    except ValueError as err:
        # Its text alone: a class of some library need not survive the way.
        response = WorkerResponse("raised", ValueError(str(err)), read_peak())
    except MemoryError as err:
        response = WorkerResponse("out of memory", f"MemoryError: {err}", read_peak())
    except Exception as err:  # noqa: BLE001 - the caller is in another process: every error has to travel
        response = WorkerResponse("failed", f"{type(err).__name__}: {err}", read_peak())
    return pickle.dumps(response, protocol=pickle.HIGHEST_PROTOCOL)


def _resolve_function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
