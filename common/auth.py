"""From an Authorization header to an identity, and from an identity to a role."""

from collections.abc import Callable

from common.errors import InvalidToken, MissingToken, NotAnAdmin
from common.gateways.identity import Audience, Identities, Identity
from common.gateways.invoker import Invokers
from common.settings import Settings


def bearer(header: str | None) -> str:
    """The token of `Bearer <token>`, the scheme in any case; raises MissingToken."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token:
        raise MissingToken
    return token


def identify(identities: Identities, header: str | None, audience: Audience) -> Identity:
    """Who sent the header; raises the Unauthorized family or IdentityUnavailable."""
    return identities.verify(bearer(header), audience)


def require_admin(identity: Identity, settings: Settings) -> Identity:
    """Staff carry the `admin` claim or stand in ADMIN_UIDS; raises NotAnAdmin."""
    if identity.admin or identity.uid in settings.admin_uids:
        return identity
    raise NotAnAdmin


def require_invoker(invokers: Invokers, header: Callable[[str], str | None], audience: str) -> None:
    """Only the configured service account may call internal routes.

    Where both headers come, Cloud Run checks X-Serverless-Authorization and hands the other one on
    unchecked; our callers send only Authorization. Raises MissingToken or InvalidToken.
    """
    token = bearer(header("Authorization"))
    if header("X-Serverless-Authorization") is not None:
        raise InvalidToken
    invokers.verify(token, audience)
