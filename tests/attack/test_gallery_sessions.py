"""What may be tried with the gallery's cookie: forge it, keep it, swap it, have a browser send it for another page."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from cryptography.fernet import Fernet

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.images.hosting import load_signing_keys
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from atelier_mcp.server.web.gallery.session_cookies import LIFETIME_S, SessionCookies
from atelier_mcp.server.web.token_file import TokenFile
from tests.attack.test_gallery_requests import (
    CHANGES,
    EVENTS,
    FOREIGN_PAGES,
    OWN,
    PAGE,
    READS,
    encode_png,
    fill,
    import_image,
)
from tests.support.asgi_lifespan import start_app
from tests.support.clock import AutoAdvanceClock
from tests.support.http_service import build_call, serve_http
from tests.support.oauth_issuer import serve_issuer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from atelier_mcp.server.clock import Clock
    from tests.support.attack_tally import AttackTally

LOGIN: Final = "/gallery/login"
LOGOUT: Final = "/gallery/logout"
SESSION: Final = "/gallery/session"
KEYS: Final = ("the newest key of all: with it this server signs", "an older key that opens what it signed for a while")
STRANGE_KEY: Final = "a key that this server has never heard of"
BOUND_S: Final = 20
RESOURCE: Final = "https://pictures.example.org/mcp"
TLS_PAGE: Final = {"origin": OWN.replace("http:", "https:"), "sec-fetch-site": "same-origin"}
"""A page behind a proxy that ends TLS, as the browser marks it."""


@dataclass
class People:
    """A running server, and the tokens of two people on it."""

    home: Path
    client: httpx2.AsyncClient
    tokens: TokenFile
    alice: str
    bob: str


@asynccontextmanager
async def start_people(home: Path, **environ: str) -> AsyncGenerator[People]:
    """A server with a token for Alice and one for Bob."""
    tokens = TokenFile(home)
    alice, bob = (tokens.add(name, ["atelier:create"], now=datetime.now(UTC)) for name in ("alice", "bob"))
    settings = load_settings({"ATELIER_HOME": str(home), "ATELIER_SIGNING_KEYS": ",".join(KEYS), **environ})
    app = create_web_app(settings, host="127.0.0.1")
    async with start_app(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=OWN) as client:
        yield People(home, client, tokens, alice, bob)


@pytest.fixture
async def people(tmp_path: Path) -> AsyncGenerator[People]:
    """The server that is attacked."""
    async with start_people(tmp_path / "home") as running:
        yield running


async def log_in(people: People, token: str, **headers: str) -> httpx2.Response:
    """What the page's login is answered."""
    return await people.client.post(LOGIN, json={"token": token}, headers=PAGE | headers)


async def get_cookie(people: People, token: str, **headers: str) -> tuple[str, str]:
    """Name and value of the cookie that a token is given; the client itself forgets it."""
    response = await log_in(people, token, **headers)
    assert response.status_code == 200, response.text
    people.client.cookies.clear()
    name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
    return name, value


def build_headers(name: str, value: str) -> httpx2.Headers:
    """Of a request from the gallery's own page with that cookie, whatever is in it."""
    return httpx2.Headers({**PAGE, "cookie": f"{name}={value}"}, encoding="latin-1")


async def get_status(people: People, name: str, value: str, path: str = "/gallery/index") -> int:
    """How a request with that cookie is answered."""
    # Events of somebody who is let in would have no end.
    async with asyncio.timeout(BOUND_S):
        response = await people.client.get(path, headers=build_headers(name, value))
    return response.status_code


def create_cookies(*keys: str, clock: Clock | None = None) -> SessionCookies:
    """What a server with these signing keys makes cookies with."""
    return SessionCookies(load_signing_keys(None, ",".join(keys)), clock or SystemClock())  # pyright: ignore[reportArgumentType]  # no folder


def build_value(cookies: SessionCookies, token: str, *, is_secure: bool = False) -> str:
    """The value of a cookie for that token."""
    header = cookies.build(token, is_secure=is_secure)
    assert header is not None
    return header.partition(";")[0].partition("=")[2]


async def test_no_cookie_but_one_of_ours_lets_anybody_in(people: People, tally: AttackTally) -> None:
    name, good = await get_cookie(people, people.alice)
    _, other = await get_cookie(people, people.bob)
    assert await get_status(people, name, good) == 200
    middle = len(good) // 2
    foreign = Fernet(base64.urlsafe_b64encode(b"0" * 32)).encrypt(f"{name}\n{people.alice}".encode()).decode()
    forged = {
        "nothing": "",
        "the token itself": people.alice,
        "a name": "alice",
        "the hash that the file keeps": people.tokens.list_tokens()[0].digest,
        "cut off": good[:-1],
        "longer": good + "A",
        "half of another's": good[:middle] + other[middle:],
        "the signature of another's": good[:-43] + other[-43:],
        "sealed with a key of one's own": foreign,
        "sealed with another server's key": build_value(create_cookies(STRANGE_KEY), people.alice),
        "a link's signature key": Fernet(base64.urlsafe_b64encode(load_signing_keys(people.home, KEYS[0])[0]))
        .encrypt(f"{name}\n{people.alice}".encode())
        .decode(),
        "for TLS alone": build_value(create_cookies(*KEYS), people.alice, is_secure=True),
        "very long": "gAAAAA" + "A" * 100_000,
        "no ASCII": "gAAAAA\u00e9\u00ff",
        "a token of nobody": build_value(create_cookies(*KEYS), "atl_nobody"),
        "no token": build_value(create_cookies(*KEYS), ""),
    }
    for what, value in forged.items():
        for path in ("/gallery/index", "/gallery/pictures/img_aaaaaaaaaaaaaaaa", EVENTS):
            status = await get_status(people, name, value, path)
            tally.record(f"{what} at {path}: {status}", got_through=status != 401)
        session = await people.client.get(SESSION, headers=build_headers(name, value))
        tally.record(f"{what}: {session.text}", got_through=session.json()["is_open"])


async def test_every_character_of_a_cookie_counts(people: People, tally: AttackTally) -> None:
    name, good = await get_cookie(people, people.alice)
    for index in range(len(good)):
        letter = "A" if good[index] != "A" else "B"
        status = await get_status(people, name, good[:index] + letter + good[index + 1 :])
        tally.record(f"character {index}: {status}", got_through=status != 401)


@pytest.mark.parametrize(("age_s", "status"), [(0, 200), (LIFETIME_S - 60, 200), (LIFETIME_S + 60, 401), (-3600, 401)])
async def test_a_cookie_runs_out(people: People, age_s: float, status: int) -> None:
    """Whatever the browser still keeps; nor is one good that was made in the future."""
    clock = AutoAdvanceClock(datetime.now(UTC) - timedelta(seconds=age_s))
    value = build_value(create_cookies(*KEYS, clock=clock), people.alice)
    assert await get_status(people, "atelier", value) == status


async def test_any_key_of_the_ring_opens_and_one_taken_out_does_not(tmp_path: Path) -> None:
    """So that keys can be changed while people are signed in."""
    async with start_people(tmp_path / "home") as people:
        by_second = build_value(create_cookies(KEYS[1]), people.alice)
        assert await get_status(people, "atelier", by_second) == 200
        name, value = await get_cookie(people, people.alice)
    assert create_cookies(KEYS[0]).find_token({name: value}) == people.alice
    assert not create_cookies(KEYS[1]).find_token({name: value})


async def test_a_token_that_is_revoked_or_replaced_signs_out_at_once(people: People) -> None:
    cookies = [await get_cookie(people, token) for token in (people.alice, people.bob)]
    assert [await get_status(people, *cookie) for cookie in cookies] == [200, 200]
    people.tokens.revoke("alice")
    people.tokens.add("bob", ["atelier:create"], now=datetime.now(UTC), replaces=True)
    assert [await get_status(people, *cookie) for cookie in cookies] == [401, 401]
    # Nor does a new token of the name revive the old cookie.
    people.tokens.add("alice", ["atelier:admin"], now=datetime.now(UTC))
    assert [await get_status(people, *cookie) for cookie in cookies] == [401, 401]


async def test_what_is_open_ends_with_the_token(tmp_path: Path) -> None:
    """A page that only looks on asks for nothing, and would be told for ever."""
    home = tmp_path / "home"
    token = TokenFile(home).add("alice", ["atelier:read"], now=datetime.now(UTC))
    async with (
        serve_http({"ATELIER_HOME": str(home)}) as address,
        httpx2.AsyncClient(base_url=address, timeout=20) as client,
    ):
        await client.post(LOGIN, json={"token": token}, headers={"origin": address})
        async with client.stream("GET", EVENTS) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: work"
            TokenFile(home).revoke("alice")
            async with asyncio.timeout(10):
                assert not [line async for line in lines if line.startswith("event")]


async def test_a_cookie_shows_its_own_pictures_alone(people: People) -> None:
    """Another's is not there, to look at or to delete; two cookies at once are one of them."""
    alice, bob = [await get_cookie(people, token) for token in (people.alice, people.bob)]
    people.client.cookies.set(*alice)
    handle = await import_image(people.client, encode_png((300, 300)))
    people.client.cookies.clear()
    paths = [path.format(handle=handle) for path in READS if "{handle}" in path]
    assert [await get_status(people, *alice, path) for path in paths] == [200] * 3
    assert [await get_status(people, *bob, path) for path in paths] == [404] * 3
    bobs = {**PAGE, "cookie": "=".join(bob)}
    assert (await people.client.post("/gallery/delete", json={"handle": handle}, headers=bobs)).status_code == 404
    assert handle not in (await people.client.get("/gallery/index", headers=bobs)).text
    # A header stands above what a browser sends by itself.
    both = {**bobs, "authorization": f"Bearer {people.alice}"}
    assert handle in (await people.client.get("/gallery/index", headers=both)).text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/nothing"])
async def test_the_cookie_opens_no_other_door(people: People, path: str, method: str) -> None:
    """A browser sends it by itself; what it reaches must not be a tool that pays."""
    name, value = await get_cookie(people, people.alice)
    headers = [*PAGE.items(), ("cookie", f"{name}={value}"), ("accept", "application/json, text/event-stream")]
    response = await people.client.request(method, path, json=build_call("list_jobs"), headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize("page", FOREIGN_PAGES)
@pytest.mark.parametrize("path", [*CHANGES, LOGIN, LOGOUT])
async def test_no_other_page_acts_by_the_cookie(people: People, path: str, page: str) -> None:
    """Nor signs anybody in as somebody else, nor out: a browser that sends the cookie to a foreign page's request."""
    name, value = await get_cookie(people, people.alice)
    headers = {**FOREIGN_PAGES[page], "cookie": f"{name}={value}"}
    body = fill(CHANGES.get(path, {"token": people.bob}), "img_aaaaaaaaaaaaaaaa")
    response = await people.client.post(path, json=body, headers=headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", [LOGIN, LOGOUT])
async def test_a_form_signs_nobody_in_or_out(people: People, path: str, media_type: str) -> None:
    body = json.dumps({"token": people.alice})
    response = await people.client.post(path, content=body, headers={**PAGE, "content-type": media_type})
    assert (response.status_code, "set-cookie" in response.headers) == (415, False)


@pytest.mark.parametrize("path", [LOGIN, LOGOUT])
async def test_a_link_signs_nobody_in_or_out(people: People, path: str) -> None:
    response = await people.client.get(path, headers=PAGE, params={"token": people.alice})
    assert (response.status_code, "set-cookie" in response.headers) == (405, False)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", [*READS, EVENTS, SESSION])
async def test_no_other_page_reads_by_the_cookie(people: People, path: str, site: str) -> None:
    name, value = await get_cookie(people, people.alice)
    headers = {"sec-fetch-site": site, "cookie": f"{name}={value}"}
    response = await people.client.get(path.format(handle="img_aaaaaaaaaaaaaaaa"), headers=headers)
    assert response.status_code == 403


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_connections(people: People) -> None:
    """By a name that a neighbouring host cannot set, where there is TLS."""
    plain = (await log_in(people, people.alice)).headers["set-cookie"]
    secure = (await log_in(people, people.alice, **TLS_PAGE)).headers["set-cookie"]
    for cookie in (plain, secure):
        assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LIFETIME_S}"} <= {*cookie.split("; ")[1:]}
        assert people.alice not in cookie
        assert "alice" not in cookie
    assert (plain.startswith("atelier="), "Secure" in plain) == (True, False)
    assert (secure.startswith("__Host-atelier="), secure.endswith("; Secure")) == (True, True)


async def test_a_cookie_from_a_neighbouring_host_does_not_get_in_front(people: People) -> None:
    """It can set one under the plain name, for the whole domain."""
    people.client.cookies.clear()
    _, secure = await get_cookie(people, people.alice, **TLS_PAGE)
    _, tossed = await get_cookie(people, people.bob)
    headers = [*PAGE.items(), ("cookie", f"atelier={tossed}; __Host-atelier={secure}; atelier={tossed}")]
    people.client.headers["origin"] = OWN
    answer = await people.client.post("/gallery/call", json={"tool": "list_jobs", "arguments": {}}, headers=headers)
    assert answer.status_code == 200
    people.tokens.revoke("bob")
    assert (await people.client.get("/gallery/index", headers=headers)).status_code == 200
    # And one that was made without TLS is none where TLS is.
    assert await get_status(people, "__Host-atelier", tossed) == 401


async def test_a_wrong_token_costs_a_second_and_says_nothing_of_others(people: People) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    wrong = ["atl_wrong", "", people.alice[:-1], people.alice + "x"]
    answers = await asyncio.gather(*(log_in(people, token) for token in wrong))
    assert loop.time() - started_s > 0.9
    assert {(answer.status_code, "set-cookie" in answer.headers) for answer in answers} == {(401, False)}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 30_000,
        b'{"token": null}',
        b'{"token": ["x"]}',
        b'{"token": "\\ud83d"}',
        b'{"token": "a\\r\\nset-cookie: x=y"}',
    ],
)
async def test_a_body_that_is_no_login_is_refused(people: People, body: bytes) -> None:
    headers = {**PAGE, "content-type": "application/json"}
    response = await people.client.post(LOGIN, content=body, headers=headers)
    assert (response.status_code, "set-cookie" in response.headers) == (401, False)


@pytest.mark.parametrize("path", [LOGIN, LOGOUT, "/", SESSION])
async def test_who_has_no_token_sends_little(people: People, path: str) -> None:
    """What is read before anybody is known is bounded; a picture is for those who are let in."""
    headers = {**PAGE, "content-type": "application/json"}
    response = await people.client.post(path, content=b" " * 100_000, headers=headers)
    assert response.status_code == 413


async def test_signing_out_takes_the_cookie_and_what_the_browser_kept(people: People) -> None:
    await log_in(people, people.alice)
    response = await people.client.post(LOGOUT, json={}, headers=PAGE)
    removed = response.headers.get_list("set-cookie")
    assert all("Max-Age=0" in cookie for cookie in removed)
    assert {cookie.partition("=")[0] for cookie in removed} == {"atelier", "__Host-atelier"}
    assert '"cache"' in response.headers["clear-site-data"]
    assert (await people.client.get("/gallery/index", headers=PAGE)).status_code == 401


async def test_a_picture_is_kept_for_the_session_that_read_it(people: People) -> None:
    """Else the browser would show it from its cache to whoever comes next."""
    people.client.cookies.set(*await get_cookie(people, people.alice))
    handle = await import_image(people.client, encode_png((300, 300)))
    for part in ("files", "thumbnails"):
        assert (await people.client.get(f"/gallery/{part}/{handle}", headers=PAGE)).headers["vary"] == "Cookie"


async def test_a_token_that_is_not_good_for_looking_is_told_so(people: People) -> None:
    token = people.tokens.add("carol", [], now=datetime.now(UTC))
    response = await log_in(people, token)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


async def test_while_the_tokens_cannot_be_read_nobody_is_let_in(people: People) -> None:
    cookie = await get_cookie(people, people.alice)
    people.tokens.path.write_text("{", "utf-8")
    assert await get_status(people, *cookie) == 503
    assert (await log_in(people, people.alice)).status_code == 503


async def test_without_tokens_there_is_no_login(tmp_path: Path) -> None:
    """On loopback, where nobody has set any: whoever uses this machine."""
    app = create_web_app(load_settings({"ATELIER_HOME": str(tmp_path)}), host="127.0.0.1")
    async with start_app(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=OWN) as client:
        assert (await client.get(SESSION, headers=PAGE)).json() == {"is_open": True, "can_leave": False}
        response = await client.post(LOGIN, json={"token": "anything"}, headers=PAGE)
        assert (response.status_code, "set-cookie" in response.headers) == (200, False)
        TokenFile(tmp_path).add("alice", ["atelier:read"], now=datetime.now(UTC))
        assert (await client.get(SESSION, headers=PAGE)).json() == {"is_open": False, "can_leave": False}


async def test_the_operators_token_opens_all(tmp_path: Path) -> None:
    """Also one beyond ASCII, which a header could carry in two ways."""
    secret = "schl\u00fcssel-\u753b\u5eca-f\u00fcr-das-atelier"
    async with start_people(tmp_path / "home", ATELIER_HTTP_TOKEN=secret) as people:
        cookie = await get_cookie(people, secret)
        assert await get_status(people, *cookie) == 200
        assert (await log_in(people, secret.encode("latin-1", "replace").decode("latin-1"))).status_code == 401


async def test_a_token_of_an_issuer_opens_while_it_is_good(tmp_path: Path) -> None:
    """Its key withdrawn, the session is over; one too long for a cookie is refused in words."""
    async with serve_issuer() as issuer:
        environ = {"ATELIER_OAUTH_ISSUER": issuer.url, "ATELIER_PUBLIC_URL": RESOURCE.removesuffix("/mcp")}
        async with start_people(tmp_path / "home", **environ) as people:
            cookie = await get_cookie(people, issuer.sign(RESOURCE))
            assert await get_status(people, *cookie) == 200
            assert (await log_in(people, issuer.sign("https://other.example/mcp"))).status_code == 401
            too_long = await log_in(people, issuer.sign(RESOURCE, note="x" * 4000))
            assert (too_long.status_code, "too long" in too_long.text) == (400, True)
            soon = build_value(create_cookies(*KEYS), issuer.sign(RESOURCE, exp=1))
            assert await get_status(people, "atelier", soon) == 401


async def test_a_session_says_nothing_of_whose_it_is(people: People) -> None:
    """To the page it is open or not; who asks for less learns less."""
    for token in (people.alice, people.bob):
        headers = build_headers(*await get_cookie(people, token))
        document: dict[str, Any] = (await people.client.get(SESSION, headers=headers)).json()
        assert document == {"is_open": True, "can_leave": True}
