"""`infra/pack`: writes the archives and says which they are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from infra.packing.archives import pack
from infra.packing.contents import ROOT


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="infra/pack", description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="default: dist/")
    into = parser.parse_args(arguments).into
    for name, archive in pack(into).items():
        size = archive.path.stat().st_size
        print(f"{name:12} {size / 1024:6.0f} KiB  {archive.sha256}")


if __name__ == "__main__":
    main()
