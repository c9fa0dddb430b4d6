"""Which process looks after which account, and which processes are still alive, by locks of the operating system.

A lock goes with its process, however that ends: nothing has to be cleaned up, and nothing depends on clocks. The files
lie under the data folder, so that whoever shares the ledger shares the locks.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, Self
from uuid import uuid4

from atelier_mcp.server.private_files import FILE_MODE, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from filelock import FileLock


class Ownership(Protocol):
    """Agreement between the processes that share a ledger."""

    @property
    def process(self) -> str:
        """This process' own name, never used again."""
        ...

    def announce(self) -> None:
        """Count as alive from now on; to be called before this process' name is written anywhere."""
        ...

    def try_acquire(self, account: str) -> bool:
        """True when this process looks after the account, from now on if nobody else does."""
        ...

    def release(self, account: str) -> None:
        """Leave the account to whoever asks next."""
        ...

    def is_alive(self, process: str) -> bool:
        """True while the process of that name goes on."""
        ...


class FileOwnership:
    """Locks on files in one folder. Use it with ``async with``; this process counts as alive inside."""

    def __init__(self, folder: Path) -> None:
        """Keep lock files in ``folder``, made on first use."""
        self.process: str = uuid4().hex
        self._folder = folder
        self._account_locks: dict[str, FileLock] = {}
        self._process_lock: FileLock | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for account in list(self._account_locks):
            self.release(account)
        if self._process_lock is not None:
            self._process_lock.release()
            self._get_process_lock_path(self.process).unlink(missing_ok=True)

    def announce(self) -> None:
        """Count as alive from now on; to be called before this process' name is written anywhere."""
        if self._process_lock is None:
            self._process_lock = _try_lock(self._get_process_lock_path(self.process))

    def try_acquire(self, account: str) -> bool:
        """True when this process looks after the account, from now on if nobody else does."""
        if account in self._account_locks:
            return True
        lock = _try_lock(self._folder / f"account-{sha256(account.encode()).hexdigest()[:16]}.lock")
        if lock is None:
            return False
        self._account_locks[account] = lock
        return True

    def release(self, account: str) -> None:
        """Leave the account to whoever asks next."""
        if lock := self._account_locks.pop(account, None):
            lock.release()

    def is_alive(self, process: str) -> bool:
        """True while the process of that name goes on. Its file outlives it only when it was killed."""
        if process == self.process:
            return True
        path = self._get_process_lock_path(process)
        if not path.exists():
            return False
        lock = _try_lock(path)
        if lock is None:
            return True
        lock.release()
        path.unlink(missing_ok=True)
        return False

    def _get_process_lock_path(self, process: str) -> Path:
        return self._folder / f"process-{process}.lock"


def _try_lock(path: Path) -> FileLock | None:
    """The lock on a file, or nothing when someone else has it. Never waits."""
    from filelock import FileLock, Timeout

    make_private_folder(path.parent)
    lock = FileLock(path, thread_local=False, mode=FILE_MODE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock
