"""From an Authorization header to an identity, and from an identity to a role."""

from common.errors import MissingToken, NotAnAdmin
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


def require_invoker(invokers: Invokers, header: str | None, audience: str) -> None:
    """Only the configured service account may call internal routes; raises InvalidToken."""
    invokers.verify(bearer(header), audience)
