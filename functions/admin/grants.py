"""Credits that staff give away."""

from common.accounts import service as accounts
from common.credits import service as ledger
from common.credits.schemas import GrantIn, GrantOut
from common.errors import Conflict, ConsumerNotFound, NotAnAdmin
from common.gateways.identity import Identity
from common.http import Call, Link
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.guards import staff
from functions.admin.money import ABOUT_A_WALLET

routes = Routes()


@routes.route(
    "POST",
    "/credits/grants",
    guard=staff,
    body=GrantIn,
    out=GrantOut,
    status=201,
    errors=(NotAnAdmin, ConsumerNotFound, Conflict),
    links=(Link("consumerId", ABOUT_A_WALLET),),
)
def grant(call: Call[Identity, GrantIn, None]) -> GrantOut:
    """Gives credits to a consumer, once per reference."""
    parts, order = runtime(), call.body
    with parts.db.transaction() as session:
        accounts.require_consumer(session, order.consumer_id)
    with parts.db.step() as connection:
        granted = ledger.grant(connection, order, by=call.principal.uid, now=parts.clock.now())
    with parts.db.transaction() as session:
        balance = ledger.balance(session, order.consumer_id)
    return GrantOut(
        reference=order.reference,
        consumer_id=order.consumer_id,
        credits=order.credits,
        granted_now=granted,
        new_balance=balance.balance,
    )
