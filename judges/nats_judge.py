"""An attacker at the broker that is written with `nats-py` and knows nothing of the platform's own code.

With each tenant's real certificate it tries what a tenant could try against every tenant, itself included: what is refused
to strangers must succeed for the owner, by the same lines. Prints rows; their verdict is made by `cargo xtask test`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from importlib.metadata import version

import nats_messages
import nats_storage
from environment import Agent, Credential, Environment, from_command_line
from nats_messages import Scene
from nats_session import Refused, Session
from rows import ALLOWED, INCONCLUSIVE, TURNED_AWAY, Control, Row, Seen, print_document


async def connect(environment: Environment, credential: Credential | None) -> Row:
    """Connect with a certificate, or with none, between two connections of the platform's own poller."""
    before = await _is_served(environment)
    try:
        async with Session(environment, credential) as session:
            await session.settle()
            outcome, evidence, callers = ALLOWED, [f"client {session.client.client_id}"], session.callers
    except Refused as refused:
        outcome, evidence, callers = TURNED_AWAY, [str(refused)], refused.callers
    name, flaw = (credential.name, credential.flaw) if credential else (None, None)
    controls = [before, await _is_served(environment)]
    return Row(name, flaw, "connect", None, environment.nats.name, outcome, None, evidence, controls, callers)


async def _is_served(environment: Environment) -> Control:
    try:
        async with Session(environment, environment.poller) as session:
            await session.settle()
            return Control("the poller connects", True)
    except Refused as refused:
        return Control(f"the poller connects: {refused}", False)


async def tenants_against_each_other(environment: Environment) -> list[Row]:
    """Every attempt by every tenant on every tenant."""
    agents = list(environment.first_agents())
    return [row for caller in agents for owner in agents for row in await _pair(environment, caller, owner)]


async def _pair(environment: Environment, caller: Agent, owner: Agent) -> list[Row]:
    try:
        async with Session(environment, caller.credential) as attacker:
            async with Session(environment, owner.credential) as witness:
                scene = Scene(environment, caller, owner, attacker, witness)
                return await _messages(scene) + await nats_storage.rows(scene)
    except Refused as refused:
        unseen = Seen(INCONCLUSIVE, evidence=(f"not tried: {refused}",))
        deeds = [*nats_messages.ATTEMPTS, *nats_storage.attempts(caller, owner)]
        return [_row(caller.credential, owner, operation, unseen, []) for operation in deeds]


async def _messages(scene: Scene) -> list[Row]:
    rows: list[Row] = []
    for operation, attempt in nats_messages.ATTEMPTS.items():
        before = await scene.controls()
        seen = await nats_messages.tried(scene, attempt)
        await scene.attacker.forget()
        await scene.witness.forget()
        rows.append(_row(scene.caller.credential, scene.owner, operation, seen, before + await scene.controls()))
    return rows


def _row(who: Credential, owner: Agent, operation: str, seen: Seen, controls: list[Control]) -> Row:
    evidence = list(seen.evidence)
    return Row(who.name, who.flaw, operation, owner.tenant, None, seen.outcome, seen.reason, evidence, controls)


async def administrator(environment: Environment) -> list[Row]:
    """The administrator reads what tenants may not, by the same lines."""
    rows: list[Row] = []
    for owner in environment.first_agents():
        try:
            async with Session(environment, environment.admin) as admin:
                scene = Scene(environment, owner, owner, admin, admin)
                seen = await nats_messages.tried(scene, nats_messages.read_results)
        except Refused as refused:
            seen = Seen(INCONCLUSIVE, evidence=(f"not tried: {refused}",))
        rows.append(_row(environment.admin, owner, "read-results", seen, []))
    return rows


async def judge(environment: Environment) -> list[Row]:
    """Everything."""
    agents = list(environment.first_agents())
    credentials = [None, *(agent.credential for agent in agents), environment.admin, *environment.forged]
    rows = [await connect(environment, credential) for credential in credentials]
    return rows + await tenants_against_each_other(environment) + await administrator(environment)


def main() -> int:
    """Observe, print, and say whether everything could be observed."""
    # asyncio's streams warn at the end of every TLS connection, of something that they do themselves.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    environment = from_command_line(__doc__ or "")
    print_document(f"nats-py {version('nats-py')}", asyncio.run(judge(environment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
