"""What the application role may do, table by table. A new table or step is added here by hand."""

from collections import defaultdict

from sqlalchemy import Connection, text

READ = {"SELECT"}
APPEND = READ | {"INSERT"}
EDIT = APPEND | {"UPDATE"}

TABLES = {
    "public.consumers": EDIT,
    "public.developers": EDIT,
    "public.runpod_endpoints": EDIT,
    "public.base_models": EDIT,
    "public.tars_models": EDIT,
    "public.rate_limits": READ,
    "public.request_keys": READ,
    "public.events": READ,
    "public.api_keys": APPEND,
    "public.key_spending": READ,
    "public.moderation_terms": APPEND | {"DELETE"},
    "public.moderation_findings": APPEND,
    "public.reports": EDIT,
    "public.webhook_endpoints": EDIT,
    "public.run_webhook_secrets": EDIT,
    "public.deliveries": READ,
    "public.delivery_attempts": READ,
    "public.uploads": APPEND,
    "public.consumer_limits": READ | {"UPDATE"},
    "public.run_chunks": READ,
    "public.run_streams": READ,
    "public.tars_model_versions": APPEND,
    "public.tars_model_stats": EDIT,
    "public.offers": READ,
    "public.gpu_prices": APPEND,
    "public.staff_actions": READ,
    "public.credit_packages": EDIT | {"DELETE"},
    "public.purchase_terms": READ | {"UPDATE"},
    "public.earning_terms": READ,
    "public.purchases": READ,
    "public.purchase_refunds": READ,
    "public.disputes": READ,
    "public.earnings": READ,
    "public.payout_accounts": READ,
    "public.payouts": READ,
    "public.stripe_events": READ,
    "public.stripe_transactions": READ,
    "public.stripe_payments": READ,
    "public.reconciliations": READ,
    "public.stripe_booked": READ,
    "public.stripe_compared": READ,
    "public.payment_violation": READ,
    "public.reconciliation_differences": READ,
    "ledger.wallet_freeze": READ,
    "public.run_tally": APPEND | {"DELETE"},
    "public.executions": READ,
    "public.attempts": READ,
    "public.execution_events": READ,
    "public.announcements": READ,
    "public.outbox": READ,
    "public.idempotency_keys": READ,
    "public.execution_violation": READ,
    "ledger.account": READ,
    "ledger.account_state": READ,
    "ledger.transfer": READ,
    "ledger.hold": READ,
    "ledger.delta": READ,
    "ledger.balance": READ,
    "ledger.violation": READ,
}

# Single columns of what is otherwise only read or added to: how a key ends.
COLUMNS = ["public.api_keys"]

# Steps that run with the owner's rights.
STEPS = {
    "public.outbox_claim",
    "public.rate_take",
    "public.request_begin",
    "public.request_finish",
    "public.request_abandon",
    "public.traffic_forget",
    "public.event_add",
    "public.events_forget",
    "public.delivery_begin",
    "public.delivery_end",
    "public.deliveries_due",
    "public.deliveries_replay",
    "public.webhooks_forget",
    "public.uploads_forget",
    "public.execution_aftermath",
    "public.run_stream_lease",
    "public.run_chunks_add",
    "public.run_chunks_forget",
    "public.consumer_erase",
    "public.developer_erase",
    "public.execution_start",
    "public.execution_start_test",
    "public.execution_begin_attempt",
    "public.execution_submitted",
    "public.execution_rejected",
    "public.execution_observe",
    "public.execution_cancel",
    "public.execution_hasten",
    "public.execution_tick",
    "public.executions_expire",
    "public.execution_cancel_sent",
    "public.execution_cancels_forget",
    "public.idempotency_keys_forget",
    "public.run_refund",
    "public.staff_note",
    "public.difference_found",
    "public.differences_clear",
    "public.difference_close",
    "public.stripe_event_note",
    "public.purchase_open",
    "public.purchase_session",
    "public.purchase_look_later",
    "public.purchase_observe",
    "public.refund_request",
    "public.refund_try",
    "public.refund_refused",
    "public.earning_terms_set",
    "public.earnings_uncleared",
    "public.payout_account_observe",
    "public.payout_request",
    "public.payout_begin",
    "public.payout_sent",
    "public.payout_failed",
    "public.payout_returned",
    "public.reconciliation_done",
    "public.unreconciled_since",
    "public.reconciliation_missed",
    "public.stripe_transactions_keep",
    "public.stripe_payments_keep",
    "ledger.adjust",
    "ledger.staff_freeze",
    "ledger.grant_credits",
    "ledger.fold",
}


def test_the_application_may_do_to_each_table_what_is_listed_and_no_more(
    owner: Connection,
) -> None:
    query = text(
        """
        SELECT format('%s.%s', n.nspname, c.relname), p.privilege
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
               unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',
                            'TRIGGER']) AS p(privilege)
         WHERE n.nspname IN ('public', 'ledger') AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
           AND has_table_privilege('tarsify_app', c.oid, p.privilege)
        """
    )
    found = defaultdict(set)
    for table, privilege in owner.execute(query):
        found[table].add(privilege)
    assert found == TABLES


def test_the_application_may_not_write_single_columns_of_what_it_may_only_read(
    owner: Connection,
) -> None:
    query = text(
        """
        SELECT format('%s.%s', n.nspname, c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'ledger') AND c.relkind IN ('r', 'v')
           AND NOT has_table_privilege('tarsify_app', c.oid, 'UPDATE')
           AND has_any_column_privilege('tarsify_app', c.oid, 'UPDATE')
        """
    )
    assert list(owner.scalars(query)) == COLUMNS


def test_the_application_takes_the_steps_that_are_listed_and_no_others(owner: Connection) -> None:
    query = text(
        """
        SELECT format('%s.%s', n.nspname, p.proname)
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('public', 'ledger') AND p.prosecdef
           AND has_function_privilege('tarsify_app', p.oid, 'EXECUTE')
        """
    )
    assert set(owner.scalars(query)) == STEPS


def test_the_application_executes_nothing_else_in_the_ledger(owner: Connection) -> None:
    query = text(
        """
        SELECT proname::text FROM pg_proc
         WHERE pronamespace = 'ledger'::regnamespace AND NOT prosecdef
           AND has_function_privilege('tarsify_app', oid, 'EXECUTE')
        """
    )
    assert list(owner.scalars(query)) == []


def test_the_application_owns_and_creates_nothing(owner: Connection) -> None:
    query = text(
        """
        SELECT nspname::text FROM pg_namespace
         WHERE has_schema_privilege('tarsify_app', oid, 'CREATE') AND nspname !~ '^pg_temp'
        UNION ALL SELECT relname::text FROM pg_class
         WHERE relowner = 'tarsify_app'::regrole
        UNION ALL SELECT 'CREATE on the database'
         WHERE has_database_privilege('tarsify_app', current_database(), 'CREATE')
        """
    )
    assert list(owner.scalars(query)) == []


def test_the_application_role_has_no_powers_of_its_own(owner: Connection) -> None:
    query = text(
        """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication
               OR rolcanlogin
          FROM pg_roles WHERE rolname = 'tarsify_app'
        """
    )
    assert owner.scalar(query) is False


def test_the_application_cannot_set_a_sequence(owner: Connection) -> None:
    """A number set back would make the next insert fail; nobody needs to."""
    query = text(
        """
        SELECT seqrelid::regclass::text FROM pg_sequence
         WHERE has_sequence_privilege('tarsify_app', seqrelid, 'UPDATE')
        """
    )
    assert list(owner.scalars(query)) == []
