"""Services that repeat our keys, in whatever dress, and settings with keys where none belong."""

from __future__ import annotations

import base64
import html
import json
import quopri
import time
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.images.bucket import Bucket, BucketAccess
from atelier_mcp.server.providers.redaction import Redactor
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.attack_tally import AttackTally

SECRETS = ("sk-Abc+def/ghi=0123456789xyz", "two  words and more", "schl\u00fcssel-123456", "123456", "A1b2C3d4E5f6G7h8")


def list_dresses(secret: str) -> Iterator[str]:
    """Ways in which a service repeats a key."""
    yield from (secret, secret.upper(), secret.lower(), secret.swapcase(), " ".join(secret.split()))
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe="")))
    yield from (
        "".join(f"%{byte:02x}" for byte in secret.encode()),
        secret.encode().hex(),
        secret.encode().hex().upper(),
    )
    yield from list_escapes(secret)
    yield from (secret[:5] + "\r\n " + secret[5:], "\u200b".join(secret), "\t".join(secret))
    for around in (b"", b"u", b"user:", b"key=", b"\xff\xfe"):
        whole = around + secret.encode() + around
        yield from (base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode())
        yield base64.encodebytes(whole * 4).decode()


def list_escapes(secret: str) -> Iterator[str]:
    """As texts of programs, pages and mail have it, each character for itself; and packed more than once."""
    data = secret.encode()
    for form in ("\\u{:04x}", "%u{:04X}", "&#{};", "&#x{:x};", "&amp;#x{:04X};"):
        yield "".join(form.format(ord(character)) for character in secret)
        yield "".join(form.format(ord(c)) if at % 2 else c for at, c in enumerate(secret))
    yield from ("".join(f"\\x{byte:02x}" for byte in data), quopri.encodestring(data).decode(), html.escape(secret))
    yield from (data.hex(" "), data.hex(":"), data.hex("-").upper(), " ".join(f"0x{byte:02x}" for byte in data))
    yield from (json.dumps(secret)[1:-1], secret.replace("/", "\\/"), unicodedata.normalize("NFD", secret))
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in secret)
    packed = base64.b64encode(data).decode()
    yield from (base64.b64encode(packed.encode()).decode(), base64.b32encode(data).decode(), quote(packed, safe=""))
    yield "".join(f"%{ord(character):02x}" for character in packed)
    for encoding in ("utf-16-le", "utf-16-be"):
        yield from (secret.encode(encoding).hex(), base64.b64encode(secret.encode(encoding)).decode())


def unwrap(text: str) -> str:
    """What can be read out of a text by whoever looks for it."""
    return "".join(text.split()).lower()


def test_no_key_is_shown_however_a_service_repeats_it(tally: AttackTally) -> None:
    """In the middle of a sentence, and cut off where the sentence is."""
    for secret in SECRETS:
        redactor = Redactor((secret,))
        for dress in list_dresses(secret):
            for text in (
                dress,
                f"bad key '{dress}' in request",
                f"https://api.example/v1/{dress}/x",
                dress + "x" * 500,
            ):
                shown = unwrap(redactor.clean(text))
                whole = unwrap(dress.replace("\u200b", ""))
                tally.record(f"{secret} as {dress}: {shown}", got_through=whole[2:-2] in shown)


@pytest.mark.parametrize("text", ["\\", "%25", " ", "&#", "0", "\\u", "a", "0,", "123456 "])
def test_a_long_text_is_looked_through_in_no_time(text: str) -> None:
    """What a service says is read on the way to every other answer."""
    redactor = Redactor(SECRETS)
    began_s = time.perf_counter()
    assert len(redactor.clean(text * (100_000 // len(text)))) <= 200
    assert time.perf_counter() - began_s < 1


def test_what_is_no_key_is_shown() -> None:
    """Or every message would be struck out."""
    text = "The model artist_v0.4.0 knows no size 123457x99; allowed: 512 to 1024"
    assert Redactor(SECRETS).clean(text) == text


@pytest.mark.parametrize("value", ["987654321", "98765.4321", "true", "[987654321]", '["987654321"]', "1987-06-05"])
@pytest.mark.parametrize(
    "name", ["MHAPI_SECRET_KEY", "SENSENOVA_API_KEY", "ATELIER_HTTP_TOKEN", "AWS_SECRET_ACCESS_KEY"]
)
def test_a_key_that_is_no_text_is_not_repeated(name: str, value: str, tmp_path: Path) -> None:
    """In a file a key of digits is easily written without its quotes."""
    file = tmp_path / "atelier.toml"
    file.write_text(f"{name} = {value}\n")
    with pytest.raises(ConfigurationError, match=name) as refused:
        load_settings({"ATELIER_CONFIG": str(file)})
    shown = f"{refused.value} {refused.value.__cause__}"
    assert "98765" not in shown
    assert "1987" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAKEY:sEcret@bucket/x",
        "s3://sEcret@bucket",
        "https://k:sEcret@s3.example/b",
        "s3://b?key=sEcret",
        "s3://[sEcret",
    ],
)
def test_a_key_in_the_address_of_a_bucket_goes_into_no_answer(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ATELIER_BUCKET_URL") as refused:
        Bucket(BucketAccess(url))
    assert "sEcret" not in str(refused.value)
