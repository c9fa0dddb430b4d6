"""What may stand between a program and its PostgreSQL, on loopback, in threads: each lets bytes through in its way."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

READY = b"Z"
ROLLBACK = b"Q\x00\x00\x00\x0dROLLBACK\x00"


class AnswerLoser:
    """Passes everything on, but of the next commit after ``lose_next`` only the way there: then it hangs up."""

    def __init__(self, server_port: int) -> None:
        self.lost_count = 0
        self._server_port = server_port
        self._is_armed = False

    def lose_next(self) -> None:
        """The server will do the next commit, and nobody will hear of it."""
        self._is_armed = True

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            is_muted = threading.Event()
            back = threading.Thread(target=self._pass_back, args=(server, client, is_muted), daemon=True)
            back.start()
            while data := _receive(client):
                if self._is_armed and b"COMMIT\0" in data:
                    self._is_armed = False
                    is_muted.set()
                    server.sendall(data)
                    back.join()  # ends with the first answer, which says that it is done
                    self.lost_count += 1
                    break
                server.sendall(data)
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            back.join()

    def close(self) -> None:
        """Nothing is kept open."""

    def _pass_back(self, server: socket.socket, client: socket.socket, is_muted: threading.Event) -> None:
        while (data := _receive(server)) and not is_muted.is_set():
            with suppress(OSError):
                client.sendall(data)


class TransactionPooler:
    """Lends one session of the server to all its clients, by the transaction."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._session: socket.socket | None = None
        self._greeting = b""
        self._turn = threading.Lock()

    def serve(self, client: socket.socket) -> None:
        startup = _receive_exactly(client, struct.unpack("!I", _receive_exactly(client, 4))[0] - 4)
        if startup[:4] == struct.pack("!I", 80877103):  # it asks for encryption
            client.sendall(b"N")
            startup = _receive_exactly(client, struct.unpack("!I", _receive_exactly(client, 4))[0] - 4)
        with self._turn:
            if self._session is None:
                self._session = socket.create_connection(("127.0.0.1", self._server_port))
                self._session.sendall(struct.pack("!I", len(startup) + 4) + startup)
                self._greeting, _ = self._read_answer()
            client.sendall(self._greeting)
        while message := _receive(client):
            if message[:1] == b"X":
                return
            with self._turn:
                state = self._forward(client, message)
                while state != b"I":  # a transaction keeps the session; one whose client has left is undone
                    state = self._forward(client, _receive(client) or ROLLBACK)

    def close(self) -> None:
        """Give the session back."""
        if self._session is not None:
            self._session.close()

    def _forward(self, client: socket.socket, message: bytes) -> bytes:
        assert self._session is not None
        self._session.sendall(message)
        answer, state = self._read_answer()
        with suppress(OSError):
            client.sendall(answer)
        return state

    def _read_answer(self) -> tuple[bytes, bytes]:
        """Messages up to the one that says in which state the session is."""
        assert self._session is not None
        answer = b""
        while True:
            head = _receive_exactly(self._session, 5)
            body = _receive_exactly(self._session, struct.unpack("!I", head[1:])[0] - 4)
            answer += head + body
            if head[:1] == READY:
                return answer, body


@contextmanager
def listen(double: AnswerLoser | TransactionPooler) -> Generator[int]:
    """The port at which one of them takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, double.serve, threads), daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join(5)
    double.close()


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None], threads: list[threading.Thread]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threads.append(threading.Thread(target=_serve_one, args=(client, serve), daemon=True))
            threads[-1].start()


def _serve_one(client: socket.socket, serve: Callable[[socket.socket], Any]) -> None:
    with client, suppress(OSError, struct.error):
        serve(client)


def _receive(one: socket.socket) -> bytes:
    with suppress(OSError):
        return one.recv(65536)
    return b""


def _receive_exactly(one: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = one.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data
