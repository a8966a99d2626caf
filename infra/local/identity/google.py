"""www.googleapis.com for one path: the certificates that ID tokens are verified against.

firebase-admin has Google's address built in and offers no setting for it. Its HTTP client does
honour a proxy and a certificate bundle from the environment, so the stand-in is a proxy that ends
the TLS of `www.googleapis.com` with a throw-away authority. Everything from the verifier down to
TLS is then what runs in production.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.local.identity.mint import TokenMint
from infra.local.signing import SigningKey
from infra.local.threaded import in_thread

HOST = "127.0.0.1"
NAME = "www.googleapis.com"
CERTIFICATES = "/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"


@dataclass
class RunningGoogle:
    """The stand-in; `fetches` counts downloads of the certificates, `down` answers 503."""

    key: SigningKey
    authority: Path
    port: int = 0
    max_age: int = 3600
    down: bool = False
    fetches: int = 0
    _tls: ssl.SSLContext | None = field(default=None, repr=False)

    def environment(self) -> dict[str, str]:
        """What a process must have in its environment to take this for Google."""
        proxy = f"http://{HOST}:{self.port}"
        loopback = "127.0.0.1,localhost"
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": loopback,
            "no_proxy": loopback,
            "REQUESTS_CA_BUNDLE": str(self.authority),
        }

    def mint(self, project: str) -> TokenMint:
        """A mint whose tokens verify against the certificates served here."""
        return TokenMint(project, self.key)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: CONNECT, TLS, one GET."""
        try:
            opening = await reader.readuntil(b"\r\n\r\n")
            if not opening.startswith(f"CONNECT {NAME}:443 ".encode()):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            assert self._tls is not None
            await writer.start_tls(self._tls)
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(request.split(b" ")[1].decode()))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client went away; there is nobody to tell
        finally:
            writer.close()

    def _answer(self, path: str) -> bytes:
        status, body = "404 Not Found", b"{}"
        if path == CERTIFICATES:
            self.fetches += 1
            status, body = "200 OK", json.dumps(self.key.certificates()).encode()
        if self.down:
            status, body = "503 Service Unavailable", b"{}"
        lines = [
            f"HTTP/1.1 {status}",
            "Content-Type: application/json; charset=UTF-8",
            f"Content-Length: {len(body)}",
            f"Cache-Control: public, max-age={self.max_age}, must-revalidate",
            f"Date: {dt.datetime.now(dt.UTC):%a, %d %b %Y %H:%M:%S} GMT",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def running_google(*, max_age: int = 3600) -> Iterator[RunningGoogle]:
    """Run the stand-in in a thread of its own; `max_age` in seconds, of the certificates."""
    with TemporaryDirectory(prefix="tarsify-google-") as folder:
        authority, chain = _write_certificates(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        google = RunningGoogle(SigningKey(), authority, max_age=max_age, _tls=context)
        with in_thread(lambda: _listening(google)):
            yield google


@asynccontextmanager
async def _listening(google: RunningGoogle) -> AsyncIterator[RunningGoogle]:
    server = await asyncio.start_server(google.serve, HOST, 0)
    google.port = server.sockets[0].getsockname()[1]
    try:
        yield google
    finally:
        server.close()


def _write_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and the key with the certificate that it gave to NAME."""
    ours, theirs = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("local authority", ours, issuer=None, signer=ours)
    leaf = _certificate(NAME, theirs, issuer=authority.subject, signer=ours)
    pem = serialization.Encoding.PEM
    bundle, chain = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(authority.public_bytes(pem))
    key = theirs.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(key + leaf.public_bytes(pem))
    return bundle, chain


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name | None,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """For `key`, signed by `signer`; without an issuer it is an authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )
