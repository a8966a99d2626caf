"""What infra/pack makes: the same bytes each time, and nothing that a function does not run."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from infra.packing.__main__ import main
from infra.packing.archives import Archive, pack, zipped
from infra.packing.contents import ROOT, contents, function_names

SMALL = {
    "requirements.txt": "flask==3.1.3",
    "functions/__init__.py": "",
    "functions/reader/__init__.py": "",
    "functions/reader/main.py": "from common.books import page\n\ndef reader(request): ...",
    "functions/writer/__init__.py": "",
    "functions/writer/main.py": "def writer(request):\n    from common import pens",
    "common/__init__.py": "",
    "common/books/__init__.py": "",
    "common/books/page.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from common import glue",
    "common/books/cover.py": "",
    "common/pens.py": "import common.ink",
    "common/ink.py": "",
    "common/glue.py": "",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A tree of two functions that share nothing but a package."""
    for path, text in SMALL.items():
        file = tmp_path / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "tree"


def digests(packed: dict[str, Archive]) -> dict[str, str]:
    return {name: archive.sha256 for name, archive in packed.items()}


def test_every_function_has_an_archive() -> None:
    told = ["admin", "callback", "cleanup", "marketplace", "payments", "studio", "tasks"]
    assert function_names() == told


def test_packing_again_makes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    first = pack(tmp_path / "first")
    for file in small.rglob("*"):
        file.touch()
    again = pack(tmp_path / "again")
    for name, archive in first.items():
        assert archive.path.read_bytes() == again[name].path.read_bytes()


def test_nothing_of_the_moment_or_the_machine_is_in_an_archive(small: Path, tmp_path: Path) -> None:
    for file in small.rglob("*.py"):
        file.chmod(0o600)
    before = digests(pack(tmp_path / "before", small))
    moved = shutil.copytree(small, tmp_path / "elsewhere")
    for file in moved.rglob("*.py"):
        file.chmod(0o755)
    assert digests(pack(tmp_path / "after", moved)) == before


def test_an_archive_is_named_after_its_bytes_and_listed_for_terraform(tmp_path: Path) -> None:
    packed = pack(tmp_path / "dist")
    listed = json.loads((tmp_path / "dist" / "archives.json").read_text())
    assert listed.keys() == set(function_names())
    for name, archive in packed.items():
        assert hashlib.sha256(archive.path.read_bytes()).hexdigest() == archive.sha256
        assert archive.path.name == f"{name}-{archive.sha256}.zip"
        assert listed[name] == {"path": str(archive.path), "sha256": archive.sha256}


def test_archives_below_the_repository_are_listed_from_its_root(small: Path) -> None:
    pack(small / "dist", small)
    listed = json.loads((small / "dist" / "archives.json").read_text())
    assert listed["reader"]["path"] == f"dist/reader-{listed['reader']['sha256']}.zip"


def test_an_archive_that_is_no_longer_the_newest_is_removed(small: Path) -> None:
    old = pack(small / "dist", small)["reader"].path
    (small / "functions/reader/main.py").write_text("def reader(request): ...")
    new = pack(small / "dist", small)["reader"].path
    assert (old.exists(), new.exists()) == (False, True)


def test_a_function_carries_what_it_imports_early_or_late_and_nothing_else(small: Path) -> None:
    shared = {"main.py", "requirements.txt", "functions/__init__.py", "common/__init__.py"}
    assert set(contents("reader", small)) == shared | {
        "functions/reader/__init__.py",
        "functions/reader/main.py",
        "common/books/__init__.py",
        "common/books/page.py",
    }
    assert set(contents("writer", small)) == shared | {
        "functions/writer/__init__.py",
        "functions/writer/main.py",
        "common/pens.py",
        "common/ink.py",
    }


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("functions/reader/main.py", {"reader"}),
        ("common/ink.py", {"writer"}),
        ("common/books/cover.py", set()),
        ("common/glue.py", set()),
        ("common/__init__.py", {"reader", "writer"}),
        ("requirements.txt", {"reader", "writer"}),
    ],
)
def test_only_functions_that_a_change_reaches_are_deployed_again(
    small: Path, tmp_path: Path, file: str, changed: set[str]
) -> None:
    before = digests(pack(tmp_path / "dist", small))
    with (small / file).open("a") as text:
        text.write("\n# changed\n")
    after = digests(pack(tmp_path / "dist", small))
    assert {name for name in after if after[name] != before[name]} == changed


@pytest.mark.parametrize("name", function_names())
def test_an_archive_holds_code_of_its_own_function_only(name: str) -> None:
    files = contents(name)
    assert files["main.py"].decode().count(f"functions.{name}.main import {name} as main") == 1
    ours = (f"functions/{name}/", "functions/__init__.py", "common/")
    strangers = {path for path in files if not path.startswith(ours)}
    assert strangers == {"main.py", "requirements.txt"}
    served = {path for path in files if path.startswith(f"functions/{name}/reference/")}
    assert {Path(path).suffix for path in files.keys() - served} == {".py", ".txt"}
    assert {Path(path).suffix for path in served} <= {".html", ".json"}


def test_every_package_that_a_function_installs_is_pinned_by_its_hashes() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    packages = [n for n, line in enumerate(lines) if line and line[0].isalnum()]
    assert len(packages) > 30
    for number in packages:
        assert "==" in lines[number]
        assert lines[number].endswith("\\"), lines[number]
        assert lines[number + 1].strip().startswith("--hash=sha256:"), lines[number]


def test_no_function_installs_what_only_migrations_need() -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert "alembic" not in text
    assert "alembic" in (ROOT / "requirements-migrations.txt").read_text()


def test_zip_entries_are_plain_files_of_one_fixed_time(tmp_path: Path) -> None:
    file = tmp_path / "one.zip"
    file.write_bytes(zipped({"a/b.py": b"x = 1\n"}))
    with zipfile.ZipFile(file) as archive:
        (entry,) = archive.infolist()
        assert (entry.date_time, entry.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o100644)
        assert archive.read(entry) == b"x = 1\n"


def test_the_command_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--into", str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == function_names()
    assert all((tmp_path / f"{line.split()[0]}-{line.split()[-1]}.zip").exists() for line in said)
