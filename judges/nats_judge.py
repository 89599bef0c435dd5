"""An attacker at the broker, written with `nats-py`, that knows nothing of the platform's code.

With each tenant's real certificate it tries what a tenant could try against every tenant, itself
included: what is refused to strangers must succeed for the owner, by the same lines. Prints rows;
their verdict is made by `cargo xtask test`.
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
from rows import ALLOWED, INCONCLUSIVE, TURNED_AWAY, Control, Deed, Row, Seen, print_document


async def connect(environment: Environment, credential: Credential | None) -> Row:
    """Connect with a certificate or with none, between two connections of the poller's."""
    deed = Deed(credential, "connect", target=environment.nats.name)
    before = await _is_served(environment)
    try:
        async with Session(environment, credential) as session:
            await session.settle()
            seen = Seen(ALLOWED, evidence=(f"client {session.client.client_id}",))
            callers = session.callers
    except Refused as refused:
        seen, callers = Seen(TURNED_AWAY, evidence=(str(refused),)), refused.callers
    return deed.ended(seen, [before, await _is_served(environment)], callers)


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
    return [
        row
        for caller in agents
        for owner in agents
        for row in await _pair(environment, caller, owner)
    ]


async def _pair(environment: Environment, caller: Agent, owner: Agent) -> list[Row]:
    try:
        async with (
            Session(environment, caller.credential) as attacker,
            Session(environment, owner.credential) as witness,
        ):
            scene = Scene(environment, caller, owner, attacker, witness)
            return await _messages(scene) + await nats_storage.rows(scene)
    except Refused as refused:
        unseen = Seen(INCONCLUSIVE, evidence=(f"not tried: {refused}",))
        deeds = [*nats_messages.ATTEMPTS, *nats_storage.ATTEMPTS]
        of = (Deed(caller.credential, operation, owner.tenant) for operation in deeds)
        return [deed.ended(unseen, []) for deed in of]


async def _messages(scene: Scene) -> list[Row]:
    rows: list[Row] = []
    for operation, attempt in nats_messages.ATTEMPTS.items():
        before = await scene.controls()
        seen = await nats_messages.tried(scene, attempt)
        await scene.forget()
        rows.append(scene.deed(operation).ended(seen, before + await scene.controls()))
    return rows


async def of_the_broker(environment: Environment) -> list[Row]:
    """What tenants could ask of the broker itself."""
    rows: list[Row] = []
    for agent in environment.first_agents():
        for operation, attempt in nats_messages.OF_THE_BROKER.items():
            deed = Deed(agent.credential, operation)
            try:
                async with Session(environment, agent.credential) as session:
                    scene = Scene(environment, agent, agent, session, session)
                    before = await scene.controls()
                    seen = await nats_messages.tried(scene, attempt)
                    rows.append(deed.ended(seen, before + await scene.controls()))
            except Refused as refused:
                rows.append(deed.ended(Seen(INCONCLUSIVE, evidence=(f"{refused}",)), []))
    return rows


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
        rows.append(Deed(environment.admin, "read-results", owner.tenant).ended(seen, []))
    return rows


async def judge(environment: Environment) -> list[Row]:
    """Everything."""
    agents = list(environment.first_agents())
    credentials = [
        None,
        *(agent.credential for agent in agents),
        environment.admin,
        *environment.forged,
    ]
    rows = [await connect(environment, credential) for credential in credentials]
    rows += await of_the_broker(environment)
    rows += await tenants_against_each_other(environment)
    return rows + await administrator(environment)


def main() -> int:
    """Observe, print, and say whether everything could be observed."""
    # asyncio's streams warn at the end of every TLS connection of what they do themselves.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    environment = from_command_line(__doc__ or "")
    print_document(f"nats-py {version('nats-py')}", asyncio.run(judge(environment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
