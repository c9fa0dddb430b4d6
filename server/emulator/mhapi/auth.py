"""Who is calling: a JWT signed with the account's secret key (contract: auth)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.json_numbers import is_finite_number
from atelier_mcp.server.emulator.mhapi.errors import RATE, UNAUTHENTICATED, MhapiHttpError
from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account, AccountRegistry
    from atelier_mcp.server.emulator.state import EmulatorState


def admit(emulator: EmulatorState, request: Request) -> Account:
    """The account of a request, counted against its rate and noted for the access log; raises MhapiHttpError."""
    settings, accounts = emulator.settings, emulator.accounts
    header, switches = request.headers.get("authorization", ""), settings.get_switches(MhapiSwitches)
    account = authenticate(header, accounts, now=emulator.clock.read_wall_clock(), switches=switches)
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = accounts.count_call(account, now=emulator.clock.now(), rate_per_s=settings.rate_per_s)
    if wait_s is not None:
        raise MhapiHttpError(RATE, "requests come too fast", retry_after_s=wait_s)
    return account


def authenticate(header: str, accounts: AccountRegistry, *, now: float, switches: MhapiSwitches) -> Account:
    """The account whose token the Authorization header carries; raises MhapiHttpError with code 16.

    Only HS256 counts, whatever ``typ`` says; ``exp`` and ``iss`` must be there, ``nbf`` is looked at when it is, and
    further claims are nobody's business (auth.typ, auth.other_claims).
    """
    scheme, _, token = header.strip().partition(" ")
    # The word may be in any letter case (auth.bearer_value).
    if scheme.lower() != "bearer" or not token.strip():
        raise MhapiHttpError(UNAUTHENTICATED, "Authorization is not a bearer token")
    try:
        # The claims are read unchecked first: only the issuer tells whose key the signature is to be checked with.
        account = accounts.find(_read_issuer(token.strip()))
        if account is None:
            raise MhapiHttpError(UNAUTHENTICATED, "the access key is unknown")
        claims = _verify_claims(token.strip(), account.secret_key)
    except jwt.InvalidTokenError as err:
        raise MhapiHttpError(UNAUTHENTICATED, f"the token is not valid: {err}") from err
    _check_times(claims, now, switches)
    return account


def _read_issuer(token: str) -> str:
    issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    return issuer if isinstance(issuer, str) else ""


def _verify_claims(token: str, secret_key: str) -> dict[str, Any]:
    # The times are compared with the emulator's clock, which PyJWT does not know.
    unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    options: Any = {**unchecked, "verify_sub": False, "verify_jti": False, "require": ["exp", "iss"]}
    return jwt.decode(token, secret_key, algorithms=["HS256"], options=options)


def _check_times(claims: dict[str, Any], now: float, switches: MhapiSwitches) -> None:
    expires, begins = claims["exp"], claims.get("nbf", 0)
    # NaN would be neither over nor yet to come.
    if not is_finite_number(expires) or not is_finite_number(begins):
        raise MhapiHttpError(UNAUTHENTICATED, "exp and nbf are Unix seconds")
    if expires <= now:
        raise MhapiHttpError(UNAUTHENTICATED, "the token has expired")
    if begins > now + switches.nbf_leeway_s:
        raise MhapiHttpError(UNAUTHENTICATED, "the token is not valid yet")
    if switches.max_token_s is not None and expires - now > switches.max_token_s:
        raise MhapiHttpError(UNAUTHENTICATED, "the token is valid for too long")
