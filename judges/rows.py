"""What a judge saw, as rows of one JSON document. What it means is decided elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from environment import Credential

#: It was done.
ALLOWED = "allowed"
#: The other side said no, in its protocol's own words; `reason` says which.
DENIED = "denied"
#: The connection was ended before anything was answered. Why, only the service's own record can
#: say.
TURNED_AWAY = "turned-away"
#: Nothing came and nothing was said. Never a denial by itself: the controls decide what it is
#: worth.
SILENT = "silent"
#: It cannot be said.
INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Seen:
    """How one attempt ended."""

    outcome: str
    reason: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Control:
    """Something rightful, done beside an attempt by the same means."""

    what: str
    held: bool


@dataclass(frozen=True)
class Row:
    """One attempt: who did what to whom, and how it ended."""

    who: str | None
    flaw: str | None
    operation: str
    #: The tenant whose it is.
    owner: str | None
    #: The service that was called.
    target: str | None
    outcome: str
    reason: str | None
    evidence: tuple[str, ...]
    controls: list[Control]
    #: From where the service was called.
    callers: list[str]


@dataclass(frozen=True)
class Deed:
    """What is done, by whom, and to whom."""

    who: Credential | None
    operation: str
    owner: str | None = None
    target: str | None = None

    def ended(self, seen: Seen, controls: list[Control], callers: Sequence[str] = ()) -> Row:
        """Make it a row."""
        name, flaw = (self.who.name, self.who.flaw) if self.who else (None, None)
        how = (seen.outcome, seen.reason, seen.evidence)
        return Row(
            name, flaw, self.operation, self.owner, self.target, *how, controls, list(callers)
        )


def print_document(judge: str, rows: list[Row]) -> None:
    """Print everything that was seen."""
    document = {"judge": judge, "rows": [asdict(row) for row in rows]}
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")
