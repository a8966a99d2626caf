"""Zip files whose bytes depend on their contents alone, and the list of them for Terraform.

Nothing is compressed: the bytes of deflate differ between builds of zlib, and a different machine
would deploy everything again. The archives are small; what takes room is installed in the cloud.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from infra.packing.contents import ROOT, contents, function_names

LIST = "archives.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name
UNIX, REGULAR_FILE = 3, 0o100644


class Archive(NamedTuple):
    """A written archive; `sha256` in hexadecimal, of the whole file."""

    path: Path
    sha256: str


def pack(into: Path, root: Path = ROOT) -> dict[str, Archive]:
    """Writes `<function>-<sha256>.zip` for each function and archives.json; drops older ones."""
    into.mkdir(parents=True, exist_ok=True)
    packed = {
        name: _write(into, name, zipped(contents(name, root))) for name in function_names(root)
    }
    listed = {
        name: {"path": _shown(archive.path, root), "sha256": archive.sha256}
        for name, archive in packed.items()
    }
    (into / LIST).write_text(json.dumps(listed, indent=1) + "\n")
    for stale in set(into.glob("*.zip")) - {archive.path for archive in packed.values()}:
        stale.unlink()
    return packed


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip file of these files in this order, with nothing of this machine or moment in it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system, entry.external_attr = UNIX, REGULAR_FILE << 16
            archive.writestr(entry, content)
    return written.getvalue()


def _write(into: Path, name: str, content: bytes) -> Archive:
    digest = hashlib.sha256(content).hexdigest()
    path = into / f"{name}-{digest}.zip"
    path.write_bytes(content)
    return Archive(path, digest)


def _shown(path: Path, root: Path) -> str:
    """From the repository's root, where it lies below it."""
    path = path.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
