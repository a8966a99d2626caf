"""Outbound HTTP to addresses that somebody else chose: never to our own network.

A name is resolved once, every address is checked, and the connection goes to an address that was
checked, with the name kept for TLS and Host: nothing can change in between (DNS rebinding).
money-and-faults.md section 6 lists the rules.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from urllib.parse import quote, urlsplit

from common.boundary import assert_no_session
from common.gateways.addresses import is_public
from common.gateways.errors import GatewayError

CONNECT_TIMEOUT_S, RESOLVE_TIMEOUT_S = 3.0, 3.0
READ_TIMEOUT_S = 15.0
MAX_URL_CHARACTERS = 8_192
_PORTS = {443, 8443}
_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_CHUNK = 64 * 1024

Resolve = Callable[[str, int], list[str]]


class OutboundError(GatewayError):
    """The content was not had. `passing`: it may be had a little later."""

    passing = False


class ForbiddenTarget(OutboundError):
    """The URL is none that we follow."""


class NoSuchHost(OutboundError):
    """The name stands for nothing."""


class TooLarge(OutboundError):
    """The content is larger than asked for."""


class BadAnswer(OutboundError):
    """The server answered something other than the content."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"HTTP {status} {reason}".strip())
        self.passing = status >= 500 or status == 429


class NoAnswer(OutboundError):
    """Nothing, or not everything, came within the time."""

    passing = True


@dataclass(frozen=True)
class Fetched:
    """What a URL held; the content type is what its server claims."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class Answered:
    """What a server said to what it was sent; `retry_after` in seconds, if it said so."""

    status: int
    retry_after: int | None


@dataclass(frozen=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str
    trusted: bool


class Outbound:
    """Fetches from strangers.

    trusted_origins (scheme://host:port) are exempt from the address and https rules: only a local
    platform has any. resolve and tls replace the system's name service and root certificates.
    """

    def __init__(
        self,
        trusted_origins: Collection[str] = (),
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = {_origin(origin) for origin in trusted_origins}
        self._resolve = resolve or _addresses
        self._given_tls = tls

    def fetch(self, url: str, *, max_bytes: int, timeout_s: float) -> Fetched:
        """GET, without redirects, cookies, credentials or compression.

        timeout_s bounds the whole exchange. Raises ForbiddenTarget, TooLarge, BadAnswer, NoAnswer;
        no message holds the URL, whose query may be a credential.
        """
        assert_no_session()
        target = self._target(url)
        with self._exchange(target, timeout_s) as connection:
            return _get(connection, target, max_bytes=max_bytes)

    def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> Answered:
        """POST under the same rules; of the answer only the status and Retry-After are read.

        A redirect is an answer like any other and is not followed. Raises ForbiddenTarget or
        NoAnswer.
        """
        assert_no_session()
        target = self._target(url)
        with self._exchange(target, timeout_s) as connection:
            sent = {"User-Agent": "Tarsify", "Connection": "close", **headers}
            connection.request("POST", target.path, body=body, headers=sent)
            answer = connection.getresponse()
            return Answered(answer.status, _seconds(answer.headers.get("Retry-After")))

    def check(self, url: str) -> None:
        """Whether the URL may be followed, by what its name stands for now.

        Raises ForbiddenTarget, NoSuchHost, or NoAnswer where nobody could say in time.
        """
        assert_no_session()
        target = self._target(url)
        try:
            self._checked(target)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise NoAnswer("the name was not resolved") from None
            raise NoSuchHost("there is no such host") from None
        except (OSError, ValueError):
            raise NoSuchHost("there is no such host") from None

    @contextmanager
    def _exchange(self, target: _Target, timeout_s: float) -> Iterator["_PinnedConnection"]:
        """A connection for one request and its answer, within the time."""
        started = time.monotonic()
        try:
            connection = self._connected(target)
            with _bounded(connection, timeout_s - (time.monotonic() - started)):
                connection.secure()
                yield connection
        except ssl.SSLCertVerificationError:
            raise ForbiddenTarget("not the server that it claims to be") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(type(error).__name__) from None

    def _target(self, url: str) -> _Target:
        try:
            parts = urlsplit(url)
            scheme, port = parts.scheme, parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:
            raise ForbiddenTarget("not a URL") from None
        trusted = (scheme, host, port) in self._trusted
        if len(url) > MAX_URL_CHARACTERS or not _HOST.fullmatch(host):
            raise ForbiddenTarget("not a URL")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenTarget("credentials in the URL")
        if not trusted and (scheme != "https" or port not in _PORTS):
            raise ForbiddenTarget("only https, on port 443 or 8443")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        if parts.query:
            path += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~[]")
        return _Target(scheme, host, port, path, trusted)

    def _connected(self, target: _Target) -> "_PinnedConnection":
        """A connection to a checked address."""
        for address in self._checked(target)[:4]:
            connection = _PinnedConnection(target, address, self._tls)
            with suppress(OSError):
                connection.connect()
                return connection
        raise NoAnswer("no connection")

    def _checked(self, target: _Target) -> list[str]:
        """The addresses behind a name. One bad address condemns the name."""
        addresses = self._resolve(target.host, target.port)
        if not target.trusted and not all(is_public(address) for address in addresses):
            raise ForbiddenTarget("not a public address")
        return addresses

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        if self._given_tls:
            return self._given_tls
        import certifi

        return ssl.create_default_context(cafile=certifi.where())


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to one given address while speaking, and proving, the target's name."""

    def __init__(self, target: _Target, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port)
        self._address = (address, target.port)
        self._tls = tls if target.scheme == "https" else None
        if target.port == _DEFAULT_PORTS[target.scheme]:
            self.default_port = target.port  # keeps the port out of Host, as browsers do

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, CONNECT_TIMEOUT_S)
        self.sock.settimeout(READ_TIMEOUT_S)

    def secure(self) -> None:
        """The TLS handshake, apart from connecting so that the overall time bounds it too."""
        if self._tls:
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()


@contextmanager
def _bounded(connection: _PinnedConnection, seconds: float) -> Iterator[None]:
    """Cuts the connection when the time is over: a socket's own timeout bounds each read only.

    What a cut leaves can look complete, so it is never taken for the answer.
    """
    over = threading.Event()

    def cut() -> None:
        over.set()
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
        if over.is_set():
            raise NoAnswer("too slow")
    finally:
        timer.cancel()
        connection.close()


def _get(connection: _PinnedConnection, target: _Target, *, max_bytes: int) -> Fetched:
    headers = {"Accept-Encoding": "identity", "User-Agent": "Tarsify", "Connection": "close"}
    connection.request("GET", target.path, headers=headers)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise BadAnswer(answer.status)
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise BadAnswer(answer.status, "compressed")
    return Fetched(_content(answer, max_bytes=max_bytes), answer.headers.get("Content-Type", ""))


def _content(answer: http.client.HTTPResponse, *, max_bytes: int) -> bytes:
    promised = answer.length
    if promised is not None and promised > max_bytes:
        raise TooLarge(f"{promised} bytes")
    content = bytearray()
    while chunk := answer.read1(_CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise TooLarge(f"more than {max_bytes} bytes")
    if promised is not None and len(content) != promised:
        raise NoAnswer("cut short")
    return bytes(content)


def _addresses(host: str, port: int) -> list[str]:
    """What the system's name service says, if it says so in time: a stranger's may never answer,
    and the system has no limit of its own for it. Raises NoAnswer."""
    asked = _resolvers().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = asked.result(RESOLVE_TIMEOUT_S)
    except TimeoutError:
        asked.cancel()
        raise NoAnswer("the name was not resolved in time") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def _resolvers() -> ThreadPoolExecutor:
    """Few, so that names without an answer keep no request waiting for longer than its time. Made
    on first use, after the fork."""
    return ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve")


def _origin(origin: str) -> tuple[str, str, int]:
    parts = urlsplit(origin)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def _seconds(retry_after: str | None) -> int | None:
    """The header in seconds; a date in it is not read."""
    told = (retry_after or "").strip()
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 8 else None
