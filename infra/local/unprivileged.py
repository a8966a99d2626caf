"""Running a program that refuses to be root, as an account that exists everywhere.

Nothing here loosens a permission: what the account cannot reach is copied to, or created in, a
directory that it can.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ACCOUNT = "nobody"


def account() -> pwd.struct_passwd | None:
    """The account to switch to, or None when we are not root and need no switch."""
    return pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None


def run(command: Sequence[str], who: pwd.struct_passwd | None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as `who`, with its output in files.

    Files, not pipes: a daemon that it leaves behind would keep a pipe open, and us waiting.
    """
    switch: dict[str, object] = {}
    if who is not None:
        switch = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd="/",
            check=False,
            **switch,
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


def reachable_directory(wanted: Path, who: pwd.struct_passwd | None) -> Path:
    """`wanted`, created and owned by `who`, or its substitute below the temporary directory."""
    wanted = wanted.absolute()
    if who is None:
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place = wanted if _may(who, "-x", wanted.parent) else _substitute(wanted)
    place.mkdir(mode=0o700, exist_ok=True)
    os.chown(place, who.pw_uid, who.pw_gid)
    return place


def reachable_copy(base: Path, parts: Sequence[str], who: pwd.struct_passwd | None) -> Path:
    """`base` itself if `who` can read its `parts`, else a directory with a copy of these.

    The parts keep their places relative to each other, as programs find their libraries by them.
    """
    trees = [base / part for part in parts]
    if who is None or all(_may(who, "-r", _any_file(tree)) for tree in trees):
        return base
    # The time is in the name since an upgrade brings other programs to the same place.
    copy = _substitute(base / str(max(tree.stat().st_mtime_ns for tree in trees)))
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="tarsify-copy-"))
        for part in parts:
            shutil.copytree(base / part, unfinished / part, ignore=_not_needed)
        unfinished.chmod(0o755)
        _rename_unless_there(unfinished, copy)
    return copy


def _any_file(tree: Path) -> Path:
    return next(path for path in tree.rglob("*") if path.is_file())


def _rename_unless_there(unfinished: Path, copy: Path) -> None:
    try:
        unfinished.rename(copy)
    except OSError:  # another process made the same copy first
        shutil.rmtree(unfinished)


def _not_needed(directory: str, names: list[str]) -> list[str]:
    del directory
    return [name for name in names if name == "include"]


def _may(who: pwd.struct_passwd, permission: str, path: Path) -> bool:
    return run(["test", permission, str(path)], who).returncode == 0


def _substitute(path: Path) -> Path:
    mark = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    place = Path(tempfile.gettempdir()) / f"tarsify-{path.name}-{mark}"
    # The name can be guessed and the directory is open to all: take over nobody else's.
    if os.path.lexists(place) and place.lstat().st_uid not in {0, pwd.getpwnam(ACCOUNT).pw_uid}:
        raise PermissionError(f"{place} belongs to another user")
    return place
