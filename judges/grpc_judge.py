"""Callers of the agents, written with `grpcio`, that know nothing of the platform's own code.

Each agent is called as the poller, as agents of its own and of other tenants, and by somebody
without a certificate: for its health, for its status in bytes that are written by hand, and for
its reflection, which nobody offers. Prints rows; their verdict is made by `cargo xtask test`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from environment import Agent, Credential, Environment, from_command_line
from relay import Relay
from rows import (
    ALLOWED,
    DENIED,
    INCONCLUSIVE,
    TURNED_AWAY,
    Control,
    Deed,
    Row,
    Seen,
    print_document,
)

_DEADLINE_S = 5.0
#: `monitoring.StatusRequest` without any field: the agent itself is meant.
_STATUS_REQUEST = b""
#: The first field of `monitoring.StatusResponse` is `available`, and it is true.
_AVAILABLE = b"\x08\x01"

Call = Callable[[grpc.aio.Channel], Awaitable[Seen]]


async def health_check(channel: grpc.aio.Channel) -> Seen:
    """Ask once."""
    stub = health_pb2_grpc.HealthStub(channel)
    return _health(await stub.Check(health_pb2.HealthCheckRequest(), timeout=_DEADLINE_S))


async def health_watch(channel: grpc.aio.Channel) -> Seen:
    """Ask to be told, and take the first word."""
    stub = health_pb2_grpc.HealthStub(channel)
    call = stub.Watch(health_pb2.HealthCheckRequest(), timeout=_DEADLINE_S)
    async for answer in call:
        call.cancel()
        return _health(answer)
    return Seen(INCONCLUSIVE, evidence=("the stream ended without a word",))


def _health(answer: health_pb2.HealthCheckResponse) -> Seen:
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return Seen(ALLOWED if serving else INCONCLUSIVE, evidence=(word,))


async def get_status(channel: grpc.aio.Channel) -> Seen:
    """Call the agent's own service, of whose messages `grpcio` knows nothing."""
    call = channel.unary_unary("/monitoring.AgentService/GetStatus")
    answer = await call(_STATUS_REQUEST, timeout=_DEADLINE_S)
    outcome = ALLOWED if answer.startswith(_AVAILABLE) else INCONCLUSIVE
    return Seen(outcome, evidence=(f"{len(answer)} bytes: {answer[:160]!r}",))


async def reflection(channel: grpc.aio.Channel) -> Seen:
    """Ask which services there are."""
    # One request in one piece: the library's stream of requests fails by itself when the answer is
    # a refusal that comes first.
    call = channel.unary_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in call(request, timeout=_DEADLINE_S):
        return Seen(ALLOWED, evidence=(f"{answer}",))
    return Seen(INCONCLUSIVE, evidence=("the stream ended without a word",))


#: By the words of the rows.
CALLS: dict[str, Call] = {
    "health": health_check,
    "watch-health": health_watch,
    "get-status": get_status,
    "reflection": reflection,
}


async def call(
    environment: Environment, who: Credential | None, agent: Agent, what: Call
) -> tuple[Seen, list[str]]:
    """Call once, over a connection of its own."""
    async with Relay(agent.service) as relay:
        options = [
            ("grpc.ssl_target_name_override", agent.service.name),
            ("grpc.enable_retries", 0),
        ]
        async with grpc.aio.secure_channel(
            relay.address, _tls(environment, who), options
        ) as channel:
            try:
                return await what(channel), relay.callers
            except grpc.aio.AioRpcError as error:
                return _refused(error), relay.callers


def _tls(environment: Environment, who: Credential | None) -> grpc.ChannelCredentials:
    root = environment.root.read_bytes()
    if who is None:
        return grpc.ssl_channel_credentials(root)
    return grpc.ssl_channel_credentials(root, who.key.read_bytes(), who.certificate.read_bytes())


def _refused(error: grpc.aio.AioRpcError) -> Seen:
    """A status that the service sent is its own word.

    `UNAVAILABLE` is made by the client when a connection ends.
    """
    code, details = error.code(), error.details() or ""
    evidence = (f"{code.name}: {details}",)
    if code == grpc.StatusCode.UNAVAILABLE:
        return Seen(TURNED_AWAY, evidence=evidence)
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return Seen(DENIED, details, evidence)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return Seen(DENIED, "unimplemented", evidence)
    return Seen(INCONCLUSIVE, evidence=evidence)


async def _is_served(environment: Environment, agent: Agent) -> Control:
    seen, _ = await call(environment, environment.poller, agent, health_check)
    return Control(
        f"the poller asks {agent.service.name} for its health: {seen.evidence}",
        seen.outcome == ALLOWED,
    )


async def judge(environment: Environment) -> list[Row]:
    """Make every call as every caller to each tenant's agent, between two of the poller's."""
    rows: list[Row] = []
    agents = list(environment.first_agents())
    callers = [
        environment.poller,
        environment.admin,
        *(agent.credential for agent in agents),
        None,
    ]
    for agent in agents:
        forged = (each for each in environment.forged if each.name == agent.service.name)
        for who in [*callers, *forged]:
            for operation, what in CALLS.items():
                deed = Deed(who, operation, agent.tenant, agent.service.name)
                before = await _is_served(environment, agent)
                seen, addresses = await call(environment, who, agent, what)
                controls = [before, await _is_served(environment, agent)]
                rows.append(deed.ended(seen, controls, addresses))
    return rows


def main() -> int:
    """Observe, print, and say whether everything could be observed."""
    environment = from_command_line(__doc__ or "")
    print_document(f"grpcio {version('grpcio')}", asyncio.run(judge(environment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
