"""Someone leaves: their words go, the books stay."""

import uuid
from collections.abc import Callable

from common.credits.service import exact_credits
from common.db import refusals
from common.errors import AccountOwes, CreditsLeft, PurchaseOpen, RunsUnderWay
from common.executions import queries
from common.executions.tools import Tools


def erase_consumer(tools: Tools, consumer_id: uuid.UUID, *, give_up: bool) -> int:
    """Takes a consumer's words out of everything; answers the micro-credits that are given up.

    Raises RunsUnderWay, PurchaseOpen, CreditsLeft or AccountOwes. Files of results stay in the
    private bucket, where functions may not delete; nobody can get an address of them any more.
    """
    with refusals(_REFUSALS), tools.db.step() as connection:
        return queries.erase(connection, consumer_id, give_up=give_up, now=tools.clock.now())


def erase_developer(tools: Tools, developer_id: uuid.UUID, *, give_up: bool) -> int:
    """The same for a developer, whose models leave the market.

    Raises RunsUnderWay, CreditsLeft or AccountOwes.
    """
    with refusals(_REFUSALS), tools.db.step() as connection:
        return queries.erase_developer(
            connection, developer_id, give_up=give_up, now=tools.clock.now()
        )


def _left(micro_credits: str) -> CreditsLeft:
    amount = exact_credits(int(micro_credits))
    return CreditsLeft(f"You have {amount:g} credits left. Say giveUp to lose them.")


_REFUSALS: dict[str, Callable[[str], Exception]] = {
    "P0409": lambda _: RunsUnderWay(),
    "P0412": lambda _: PurchaseOpen(),
    "P0413": _left,
    "P0414": lambda _: AccountOwes(),
}
