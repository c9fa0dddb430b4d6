"""Operations on the records, in transactions: what every database under the ledger does alike.

Every call here blocks; the ledger makes them in threads of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.exc import DatabaseError, OperationalError

from atelier_mcp.server.errors import AtelierError, StorageUnavailable
from atelier_mcp.server.jobs.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import TypeVar

    from sqlalchemy import Connection, Engine

    from atelier_mcp.server.jobs.model import Job

    T = TypeVar("T")


class CommitResult(NamedTuple):
    """What came of some operations written together."""

    results: list[Any]
    """By operation: what it returned, or the exception it raised, whose writes alone are undone."""
    changed_jobs: list[Job]
    has_audit_lines: bool = False
    """Lines wait to be put into the audit log."""


class Database:
    """An open database with today's tables."""

    records_class: type[Records] = Records
    """How this kind of database is read and written."""
    sender: str = ""
    """Who tells others, where they hear it."""
    auditor: str = ""
    """Who puts lines into the audit log; empty where none is kept."""

    def __init__(self, engine: Engine, *, read_engine: Engine | None = None) -> None:
        """Write through ``engine``; read through it as well, or with the options of ``read_engine``."""
        self._engine = engine
        self._read_engine = read_engine or engine

    def commit(self, operations: Sequence[Callable[[Records], Any]]) -> CommitResult:
        """Do the operations in one transaction and return when it is safe on the disk."""
        with explain_disk_errors():
            # The usual case; a savepoint would be two more statements.
            return self._commit_one(operations[0]) if len(operations) == 1 else self._commit_all(operations)

    def read(self, operation: Callable[[Records], T]) -> T:
        """What one operation reads."""
        with explain_disk_errors(), self._read_engine.connect() as connection:
            return operation(self.records_class(connection))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def lock_for_writing(self, connection: Connection) -> None:
        """What a transaction that writes begins with."""

    def must_repeat(self, error: Exception) -> bool:  # noqa: ARG002  # for databases that are shared
        """True for an error that ends the whole transaction, so that all of it has to be done again."""
        return False

    def notify_others(self, connection: Connection, changed_jobs: Sequence[Job]) -> None:
        """Let other processes hear of these jobs, where they can, as soon as the transaction is committed."""

    def _commit_all(self, operations: Sequence[Callable[[Records], Any]]) -> CommitResult:
        outcome = CommitResult([], [])
        has_audit_lines = False
        with self._engine.begin() as connection:
            self.lock_for_writing(connection)
            for operation in operations:
                records = self._open_records(connection)
                try:
                    # A savepoint each: one that fails must not undo the others of the same flush.
                    with connection.begin_nested():
                        outcome.results.append(operation(records))
                    outcome.changed_jobs.extend(records.changed_jobs)
                    has_audit_lines |= records.has_audit_lines
                except Exception as error:  # handed to whoever asked for the operation
                    if self.must_repeat(error):
                        raise
                    outcome.results.append(error)
            self.notify_others(connection, outcome.changed_jobs)
        return outcome._replace(has_audit_lines=has_audit_lines)

    def _commit_one(self, operation: Callable[[Records], Any]) -> CommitResult:
        try:
            with self._engine.begin() as connection:
                self.lock_for_writing(connection)
                records = self._open_records(connection)
                result = operation(records)
                self.notify_others(connection, records.changed_jobs)
        # Anything else is a defect or a broken disk; the ledger hands it to whoever asked.
        except AtelierError as error:
            return CommitResult([error], [])
        return CommitResult([result], records.changed_jobs, records.has_audit_lines)

    def _open_records(self, connection: Connection) -> Records:
        records = self.records_class(connection)
        records.auditor = self.auditor
        return records


@contextmanager
def explain_disk_errors() -> Generator[None]:
    """Raise ``StorageUnavailable`` for what the disk, or the file on it, makes impossible."""
    try:
        yield
    except DatabaseError as err:
        # The others, IntegrityError for one, are about what was written and not about where.
        if type(err) not in (DatabaseError, OperationalError):
            raise
        raise StorageUnavailable(
            f"The ledger cannot be used: {err.orig}.",
            hint="Whoever runs the server can mend it: free the disk, or look at ATELIER_HOME with atelier doctor.",
        ) from err
