"""What can be tried with a tenant's streams and buckets.

The same is tried by strangers and by the tenant itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import (
    ConsumerConfig,
    KeyValueConfig,
    StorageType,
    StreamConfig,
    StreamSource,
    StreamState,
)
from nats.js.errors import APIError, BucketNotFoundError, NoStreamResponseError

from environment import Agent
from nats_messages import Scene
from nats_session import TROUBLE, comes_true, nonce
from rows import ALLOWED, DENIED, INCONCLUSIVE, SILENT, Row, Seen

_BYTES_MAX = 16 * 1024
#: What a tenant has in its stream before anything is tried.
_NOTES = 3
#: How many copies of its own a caller sees filled before it takes an empty one for empty.
_COPIES = 5
#: JetStream's own numbers for a stream and a consumer that it does not know.
_NOT_FOUND = (10059, 10014)


@dataclass
class Shelf:
    """A stream and a bucket of the owner's, under names that the caller knows."""

    scene: Scene
    name: str
    bucket: str
    subject: str
    theirs: JetStreamContext
    ours: JetStreamContext

    async def reading(self) -> tuple[int, int, int]:
        """What the owner finds in its stream: the number of messages, the first and the last."""
        state: StreamState = (await self.theirs.stream_info(self.name)).state
        return state.messages, state.first_seq, state.last_seq


Attempt = Callable[[Shelf], Awaitable[Seen]]


def _config(name: str, **rest: object) -> StreamConfig:
    return StreamConfig(name=name, storage=StorageType.MEMORY, max_bytes=_BYTES_MAX, **rest)  # type: ignore[arg-type]


def _shelf(scene: Scene) -> Shelf:
    word = nonce()
    theirs, ours = (
        session.client.jetstream(timeout=5) for session in (scene.witness, scene.attacker)
    )
    return Shelf(
        scene, f"JUDGE_{word}", f"J{word}", f"{scene.owner.tenant}.notes.{word}", theirs, ours
    )


async def _fill(shelf: Shelf) -> None:
    owner = shelf.scene.owner.tenant
    await shelf.theirs.add_stream(_config(shelf.name, subjects=[shelf.subject]))
    for number in range(_NOTES):
        await shelf.theirs.publish(shelf.subject, f"note {number} of {owner}".encode())
    bucket = KeyValueConfig(bucket=shelf.bucket, storage=StorageType.MEMORY, max_bytes=_BYTES_MAX)
    await (await shelf.theirs.create_key_value(bucket)).put("colour", f"{owner}'s".encode())


async def _remove(shelf: Shelf) -> None:
    for stream in (shelf.name, f"KV_{shelf.bucket}"):
        # That it is gone may have been an attempt's purpose.
        with contextlib.suppress(*TROUBLE):
            await shelf.theirs.delete_stream(stream)


async def _list(shelf: Shelf) -> Seen:
    names = [info.config.name for info in await shelf.ours.streams_info()]
    found = shelf.name in names
    return Seen(ALLOWED if found else SILENT, evidence=(f"listed: {names}",))


async def _describe(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.stream_info(shelf.name)).state}",))


async def _read(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.get_msg(shelf.name, 1)).data!r}",))


async def _consume(shelf: Shelf) -> Seen:
    consumer = await shelf.ours.add_consumer(
        shelf.name, ConsumerConfig(durable_name="judge", mem_storage=True)
    )
    return Seen(ALLOWED, evidence=(f"consumer {consumer.name}",))


async def _get_value(shelf: Shelf) -> Seen:
    bucket = await shelf.ours.key_value(shelf.bucket)
    return Seen(ALLOWED, evidence=(f"{(await bucket.get('colour')).value!r}",))


async def _put_value(shelf: Shelf) -> Seen:
    kept = await shelf.ours.publish(f"$KV.{shelf.bucket}.colour", b"another")
    return Seen(ALLOWED, evidence=(f"kept as {kept.seq} of {kept.stream}",))


async def _delete_message(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.delete_msg(shelf.name, 1))


async def _purge(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.purge_stream(shelf.name))


async def _delete(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.delete_stream(shelf.name))


def _done(success: bool) -> Seen:
    return Seen(ALLOWED if success else INCONCLUSIVE, evidence=(f"success: {success}",))


async def _read_platform_record(shelf: Shelf) -> Seen:
    name = f"RESULTS_{shelf.scene.owner.tenant}"
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.stream_info(name)).state}",))


def _copying(how: Callable[[Shelf], StreamConfig]) -> Attempt:
    """Keep a stream that is to hold the owner's messages.

    It has as long as copies of the caller's own take to fill.
    """

    async def attempt(shelf: Shelf) -> Seen:
        own, kept = await _own_shelf(shelf), [f"COPY_{shelf.name}"]
        evidence: list[str] = []
        try:
            await shelf.ours.add_stream(how(shelf))
            for number in range(_COPIES):
                control = how(own)
                control.name = f"{control.name}_{number}"
                await shelf.ours.add_stream(control)
                kept.append(control.name)
                if not await comes_true(lambda: _holds(shelf.ours, kept[-1])):
                    return Seen(
                        INCONCLUSIVE, evidence=(f"not even {control.name} of its own fills",)
                    )
                evidence.append(f"{control.name} of its own fills")
                if await _holds(shelf.ours, kept[0]):
                    return Seen(ALLOWED, evidence=(*evidence, f"{kept[0]} fills"))
            return Seen(SILENT, evidence=(*evidence, f"{kept[0]} stays empty"))
        finally:
            for name in (own.name, *kept):
                await _forget(shelf.ours, name)

    return attempt


async def _holds(jetstream: JetStreamContext, name: str) -> bool:
    return (await jetstream.stream_info(name)).state.messages > 0


async def _own_shelf(shelf: Shelf) -> Shelf:
    word, tenant = nonce(), shelf.scene.caller.tenant
    own = Shelf(
        shelf.scene, f"JUDGE_{word}", f"J{word}", f"{tenant}.notes.{word}", shelf.ours, shelf.ours
    )
    await own.ours.add_stream(_config(own.name, subjects=[own.subject]))
    await own.ours.publish(own.subject, b"own")
    return own


async def _forget(jetstream: JetStreamContext, name: str) -> None:
    # It may never have been.
    with contextlib.suppress(*TROUBLE):
        await jetstream.delete_stream(name)


def _mirror(shelf: Shelf) -> StreamConfig:
    return _config(f"COPY_{shelf.name}", mirror=StreamSource(name=shelf.name))


def _source(shelf: Shelf) -> StreamConfig:
    return _config(f"COPY_{shelf.name}", sources=[StreamSource(name=shelf.name)])


PLATFORMS = "read-platform-record"
#: By the words of the rows, the destructive ones last.
ATTEMPTS: dict[str, Attempt] = {
    "list-streams": _list,
    "describe-stream": _describe,
    "read-message": _read,
    "consume": _consume,
    "get-value": _get_value,
    "put-value": _put_value,
    "mirror": _copying(_mirror),
    "source": _copying(_source),
    PLATFORMS: _read_platform_record,
    "delete-message": _delete_message,
    "purge-stream": _purge,
    "delete-stream": _delete,
}


async def _tried(shelf: Shelf, attempt: Attempt) -> Seen:
    try:
        return await attempt(shelf)
    except BucketNotFoundError as error:
        return Seen(DENIED, "not-found", (f"{error}",))
    except (NoStreamResponseError, NoRespondersError) as error:
        return Seen(DENIED, "other-account", (f"{error}",))
    except APIError as error:
        known = error.err_code in _NOT_FOUND
        return Seen(
            DENIED if known else INCONCLUSIVE, "not-found" if known else None, (f"{error}",)
        )


async def _observed(scene: Scene, attempt: Attempt) -> Seen:
    """An attempt on a shelf of its own.

    Whatever it was told, a stream that changed was within its reach.
    """
    shelf = _shelf(scene)
    try:
        await _fill(shelf)
        before = await shelf.reading()
        seen = await _tried(shelf, attempt)
        if seen.outcome != ALLOWED and (after := await shelf.reading()) != before:
            change = f"the owner's stream was {before} and is {after}"
            return Seen(ALLOWED, evidence=(*seen.evidence, change))
        return seen
    except TROUBLE as error:
        return Seen(
            INCONCLUSIVE, evidence=(f"{error!r}", *scene.attacker.errors, *scene.witness.errors)
        )
    finally:
        await _remove(shelf)


def attempts(caller: Agent, owner: Agent) -> dict[str, Attempt]:
    """What a caller tries with an owner's.

    The platform's record of a tenant is not that tenant's.
    """
    own = caller.tenant == owner.tenant
    return {
        operation: attempt
        for operation, attempt in ATTEMPTS.items()
        if not (own and operation == PLATFORMS)
    }


async def rows(scene: Scene) -> list[Row]:
    """Every attempt, each between controls."""
    rows: list[Row] = []
    for operation, attempt in attempts(scene.caller, scene.owner).items():
        before = await scene.controls()
        seen = await _observed(scene, attempt)
        await scene.forget()
        rows.append(scene.deed(operation).ended(seen, before + await scene.controls()))
    return rows
