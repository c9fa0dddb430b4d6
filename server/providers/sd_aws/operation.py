"""What the operations of Stable Diffusion on AWS work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from atelier_mcp.server.providers.operation import DirectOperation, JobOperation, RequestT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.model_list import SdAwsModelList
    from atelier_mcp.server.providers.sd_aws.uploads.transfer import TransferTasks
    from atelier_mcp.server.requests.prompt_notations import PromptNotation


@dataclass(frozen=True, slots=True)
class SdAwsAccount:
    """One deployment, and one user of it."""

    middleware: MiddlewareClient
    get_dialect: Callable[[], Awaitable[Dialect]]
    """The calls of the version that is deployed; the first time this asks the service which one that is."""
    model_list: SdAwsModelList
    transfers: TransferTasks
    default_endpoint: str = ""
    """What to draw on where a request names none; empty for the first in service."""

    @property
    def service(self) -> str:
        """The name errors use."""
        return self.middleware.client.service


class SdAwsJobOperation(JobOperation[RequestT]):
    """One capability that makes a task."""

    # Its workers are WebUIs.
    prompt_notations: ClassVar[frozenset[PromptNotation]] = frozenset({"weights", "editing", "breaks", "hypernets"})

    def __init__(self, account: SdAwsAccount) -> None:
        """Work for this account."""
        self._account = account


class SdAwsDirectOperation(DirectOperation[RequestT]):
    """One capability that is done at once."""

    def __init__(self, account: SdAwsAccount) -> None:
        """Work for this account."""
        self._account = account
