"""`infra/document`: writes the merged document and the page beside the function that serves them.

--check writes nothing and ends 1 if they are not what the code says.
"""

from __future__ import annotations

import json
import sys

from functions.admin.main import app as admin
from functions.marketplace.main import app as marketplace
from functions.studio.main import app as studio
from infra.documenting.merging import merged
from infra.documenting.page import page
from infra.packing.contents import ROOT

FOLDER = ROOT / "functions" / "marketplace" / "reference"


def files() -> dict[str, str]:
    """The two files by name, as the code says they are."""
    document = merged([marketplace, studio, admin])
    written = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
    return {"openapi.json": written, "index.html": page(document)}


def main() -> int:
    """Answers the number to exit with."""
    made = files()
    if "--check" in sys.argv:
        stale = [n for n, text in made.items() if (FOLDER / n).read_text("utf-8") != text]
        if stale:
            sys.stderr.write(f"not as the code says: {', '.join(stale)}; run infra/document\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
