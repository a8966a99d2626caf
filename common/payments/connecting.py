"""Where developers are paid to: an account at Stripe, and another one once that has ended."""

import uuid

from common import logs
from common.errors import InvalidRequest, PaymentsUnavailable
from common.gateways.stripe_reports import Account, StripeRefused, StripeUnavailable
from common.payments import queries
from common.payments.buying import checked_return_url
from common.payments.schemas import OnboardingIn, OnboardingOut, PayoutAccountOut
from common.payments.tools import Tools

log = logs.Log("payments")
# What Stripe says, or is unhappy with, where it opens no accounts that could be paid by us.
NO_COUNTRY = {"country_unsupported", "country_code_invalid", "country", "capabilities"}
NEEDED = "is needed: the two letters of the country in which you are paid, such as DE"
NOT_CONNECTED = PayoutAccountOut(connected=False, details_submitted=False, payouts_enabled=False)


def connect(
    tools: Tools,
    developer_id: uuid.UUID,
    order: OnboardingIn,
    *,
    email: str | None,
    country: str | None,
) -> OnboardingOut:
    """A page at Stripe where the developer opens or completes an account to be paid to.

    `country`: where the developer lives; the order may say another one. Only a new account needs
    it. Raises InvalidRequest or PaymentsUnavailable.
    """
    settings = tools.settings
    own = f"{settings.studio_url}/payouts"
    return_url = checked_return_url(settings, order.return_url or own, "returnUrl")
    refresh_url = checked_return_url(settings, order.refresh_url or own, "refreshUrl")
    try:
        account_id = _open_account_of(tools, developer_id)
        if account_id is None:
            account_id = _opened(tools, developer_id, email, order.country or country)
        url, expires_at = tools.stripe.onboarding(
            account_id, return_url=return_url, refresh_url=refresh_url
        )
    except (StripeRefused, StripeUnavailable) as error:
        log.error("no onboarding", exception=error, developerId=developer_id)
        raise PaymentsUnavailable from None
    return OnboardingOut(onboarding_url=url, expires_at=expires_at)


def payout_account(tools: Tools, developer_id: uuid.UUID) -> PayoutAccountOut:
    """Whether the developer can be paid; Stripe is asked while it is not known to be so."""
    with tools.db.transaction() as session:
        row = queries.payout_account(session, developer_id)
    if row is None:
        return NOT_CONNECTED
    details, enabled = row.details_submitted, row.payouts_enabled
    if not enabled and (seen := look_at_account(tools, developer_id, row.account_id)):
        if seen.closed:
            return NOT_CONNECTED
        details, enabled = seen.details_submitted, seen.payouts_enabled
    return PayoutAccountOut(connected=True, details_submitted=details, payouts_enabled=enabled)


def look_at_account(tools: Tools, developer_id: uuid.UUID, account_id: str) -> Account | None:
    """Asks Stripe how an account stands and keeps that; None when it cannot say."""
    try:
        account = tools.stripe.account(account_id)
    except (StripeRefused, StripeUnavailable) as error:
        log.warning("no word of an account", exception=error, developerId=developer_id)
        return None
    keep_account(tools, developer_id, account)
    return account


def keep_account(
    tools: Tools,
    developer_id: uuid.UUID,
    account: Account,
    *,
    event: dict[str, str | None] | None = None,
) -> str:
    """Moves our books to what Stripe says of an account; answers what changed."""
    with tools.db.step() as connection:
        return queries.observe_account(
            connection,
            developer_id,
            account=account.id,
            details=account.details_submitted,
            enabled=account.payouts_enabled,
            closed=account.closed,
            event=event,
            now=tools.clock.now(),
        )


def _open_account_of(tools: Tools, developer_id: uuid.UUID) -> str | None:
    """The developer's account, if Stripe still has it. Raises StripeUnavailable."""
    with tools.db.transaction() as session:
        row = queries.payout_account(session, developer_id)
    if row is None:
        return None
    account = tools.stripe.account(row.account_id)
    keep_account(tools, developer_id, account)
    return None if account.closed else account.id


def _opened(tools: Tools, developer_id: uuid.UUID, email: str | None, country: str | None) -> str:
    """A new account. Under the number of those that ended, so that it is none of them again."""
    if country is None:
        raise InvalidRequest.of([{"field": "country", "message": NEEDED}])
    with tools.db.transaction() as session:
        number = queries.closed_accounts(session, developer_id)
    try:
        account = tools.stripe.open_account(
            developer_id=str(developer_id), number=number, email=email, country=country
        )
    except StripeRefused as error:
        if not NO_COUNTRY & {error.code, error.about}:
            raise
        message = (
            f"is {country}, where Stripe pays nobody for us. Give another one in which you are"
        )
        raise InvalidRequest.of([{"field": "country", "message": message}]) from None
    keep_account(tools, developer_id, account)
    with tools.db.transaction() as session:  # of two at once the first one counts
        kept = queries.payout_account(session, developer_id)
    return kept.account_id if kept else account.id
