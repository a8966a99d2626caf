"""Who calls: consumers with their tokens, staff, the queue and the scheduler."""

from common.errors import InvalidToken
from common.gateways.identity import Audience, Identity
from tests.simulation.sim_tasks import TOKEN

STAFF = "Bearer staff"


class Names:
    """Tokens that say who they are: the token is the uid, and `staff` is staff."""

    def verify(self, token: str, audience: Audience) -> Identity:
        if (token == "staff") != (audience == "developers"):
            raise InvalidToken
        return Identity(token, None, False, token, None, admin=token == "staff")


class KnownCallers:
    """Lets in the queue and the scheduler, which share a token here."""

    def verify(self, token: str, audience: str) -> None:
        if f"Bearer {token}" != TOKEN:
            raise InvalidToken
