"""The smoke over the front door, against the real functions behind the real table of paths."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from common.db import Database
from common.runtime import Runtime, install
from common.settings import Settings
from infra.local.front_door import FrontDoor
from infra.packing.contents import function_names
from infra.release.smoke import main, ready_paths, smoke

RELEASE = "0123456789ab"
PACKED = {name: {"path": "", "sha256": RELEASE.ljust(64, "0")} for name in function_names()}


@dataclass
class Door:
    """The front door; `closed` functions answer 503, `swapped` ones get another's requests."""

    url: str
    closed: str = ""
    swapped: str = ""


@pytest.fixture
def door(settings: Settings, db: Database, apps: Callable[[str], Flask]) -> Iterator[Door]:
    parts = Runtime(settings.model_copy(update={"release": RELEASE}))
    parts.db = db
    install(parts)
    made, table = Door(""), FrontDoor.read()

    @Request.application
    def answer(request: Request) -> Response:
        name = table.function_for(request.path)
        assert name is not None
        if name == made.closed:
            return Response("<html>", 503)
        app = apps("marketplace" if name == made.swapped else name)
        given = app.test_client().get(request.path)
        return Response(given.get_data(), given.status_code, content_type=given.content_type)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_smoke_knocks_at_every_path_of_the_front_door() -> None:
    paths = ready_paths()
    assert paths["/health/ready"] == "marketplace"
    assert paths["/api/webhooks/stripe/health/ready"] == "payments"
    assert set(paths.values()) == FrontDoor.read().functions()


def test_functions_that_answer_as_packed_pass(door: Door) -> None:
    assert smoke(door.url, PACKED, 0) == []


def test_an_older_version_is_noticed(door: Door) -> None:
    packed = PACKED | {"studio": {"sha256": "f" * 64}}
    assert smoke(door.url, packed, 0) == [
        f"/api/studio/health/ready: version is {RELEASE}",
        f"/api/developer/health/ready: version is {RELEASE}",
    ]


def test_a_function_that_does_not_answer_is_noticed(door: Door) -> None:
    door.closed = "payments"
    (complaint,) = smoke(door.url, PACKED, 0)
    assert complaint == "/api/webhooks/stripe/health/ready: answered 503"


def test_a_path_that_leads_to_another_function_is_noticed(door: Door) -> None:
    door.swapped = "admin"
    (complaint,) = smoke(door.url, PACKED, 0)
    assert complaint.startswith("/api/admin/health/ready: ")


def test_a_function_whose_database_is_away_is_noticed(door: Door, db: Database) -> None:
    away = Runtime(Settings(release=RELEASE, database_url="postgresql+pg8000://x@127.0.0.1:9/x"))
    install(away)
    complaints = smoke(door.url, PACKED, 0)
    assert len(complaints) == len(ready_paths())
    assert all(each.endswith("answered 503") for each in complaints)


def test_a_function_that_comes_up_late_is_waited_for(door: Door) -> None:
    door.closed = "callback"
    threading.Timer(0.3, lambda: setattr(door, "closed", "")).start()
    assert smoke(door.url, PACKED, 30) == []


def test_nobody_at_the_address_is_a_complaint_and_not_a_crash() -> None:
    complaints = smoke("http://127.0.0.1:9", PACKED, 0)
    assert complaints[0].endswith("no usable answer (URLError)")


def test_the_command_says_that_all_is_well(
    door: Door, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path_factory.mktemp("dist") / "archives.json"
    file.write_text(json.dumps(PACKED))
    main([door.url, str(file)])
    assert "as packed" in capsys.readouterr().out
