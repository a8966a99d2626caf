"""Accounts on the wire. The money figures come from slices to the right; the edge adds them."""

import uuid
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field

from common.accounts.tables import Consumer, Developer
from common.http import AS_NUMBER, Flag, In, JsonObject, Out, Paging, Timestamp
from common.text import EmailAddress, HttpsUrl, Paragraphs, PersonName


def _blank_is_none(value: object) -> object:
    """Forms send an empty text where nothing was entered."""
    return None if isinstance(value, str) and not value.strip() else value


# The document says what is taken, not only what is left of it.
_Blank = Annotated[str, Field(pattern=r"^\s*$")]
OptionalName = Annotated[
    PersonName | None,
    BeforeValidator(_blank_is_none, json_schema_input_type=PersonName | _Blank | None),
]
Bio = Annotated[
    Annotated[Paragraphs, Field(max_length=500)] | None, BeforeValidator(_blank_is_none)
]
Country = Annotated[str, Field(pattern="^[A-Za-z]{2}$"), AfterValidator(str.upper)]
PayoutEmail = Annotated[EmailAddress, AfterValidator(str.lower)]

_IGNORED = "Accepted for older clients and ignored: the address is the one in the ID token."


class ConsumerRegistration(In):
    """What a consumer may say about themselves on the first visit."""

    name: OptionalName = None
    email: str | None = Field(None, max_length=1000, description=_IGNORED)


class DeveloperRegistration(In):
    """What a developer may say about themselves on the first visit."""

    display_name: OptionalName = None
    email: str | None = Field(None, max_length=1000, description=_IGNORED)


class ConsumerProfile(In):
    """Changes to a consumer: a field left out stays as it is."""

    name: PersonName = Field(default_factory=str)
    avatar_url: HttpsUrl | None = None


class DeveloperProfile(In):
    """Changes to a developer: a field left out stays as it is, null clears it."""

    display_name: PersonName = Field(default_factory=str)
    bio: Bio = None
    avatar_url: HttpsUrl | None = None
    payout_email: PayoutEmail | None = None
    country: Country | None = None


class DeveloperCompletion(In):
    """The profile's second half, asked for after a sign-up with a bare account."""

    display_name: PersonName
    bio: Bio = None
    payout_email: PayoutEmail | None = None
    country: Country | None = None


class ConsumerOut(Out):
    """A consumer. Credits are whole; `email` is empty where the identity has none."""

    id: uuid.UUID
    firebase_uid: str
    email: str
    name: str | None
    avatar_url: str | None
    credits_balance: int
    run_count: int
    purchase_count: int
    total_credits_spent: int
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(
        cls,
        consumer: Consumer,
        *,
        credits_balance: int,
        run_count: int,
        purchase_count: int,
        total_credits_spent: int,
    ) -> Self:
        """The consumer's row with what the other slices know."""
        return cls(
            id=consumer.id,
            firebase_uid=consumer.firebase_uid,
            email=consumer.email or "",
            name=consumer.name,
            avatar_url=consumer.avatar_url,
            credits_balance=credits_balance,
            run_count=run_count,
            purchase_count=purchase_count,
            total_credits_spent=total_credits_spent,
            created_at=consumer.created_at,
            updated_at=consumer.updated_at,
        )


class DeveloperOut(Out):
    """A developer. Earnings are in US cents; `email` is empty where the identity has none."""

    id: uuid.UUID
    firebase_uid: str
    email: str
    display_name: str | None
    avatar_url: str | None
    bio: str | None
    country: str | None
    payout_email: str | None
    stripe_account_id: str | None
    verified: bool
    profile_complete: bool
    total_earnings: int
    pending_payout: int
    model_count: int
    notebook_count: int
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(
        cls, developer: Developer, *, total_earnings: int, pending_payout: int, model_count: int
    ) -> Self:
        """The developer's row with what the other slices know. Notebooks are no longer made."""
        return cls(
            id=developer.id,
            firebase_uid=developer.firebase_uid,
            email=developer.email or "",
            display_name=developer.display_name,
            avatar_url=developer.avatar_url,
            bio=developer.bio,
            country=developer.country,
            payout_email=developer.payout_email,
            stripe_account_id=developer.stripe_account_id,
            verified=developer.verified,
            profile_complete=developer.display_name is not None,
            total_earnings=total_earnings,
            pending_payout=pending_payout,
            model_count=model_count,
            notebook_count=0,
            created_at=developer.created_at,
            updated_at=developer.updated_at,
        )


class ActionsQuery(Paging):
    """Which of the deeds of staff to list."""

    subject: uuid.UUID | None = None


class StaffActionOut(Out):
    """What a member of staff did, to what, why, and what it was before and after."""

    id: int
    at: Timestamp
    actor: str
    action: str
    subject: uuid.UUID
    reason: str | None
    reference: uuid.UUID | None
    request: JsonObject
    before: JsonObject | None
    after: JsonObject | None


class ConsumerExport(Out):
    """Everything about a consumer, the newest 10,000 of each kind, in the shapes of the lists."""

    account: JsonObject
    keys: list[JsonObject]
    webhooks: list[JsonObject]
    uploads: list[JsonObject]
    reports: list[JsonObject]
    purchases: list[JsonObject]
    movements: list[JsonObject]
    runs: list[JsonObject]


class DeveloperExport(Out):
    """Everything about a developer, the newest 10,000 of each kind, in the shapes of the lists."""

    account: JsonObject
    keys: list[JsonObject]
    webhooks: list[JsonObject]
    models: list[JsonObject]
    earnings: list[JsonObject]
    payouts: list[JsonObject]


class DeletionIn(In):
    """The wish to leave. `giveUp`: what is left on the account is lost."""

    confirm: Literal["delete my account"] = Field(examples=["delete my account"])
    give_up: Flag = False


class AccountDeleted(Out):
    """The account is gone; so many credits were given up."""

    deleted: bool
    given_up: float


class LimitsIn(In):
    """How many runs of a consumer may go on at once (more wait their turn), and for how many US
    cents an account may buy a day while it is younger than so many days."""

    concurrent_runs: Annotated[int, Field(ge=1, le=10_000, examples=[100]), AS_NUMBER]
    new_account_days: Annotated[int, Field(ge=0, le=365, examples=[7]), AS_NUMBER]
    new_account_cents_per_day: Annotated[
        int, Field(ge=0, le=100_000_000, examples=[50_000]), AS_NUMBER
    ]


class LimitsOut(Out):
    """The limits of every consumer."""

    concurrent_runs: int
    new_account_days: int
    new_account_cents_per_day: int
