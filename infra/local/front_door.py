"""The front door's table (`terraform/front_door.yaml`): which function answers a path."""

from __future__ import annotations

from pathlib import Path

import yaml

TABLE = Path(__file__).parent.parent.parent / "terraform" / "front_door.yaml"


class FrontDoor:
    """Prefixes and the functions behind them."""

    def __init__(self, routes: dict[str, str], internal: frozenset[str]) -> None:
        exposed = internal & set(routes.values())
        if exposed:
            raise ValueError(f"internal functions have no public path: {sorted(exposed)}")
        self.routes, self.internal = routes, internal
        # Longest first, so that the first match is the closest.
        self._prefixes = sorted(routes.items(), key=lambda it: len(it[0]), reverse=True)

    @classmethod
    def read(cls, path: Path = TABLE) -> FrontDoor:
        """Load the table; raises ValueError when it would expose an internal function."""
        document = yaml.safe_load(path.read_text())
        return cls(document["routes"], frozenset(document["internal"]))

    def function_for(self, path: str) -> str | None:
        """The function that answers `path` (as sent, without its query), or None."""
        for prefix, function in self._prefixes:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return function
        return None

    def functions(self) -> set[str]:
        """Every function with a public path."""
        return {function for _, function in self._prefixes}
