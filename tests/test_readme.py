"""The README's configuration reference says what common/settings.py says."""

import re
from pathlib import Path

from common.settings import Settings

README = Path(__file__).parent.parent / "README.md"


def reference() -> str:
    """The table as it must stand in the README."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ", ".join(default) if isinstance(default, tuple) else str(default)
        rows.append(f"| `{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |")
    return "\n".join(rows)


def test_the_configuration_reference_is_true() -> None:
    text = README.read_text(encoding="utf-8")
    between = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0].strip()
    assert between == reference(), f"put this into the README:\n\n{reference()}"


def test_every_path_below_infra_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"infra/[a-z_./-]*[a-z]", README.read_text(encoding="utf-8")))
    assert {"infra/up", "infra/test"} <= named
    missing = [path for path in named if not (README.parent / path).exists()]
    assert missing == []
