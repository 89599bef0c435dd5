"""What a judge saw, as rows of one JSON document. What it means is decided elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field

#: It was done.
ALLOWED = "allowed"
#: The other side said no, in its protocol's own words; `reason` says which.
DENIED = "denied"
#: The connection was ended before anything was answered. Why, only the service's own record can say.
TURNED_AWAY = "turned-away"
#: Nothing came and nothing was said. Never a denial by itself: the controls decide what it is worth.
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
    evidence: list[str]
    controls: list[Control] = field(default_factory=list)
    #: From where the service was called.
    callers: list[str] = field(default_factory=list)


def print_document(judge: str, rows: list[Row]) -> None:
    """Print everything that was seen."""
    document = {"judge": judge, "rows": [asdict(row) for row in rows]}
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")
