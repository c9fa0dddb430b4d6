"""What every provider has, whatever its service does: an account with a name, its limits, and its operations.

A provider is the connections and the operations of one service, put together:

    class ExampleProvider(UpstreamProvider):
        def __init__(self, *, api_key, base_url, clock):
            client = UpstreamClient(service="Example", base_url=base_url, clock=clock, secrets=(api_key,))
            operations = [Generation(client), Upscaling(client)]
            super().__init__(name="example", account_key=api_key, client=client, operations=operations)

        async def poll(self, tasks): ...      # unless every submit answers with its result
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import AccountId
from atelier_mcp.server.providers.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atelier_mcp.server.providers.base import ModelPage, TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.operation import Operation

POLLS_PER_S: Final = 6.0
"""Status requests a second for the whole account, where a service publishes no rate of its own."""
STAND_IN: Final = "built-in"
"""What stands in the account's place where the built-in emulator plays the upstream: an account there is not."""


class UpstreamProvider:
    """One account at one upstream, as ``Provider`` describes it; what is left as it is here, it cannot do."""

    def __init__(
        self,
        *,
        name: str,
        account_key: str,
        client: UpstreamClient,
        operations: Iterable[Operation[Any]],
        model_kinds: tuple[str, ...] = (),
        polls_per_s: float = POLLS_PER_S,
        is_emulated: bool = False,
        is_free: bool = False,
    ) -> None:
        """``name`` stands in settings and answers; ``account_key`` tells this account from others at the service.

        ``model_kinds`` are those that ``list_models`` knows, ``polls_per_s`` is the rate of status requests for the
        whole account; ``is_emulated`` is set for the built-in emulator, ``is_free`` for a service that charges nothing.
        """
        self.name = name
        own_account = create_account_id(name, account_key)
        self.account: AccountId = AccountId(f"{name}:{STAND_IN}") if is_emulated else own_account
        self.model_kinds = model_kinds
        self.poll_rate_limit: RateLimit = RateLimit(polls_per_s)
        self.is_local: bool = client.is_local
        self.service_origin: str = client.origin
        self.is_emulated = is_emulated
        self.is_free = is_free
        self._client = client
        # the one list of what it can do: there is none beside it that could differ
        self.operations: Mapping[str, Operation[Any]] = {
            operation.request_type.capability: operation for operation in operations
        }

    def share_rate(self, count_processes: Callable[[], int]) -> None:
        """Submit and upload at a share of the account's rate; polls have one process, and are not shared."""
        self._client.share_rate(count_processes)

    def batch_size(self, kind: str) -> int:  # noqa: ARG002  # the protocol's signature
        """One: no status request covers more."""
        return 1

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:  # noqa: ARG002  # there are none
        """Nothing: no task outlives its submit."""
        return {}

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # the protocol's signature
        """False: nothing can be stopped."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # the protocol's signature
        """Raises ``InvalidRequest``: there is no list."""
        raise InvalidRequest(f"{self._client.service} lists no models.")

    async def close(self) -> None:
        """Give up connections."""
        await self._client.close()


def create_account_id(name: str, account_key: str) -> AccountId:
    """The account's name in the ledger: the provider's, and eight digits that tell nothing of the key.

    Jobs on record are found by it, so that it must come out the same for ever.
    """
    return AccountId(f"{name}:{hashlib.sha256(account_key.encode()).hexdigest()[:8]}")
