"""A running environment as `environment.json` describes it, as far as the judges need it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Credential:
    """A certificate chain with its key, and what is wrong with it, if anything is."""

    name: str
    certificate: Path
    key: Path
    flaw: str | None = None

    @staticmethod
    def of(record: dict[str, Any]) -> Credential:
        """Read one from its JSON."""
        certificate, key = Path(record["certificate"]), Path(record["key"])
        return Credential(record["name"], certificate, key, record.get("flaw"))


@dataclass(frozen=True)
class Service:
    """Somebody who listens: the certified name, and where."""

    name: str
    host: str
    port: int

    @staticmethod
    def of(record: dict[str, Any], address: str = "address") -> Service:
        """Read one from its JSON."""
        host, _, port = record[address].rpartition(":")
        return Service(record["name"], host.strip("[]"), int(port))


@dataclass(frozen=True)
class Agent:
    """An agent of a tenant."""

    tenant: str
    id: str
    service: Service
    credential: Credential


@dataclass(frozen=True)
class Environment:
    """Who is there."""

    root: Path
    nats: Service
    nats_inside: str
    poller: Credential
    admin: Credential
    agents: tuple[Agent, ...]
    forged: tuple[Credential, ...]

    def first_agents(self) -> Iterator[Agent]:
        """One agent of each tenant: the first."""
        seen: set[str] = set()
        for agent in self.agents:
            if agent.tenant not in seen:
                seen.add(agent.tenant)
                yield agent


def from_command_line(description: str) -> Environment:
    """Read the environment that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("environment", type=Path, help="environment.json of a running environment")
    parser.add_argument(
        "--forged", type=Path, help="JSON list of certificates with something wrong"
    )
    arguments = parser.parse_args()
    forged = json.loads(arguments.forged.read_text()) if arguments.forged else []
    return _read(json.loads(arguments.environment.read_text()), forged)


def _read(record: dict[str, Any], forged: list[dict[str, Any]]) -> Environment:
    if record["schema_version"] != SCHEMA_VERSION:
        raise SystemExit(
            f"environment.json has version {record['schema_version']}, not {SCHEMA_VERSION}"
        )
    platform = record["platform"]
    agents = tuple(
        Agent(tenant["slug"], agent["id"], Service.of(agent), Credential.of(agent["credential"]))
        for tenant in record["tenants"]
        for agent in tenant["agents"]
    )
    return Environment(
        root=Path(record["root"]),
        nats=Service.of(platform["nats"]),
        nats_inside=platform["nats"]["inside_address"],
        poller=Credential.of(platform["poller_credential"]),
        admin=Credential.of(platform["admin"]),
        agents=agents,
        forged=tuple(Credential.of(each) for each in forged),
    )
