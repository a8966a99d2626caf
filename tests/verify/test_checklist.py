"""The checklist itself, and that its looks from outside see what is wrong."""

import json
import threading
import uuid
from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.calling import Caller, CallFailed
from infra.verifying.checklist import Checklist, Notes, expect
from infra.verifying.outside import Outside
from infra.verifying.visit import Visit, Wanted, insist


def _expects(wanted: int, seen: int) -> str:
    expect(wanted == seen, f"it is {seen}")
    return f"{seen}"


def _raises(error: Exception) -> str:
    raise error


def test_every_check_is_made_whatever_became_of_those_before_it() -> None:
    told: list[str] = []
    checklist = Checklist(told.append)

    checklist.go_through(
        [
            ("one", lambda: _expects(1, 2)),
            ("two", lambda: str(Notes()["run"])),
            ("three", lambda: _raises(CallFailed("GET /: 500", 500))),
            ("four", lambda: _raises(AttributeError("no such thing"))),
            ("five", lambda: "fine"),
        ]
    )

    assert [(line.outcome, line.saw) for line in checklist.lines] == [
        ("FAILED", "it is 2"),
        ("skipped", "there is no run"),
        ("FAILED", "GET /: 500"),
        ("FAILED", "AttributeError: no such thing"),
        ("ok", "fine"),
    ]
    assert len(told) == 5
    assert checklist.summary() == "1 ok, 3 FAILED, 1 skipped"


def test_a_check_that_could_not_be_made_is_not_good() -> None:
    checklist = Checklist(lambda _: None)
    checklist.go_through([("fine", lambda: "")])
    assert checklist.good
    checklist.go_through([("unknown", lambda: str(Notes()["run"]))])
    assert not checklist.good


def test_only_a_call_that_may_meet_better_luck_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.verifying.visit.PAUSE_SECONDS", 0.0)
    answers: list[CallFailed] = [CallFailed("no answer"), CallFailed("busy", 503)]

    assert insist(lambda: _raises(answers.pop()) if answers else "there") == "there"
    refusals = [CallFailed("asked again"), CallFailed("no", 403)]
    with pytest.raises(CallFailed, match="no"):
        insist(lambda: _raises(refusals.pop()))
    assert len(refusals) == 1


@pytest.fixture
def careless() -> Iterator[str]:
    """An origin that lets everybody in, whatever they ask and from wherever."""

    @Request.application
    def answer(request: Request) -> Response:
        headers = {"Access-Control-Allow-Origin": request.headers.get("Origin", "*")}
        return Response(json.dumps({"data": {"service": "?"}}), headers=headers)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_origin_that_lets_everybody_in_fails_every_look_from_outside(careless: str) -> None:
    wanted = Wanted(careless, careless, "any", {}, wait_seconds=1)
    somebody = Caller(careless, "token")
    checklist = Checklist(lambda _: None)

    checklist.go_through(
        Outside(Visit(wanted, somebody, somebody, somebody, mark=uuid.uuid4())).checks()
    )

    assert len(checklist.lines) == 11
    assert {line.outcome for line in checklist.lines} == {"FAILED"}
