"""Fetching from strangers: only public https, only what was asked for, only in time."""

import datetime as dt
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.boundary import session_open
from common.gateways.outbound import (
    BadAnswer,
    ForbiddenTarget,
    NoAnswer,
    Outbound,
    OutboundError,
    TooLarge,
)
from tests.gateways.origin import Origin, reply

PUBLIC = "93.184.216.34"


def fetch(outbound: Outbound, url: str, *, max_bytes: int = 1000, timeout_s: float = 5) -> bytes:
    return outbound.fetch(url, max_bytes=max_bytes, timeout_s=timeout_s).content


@pytest.fixture
def local(origin: Origin) -> Outbound:
    """An outbound for a platform on this machine, which trusts the test's own server."""
    return Outbound([origin.url])


def test_content_and_its_claimed_type_are_fetched(origin: Origin, local: Outbound) -> None:
    origin.always(b"pixels", Content_Type="image/png")
    fetched = local.fetch(f"{origin.url}/a%20b?x=1&sig=a%2Fb", max_bytes=6, timeout_s=5)
    assert (fetched.content, fetched.content_type) == (b"pixels", "image/png")
    (seen,) = origin.seen
    assert seen.path == "/a%20b?x=1&sig=a%2Fb"
    assert seen.headers["host"] == f"127.0.0.1:{origin.port}"
    assert seen.headers["accept-encoding"] == "identity"
    assert "authorization" not in seen.headers
    assert "cookie" not in seen.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "https://example.com:22/a.png",
        "https://user:password@example.com/",
        "https://@example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///path",
        "https://",
        "//example.com/",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://a..b/",
        "https://example.com/" + "a" * 9000,
        "",
    ],
)
def test_urls_of_another_kind_are_never_resolved(url: str) -> None:
    resolved: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        resolved.append(host)
        return [PUBLIC]

    with pytest.raises(ForbiddenTarget):
        fetch(Outbound(resolve=resolve), url)
    assert resolved == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], [PUBLIC, "10.0.0.1"], ["::ffff:127.0.0.1"], ["nonsense"]],
)
def test_a_name_with_any_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    outbound = Outbound(resolve=lambda *_: addresses)
    with pytest.raises(ForbiddenTarget):
        fetch(outbound, "https://rebinding.example/")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_no_spelling_of_this_machine_gets_through_the_real_resolver(
    host: str, origin: Origin
) -> None:
    """A system that does not know a spelling finds nothing; what is found must be refused."""
    try:
        socket.getaddrinfo(host.strip("[]"), 8443)
        known = True
    except OSError:
        known = False
    with pytest.raises(ForbiddenTarget if known else (ForbiddenTarget, NoAnswer)):
        fetch(Outbound(), f"https://{host}:8443/")
    assert known or host not in {"localhost", "127.0.0.1", "[::1]"}
    with pytest.raises(ForbiddenTarget):
        fetch(Outbound(["http://127.0.0.1:1"]), f"http://{host}:{origin.port}/")
    assert origin.seen == []


def test_the_name_is_resolved_once_and_the_checked_address_is_used(origin: Origin) -> None:
    answers = iter([["127.0.0.1"]])
    trusted = f"http://media.example:{origin.port}"
    origin.always(b"ok")
    outbound = Outbound([trusted], resolve=lambda *_: next(answers))
    assert fetch(outbound, f"{trusted}/x") == b"ok"
    assert origin.seen[0].headers["host"] == f"media.example:{origin.port}"


def test_a_trusted_origin_is_this_scheme_host_and_port_only(origin: Origin) -> None:
    outbound = Outbound([f"http://127.0.0.1:{origin.port}"])
    for url in (f"https://127.0.0.1:{origin.port}/", "http://127.0.0.1:1/"):
        with pytest.raises(ForbiddenTarget):
            fetch(outbound, url)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 204, 206, 403, 404, 500])
def test_only_200_is_content_and_redirects_are_not_followed(
    origin: Origin, local: Outbound, status: int
) -> None:
    origin.always(b"", status=status, Location=f"{origin.url}/elsewhere")
    with pytest.raises(BadAnswer) as refused:
        fetch(local, f"{origin.url}/")
    assert len(origin.seen) == 1
    assert refused.value.passing is (status == 500)


@pytest.mark.parametrize("announced", [True, False])
def test_too_much_content_is_refused_whether_announced_or_not(
    origin: Origin, local: Outbound, announced: bool
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        handler.wfile.write(b"x" * 5000)
        handler.close_connection = True

    origin.answer = answer
    with pytest.raises(TooLarge):
        fetch(local, f"{origin.url}/", max_bytes=1000)


def test_compressed_content_is_refused_since_it_may_be_a_bomb(
    origin: Origin, local: Outbound
) -> None:
    origin.always(b"\x1f\x8b", Content_Encoding="gzip")
    with pytest.raises(BadAnswer):
        fetch(local, f"{origin.url}/")


def test_content_that_is_cut_short_is_no_answer(origin: Origin, local: Outbound) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, b"half", Content_Length="8")
        handler.close_connection = True

    origin.answer = answer
    with pytest.raises(NoAnswer):
        fetch(local, f"{origin.url}/")


def test_chunked_content_is_read(origin: Origin, local: Outbound) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    origin.answer = answer
    assert fetch(local, f"{origin.url}/") == b"abcde"


@pytest.mark.parametrize("part", ["headers", "content"])
def test_a_server_that_drips_is_cut_off_when_the_time_is_over(
    origin: Origin, local: Outbound, part: str
) -> None:
    stop = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        if part == "content":
            handler.wfile.write(b"Content-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            handler.wfile.write(b"x")

    origin.answer = answer
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        fetch(local, f"{origin.url}/", timeout_s=0.3)
    stop.set()
    assert time.monotonic() - started < 2


def test_a_refused_connection_and_an_unknown_name_are_no_answer() -> None:
    trusted = "http://127.0.0.1:1"
    with pytest.raises(NoAnswer):
        fetch(Outbound([trusted]), f"{trusted}/")
    with pytest.raises(NoAnswer):
        fetch(Outbound(), "https://no-such-host.invalid/")


def test_no_failure_repeats_the_url_whose_query_may_be_a_credential(
    origin: Origin, local: Outbound
) -> None:
    origin.always(b"", status=403)
    for url in (f"{origin.url}/?X-Signature=hush", "http://example.com/?X-Signature=hush"):
        with pytest.raises(OutboundError) as failed:
            fetch(local, url)
        assert "hush" not in repr(failed.value)
        assert failed.value.__suppress_context__ or failed.value.__context__ is None


def test_nothing_is_fetched_while_a_database_session_is_open(
    origin: Origin, local: Outbound
) -> None:
    with session_open(), pytest.raises(RuntimeError, match="session"):
        fetch(local, f"{origin.url}/")


@pytest.fixture
def certified(origin: Origin, tmp_path: Path) -> tuple[Origin, ssl.SSLContext, list[str]]:
    """The server behind TLS as media.example, a client context that trusts it, the SNI it sees."""
    names: list[str] = []
    certificate = write_certificate(tmp_path, "media.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda _socket, name, _context: names.append(str(name))
    origin.secure(server)
    return origin, ssl.create_default_context(cafile=str(certificate)), names


def test_tls_names_and_proves_the_host_although_the_address_is_pinned(
    certified: tuple[Origin, ssl.SSLContext, list[str]],
) -> None:
    origin, tls, names = certified
    origin.always(b"ok")
    url = f"https://media.example:{origin.port}"
    assert fetch(Outbound([url], resolve=lambda *_: ["127.0.0.1"], tls=tls), url) == b"ok"
    assert names == ["media.example"]


def test_a_certificate_for_another_name_or_by_a_stranger_is_refused(
    certified: tuple[Origin, ssl.SSLContext, list[str]],
) -> None:
    origin, tls, _ = certified
    other, same = f"https://other.example:{origin.port}", f"https://media.example:{origin.port}"
    for outbound, url in (
        (Outbound([other], resolve=lambda *_: ["127.0.0.1"], tls=tls), other),
        (Outbound([same], resolve=lambda *_: ["127.0.0.1"]), same),
    ):
        with pytest.raises(ForbiddenTarget):
            fetch(outbound, url)
    assert origin.seen == []


def write_certificate(folder: Path, host: str) -> Path:
    """A self-signed certificate and its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
