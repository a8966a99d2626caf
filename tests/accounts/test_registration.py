"""Who gets an account, under which address, and what happens when two ask at once."""

from typing import Any

import pytest
from sqlalchemy import text

from common.accounts import service
from common.db import Database
from common.errors import AccountSuspended, ConsumerNotFound, DeveloperNotFound, EmailTaken
from common.gateways.identity import Identity
from tests.together import together


def person(uid: str, **claims: Any) -> Identity:
    facts = {
        "email": f"{uid}@example.com",
        "email_verified": True,
        "name": None,
        "picture": None,
        "admin": False,
    }
    return Identity(uid=uid, **{**facts, **claims})


def rows(db: Database, table: str) -> int:
    with db.transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_w42_register_twice_at_once_is_one_account(db: Database) -> None:
    def register(_number: int) -> Any:
        with db.transaction() as session:
            return service.register_developer(session, person("ada"), None).id

    assert len(set(together(8, register))) == 1
    assert rows(db, "developers") == 1


def test_w42_registering_again_answers_the_same_account(db: Database) -> None:
    with db.transaction() as session:
        first = service.register_consumer(session, person("ada"), "Ada")
    with db.transaction() as session:
        again = service.register_consumer(session, person("ada"), "Someone Else")
    assert (again.id, again.name) == (first.id, "Ada")


def test_w42_two_people_with_one_address_at_once_are_one_account_and_one_refusal(
    db: Database,
) -> None:
    def register(number: int) -> Any:
        identity = person(f"uid{number}", email="Shared@Example.com")
        with db.transaction() as session:
            return service.register_consumer(session, identity, None).id

    answers = together(6, register)
    assert sum(isinstance(answer, EmailTaken) for answer in answers) == 5
    assert rows(db, "consumers") == 1


def test_an_address_is_taken_in_any_spelling(db: Database) -> None:
    with db.transaction() as session:
        service.register_consumer(session, person("a", email="ada@example.com"), None)
    with pytest.raises(EmailTaken), db.transaction() as session:
        service.register_consumer(session, person("b", email="ADA@example.com"), None)


def test_w40_an_unproven_address_gives_way_to_its_owner(db: Database) -> None:
    squatter = person("squatter", email="ada@example.com", email_verified=False)
    with db.transaction() as session:
        service.register_developer(session, squatter, None)
    with db.transaction() as session:
        owner = service.register_developer(session, person("ada"), None)
    with db.transaction() as session:
        left = service.developer_of(session, "squatter")
    assert owner.email == "ada@example.com"
    assert left.email is None


def test_w40_an_unproven_address_does_not_displace_anyone(db: Database) -> None:
    with db.transaction() as session:
        service.register_developer(session, person("ada"), None)
    squatter = person("squatter", email="ada@example.com", email_verified=False)
    with pytest.raises(EmailTaken), db.transaction() as session:
        service.register_developer(session, squatter, None)


def test_a_changed_address_is_taken_over_at_the_next_registration(db: Database) -> None:
    with db.transaction() as session:
        service.register_developer(session, person("ada"), None)
    with db.transaction() as session:
        service.register_developer(session, person("ada", email="new@example.com"), None)
    with db.transaction() as session:
        assert service.developer_of(session, "ada").email == "new@example.com"


def test_a_changed_address_that_another_account_has_is_refused(db: Database) -> None:
    with db.transaction() as session:
        service.register_developer(session, person("ada"), None)
        service.register_developer(session, person("bob"), None)
    with pytest.raises(EmailTaken), db.transaction() as session:
        service.register_developer(session, person("bob", email="ada@example.com"), None)


def test_accounts_without_an_address_do_not_clash(db: Database) -> None:
    with db.transaction() as session:
        service.register_consumer(session, person("a", email=None), None)
        service.register_consumer(session, person("b", email=None), None)
    assert rows(db, "consumers") == 2


def test_the_same_uid_in_both_projects_is_two_accounts(db: Database) -> None:
    with db.transaction() as session:
        consumer = service.register_consumer(session, person("ada"), None)
        developer = service.register_developer(session, person("ada"), None)
    assert consumer.id != developer.id


@pytest.mark.parametrize("name", ["José", "李小龍", "Søren Åberg-Ængel", "Zoë 🚀"])
def test_w41_a_name_of_the_identity_service_in_any_script_is_taken(db: Database, name: str) -> None:
    with db.transaction() as session:
        made = service.register_developer(session, person("ada", name=name), None)
    assert made.display_name == name


@pytest.mark.parametrize("name", ["", " ", "x", "a\x07b", "x" * 101, "two\nlines"])
def test_w41_an_odd_name_of_the_identity_service_does_not_bar_the_way(
    db: Database, name: str
) -> None:
    with db.transaction() as session:
        made = service.register_developer(session, person("ada", name=name), None)
    assert made.display_name is None


def test_w52_only_an_https_picture_of_the_identity_service_is_kept(db: Database) -> None:
    with db.transaction() as session:
        safe = service.register_consumer(session, person("a", picture="https://x.example/p"), None)
        unsafe = service.register_consumer(session, person("b", picture="javascript:x"), None)
    assert (safe.avatar_url, unsafe.avatar_url) == ("https://x.example/p", None)


def test_a_suspended_account_is_told_so(db: Database) -> None:
    with db.transaction() as session:
        service.register_consumer(session, person("ada"), None)
        session.execute(text("UPDATE consumers SET suspended_at = now()"))
    with pytest.raises(AccountSuspended), db.transaction() as session:
        service.consumer_of(session, "ada")
    with pytest.raises(AccountSuspended), db.transaction() as session:
        service.register_consumer(session, person("ada"), None)


def test_strangers_have_no_account(db: Database) -> None:
    with pytest.raises(ConsumerNotFound), db.transaction() as session:
        service.consumer_of(session, "nobody")
    with pytest.raises(DeveloperNotFound), db.transaction() as session:
        service.developer_of(session, "nobody")
