"""A throw-away RSA key that signs tokens, and its public half in the shapes Google serves."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm


class SigningKey:
    """An RSA-2048 key made at construction; nothing secret outlives the process."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = hashlib.sha1(der, usedforsecurity=False).hexdigest()

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        """An RS256 token carrying `claims`; `headers` may replace the key id."""
        return jwt.encode(
            claims, self.private, algorithm="RS256", headers={"kid": self.key_id} | (headers or {})
        )

    def private_pem(self) -> str:
        """The private key in PKCS#8, as service-account files carry it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set, as at googleapis.com/oauth2/v3/certs."""
        key: dict[str, Any] = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        key.pop("key_ops", None)
        return {"keys": [key | {"kid": self.key_id, "alg": "RS256", "use": "sig"}]}

    def certificates(self) -> dict[str, str]:
        """PEM certificate by key id, as at googleapis.com/oauth2/v1/certs."""
        return {self.key_id: self._certificate()}

    def _certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local signing key")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .sign(self.private, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()
