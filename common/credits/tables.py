"""The ledger's tables, for reading. Only the functions of functions.sql write them."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import Table as CoreTable
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)
MICRO_CREDITS = 1_000_000


class AccountRow(Table):
    """Whose account it is; never changes."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint(
            "kind",
            "owner_id",
            "unit",
            name="account_kind_owner_id_unit_key",
            postgresql_nulls_not_distinct=True,
        ),
        UniqueConstraint("id", "unit", name="account_id_unit_key"),
        UniqueConstraint("id", "class", name="account_id_class_key"),
        {"schema": "ledger"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    unit: Mapped[str] = mapped_column(Text)
    class_: Mapped[str] = mapped_column("class", Text)
    kind: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())


class AccountStateRow(Table):
    """What is on an account, in micro-credits: posted, and of it pending in open holds."""

    __tablename__ = "account_state"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "class"],
            ["ledger.account.id", "ledger.account.class"],
            name="account_state_account_id_class_fkey",
        ),
        {"schema": "ledger"},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    class_: Mapped[str] = mapped_column("class", Text)
    posted: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    pending: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    frozen: Mapped[bool] = mapped_column(server_default=text("false"))


class TransferRow(Table):
    """One debit and one credit of the same amount in micro-credits."""

    __tablename__ = "transfer"
    __table_args__ = (
        UniqueConstraint("kind", "ref", "leg", name="transfer_kind_ref_leg_key"),
        ForeignKeyConstraint(
            ["debit_id", "unit"],
            ["ledger.account.id", "ledger.account.unit"],
            name="transfer_debit_id_unit_fkey",
        ),
        ForeignKeyConstraint(
            ["credit_id", "unit"],
            ["ledger.account.id", "ledger.account.unit"],
            name="transfer_credit_id_unit_fkey",
        ),
        Index("transfer_debit", "debit_id", "id"),
        Index("transfer_credit", "credit_id", "id"),
        {"schema": "ledger"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    ref: Mapped[uuid.UUID]
    leg: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    debit_id: Mapped[int] = mapped_column(BigInteger)
    credit_id: Mapped[int] = mapped_column(BigInteger)
    unit: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Moment)


class HoldRow(Table):
    """An amount reserved for an execution of the same id; resolves once."""

    __tablename__ = "hold"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["ledger.account.id"], name="hold_account_id_fkey"),
        Index("hold_open", "expires_at", postgresql_where=text("state = 'held'")),
        {"schema": "ledger"},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text, server_default=text("'held'"))
    captured: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    expires_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    resolved_at: Mapped[datetime | None] = mapped_column(Moment)


class FreezeRow(Table):
    """One reason why a wallet is frozen, until it is lifted."""

    __tablename__ = "wallet_freeze"
    __table_args__ = (
        UniqueConstraint("cause", "ref", name="wallet_freeze_cause_ref_key"),
        Index("wallet_freeze_active", "consumer_id", postgresql_where=text("lifted_at IS NULL")),
        {"schema": "ledger"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    consumer_id: Mapped[uuid.UUID]
    cause: Mapped[str] = mapped_column(Text)
    ref: Mapped[uuid.UUID]
    reason: Mapped[str] = mapped_column(Text)
    frozen_at: Mapped[datetime] = mapped_column(Moment)
    lifted_at: Mapped[datetime | None] = mapped_column(Moment)


# Effects on deferred accounts that are not folded yet. No key: rows are only appended and taken.
delta = CoreTable(
    "delta",
    Table.metadata,
    Column("account_id", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("delta_account", "account_id", postgresql_include=["amount"]),
    schema="ledger",
)
