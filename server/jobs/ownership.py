"""Which process looks after which account, and which processes are still alive, by locks that go with their process.

Nothing has to be cleaned up, and nothing depends on clocks. Here the locks are those of the operating system, on files
under the data folder, for whoever shares the ledger in it; ``postgres_ownership`` has those of a PostgreSQL.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, Self
from uuid import uuid4

from atelier_mcp.server.private_files import FILE_MODE, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from filelock import FileLock


FIRST_EPOCH: Final = 1


class Ownership(Protocol):
    """Agreement between the processes that share a ledger."""

    @property
    def process(self) -> str:
        """This process' own name, never used again."""
        ...

    @property
    def orphan_age_s(self) -> float:
        """How long a process must have counted as gone before its submits are given up: it may only seem so."""
        ...

    @property
    def process_count(self) -> int:
        """How many processes share the ledger, this one included, as far as that can be told."""
        ...

    def is_preferred(self, account: str) -> bool:
        """Whether this process is the one to look after the account, so that accounts are spread over processes.

        Whoever is not may all the same, where nobody else does.
        """
        ...

    async def announce(self) -> None:
        """Count as alive from now on; to be called before this process' name is written anywhere."""
        ...

    async def try_acquire(self, account: str) -> int | None:
        """The epoch in which this process looks after the account, from now on if nobody else does; None if one does.

        To be asked again and again: what is held can be lost, and an epoch that has changed means that somebody else
        may have looked after the account in between.
        """
        ...

    async def release(self, account: str) -> None:
        """Leave the account to whoever asks next."""
        ...

    async def is_alive(self, process: str) -> bool:
        """True while the process of that name goes on."""
        ...


class FileOwnership:
    """Locks on files in one folder. Use it with ``async with``; this process counts as alive inside."""

    orphan_age_s: float = 0.0
    """A lock on a file is free only when its process is gone."""
    process_count: int = 1
    """Others are not counted: they are on this machine, and mostly of one person."""

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
            await self.release(account)
        if self._process_lock is not None:
            self._process_lock.release()
            self._get_process_lock_path(self.process).unlink(missing_ok=True)

    def is_preferred(self, account: str) -> bool:  # noqa: ARG002  # the protocol's signature
        """True: whoever sees an account's jobs first looks after it."""
        return True

    async def announce(self) -> None:
        """Count as alive from now on; to be called before this process' name is written anywhere."""
        if self._process_lock is None:
            self._process_lock = _try_lock(self._get_process_lock_path(self.process))

    async def try_acquire(self, account: str) -> int | None:
        """The only epoch, when this process looks after the account, from now on if nobody else does: none is lost."""
        if account in self._account_locks:
            return FIRST_EPOCH
        lock = _try_lock(self._folder / f"account-{sha256(account.encode()).hexdigest()[:16]}.lock")
        if lock is None:
            return None
        self._account_locks[account] = lock
        return FIRST_EPOCH

    async def release(self, account: str) -> None:
        """Leave the account to whoever asks next."""
        if lock := self._account_locks.pop(account, None):
            lock.release()

    async def is_alive(self, process: str) -> bool:
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
