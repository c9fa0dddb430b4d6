"""Who may call, and how often.

The demo account has credentials of the three usual kinds, two keys, e-mail and password, and one key; each upstream
says which of them it knows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

DEMO_ACCESS_KEY: Final = "atelier-demo-ak"
DEMO_SECRET_KEY: Final = "atelier-demo-sk-0123456789abcdef0123456789abcdef"  # noqa: S105 - opens the emulator and nothing else

DEMO_EMAIL: Final = "demo@atelier.example"
DEMO_PASSWORD: Final = "atelier-demo-password"  # noqa: S105 - opens the emulator and nothing else

DEMO_API_KEY: Final = "atelier-demo-api-key-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials: two keys, e-mail and password, or a name and one key.

    The first names it in tasks, in the access log, and in the folders of what it keeps: it must stay what it is.
    """

    access_key: str
    secret_key: str


DEMO_KEY_PAIR_ACCOUNT: Final = Account(DEMO_ACCESS_KEY, DEMO_SECRET_KEY)
DEMO_EMAIL_ACCOUNT: Final = Account(DEMO_EMAIL, DEMO_PASSWORD)
DEMO_API_KEY_ACCOUNT: Final = Account("atelier-demo-talker", DEMO_API_KEY)


class AccountRegistry:
    """The accounts by access key, and their calls of the last second."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        """Know these accounts; one that several upstreams have is the same."""
        # By access key, since tasks and folders are named by it.
        self._accounts = {account.access_key: account for account in accounts}
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def add(self, account: Account) -> None:
        """Let in one more, or give a known one another secret."""
        self._accounts[account.access_key] = account

    def find(self, access_key: str) -> Account | None:
        """The account with that access key."""
        return self._accounts.get(access_key)

    def find_by_secret(self, secret_key: str) -> Account | None:
        """The account whose secret that is, for services that are shown nothing else."""
        return next((account for account in self._accounts.values() if account.secret_key == secret_key), None)

    def count_call(self, account: Account, *, now: float, rate_per_s: float | None) -> float | None:
        """Count one call; None when it is within the rate, else the seconds to wait. Refused calls do not count."""
        if rate_per_s is None:
            return None
        calls = self._calls[account.access_key]
        # A sliding second, as the strictest reading of a rate.
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) < rate_per_s:
            calls.append(now)
            return None
        return calls[0] + 1 - now
