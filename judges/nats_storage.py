"""What can be tried with a tenant's streams and buckets. The same is tried by strangers and by the tenant itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, KeyValueConfig, StorageType, StreamConfig, StreamSource, StreamState
from nats.js.errors import APIError, BucketNotFoundError, NoStreamResponseError, NotFoundError
from nats_messages import Scene
from nats_session import comes_true, nonce
from rows import ALLOWED, DENIED, INCONCLUSIVE, SILENT, Control, Row, Seen

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


def _config(name: str, **rest: object) -> StreamConfig:
    return StreamConfig(name=name, storage=StorageType.MEMORY, max_bytes=_BYTES_MAX, **rest)  # type: ignore[arg-type]


async def _filled(scene: Scene) -> Shelf:
    word = nonce()
    subject = f"{scene.owner.tenant}.notes.{word}"
    theirs, ours = (session.client.jetstream(timeout=5) for session in (scene.witness, scene.attacker))
    shelf = Shelf(scene, f"JUDGE_{word}", f"J{word}", subject, theirs, ours)
    await theirs.add_stream(_config(shelf.name, subjects=[subject]))
    for number in range(_NOTES):
        await theirs.publish(subject, f"note {number} of {scene.owner.tenant}".encode())
    bucket = KeyValueConfig(bucket=shelf.bucket, storage=StorageType.MEMORY, max_bytes=_BYTES_MAX)
    await (await theirs.create_key_value(bucket)).put("colour", f"{scene.owner.tenant}'s".encode())
    return shelf


async def _removed(shelf: Shelf) -> None:
    for stream in (shelf.name, f"KV_{shelf.bucket}"):
        try:
            await shelf.theirs.delete_stream(stream)
        except NotFoundError:
            pass  # It was an attempt's purpose.


async def _list(shelf: Shelf) -> Seen:
    names = [info.config.name for info in await shelf.ours.streams_info()]
    found = shelf.name in names
    return Seen(ALLOWED if found else SILENT, evidence=(f"listed: {names}",))


async def _describe(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.stream_info(shelf.name)).state}",))


async def _read(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.get_msg(shelf.name, 1)).data!r}",))


async def _consume(shelf: Shelf) -> Seen:
    consumer = await shelf.ours.add_consumer(shelf.name, ConsumerConfig(durable_name="judge", mem_storage=True))
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


def _copying(how: Callable[[Shelf], StreamConfig]) -> Callable[[Shelf], Awaitable[Seen]]:
    """Keep a stream that is to hold the owner's messages. It has as long as copies of the caller's own take to fill."""

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
                    return Seen(INCONCLUSIVE, evidence=(f"not even {control.name} of its own fills",))
                evidence.append(f"{control.name} of its own fills")
                if await _holds(shelf.ours, kept[0]):
                    return Seen(ALLOWED, evidence=(*evidence, f"{kept[0]} fills"))
            return Seen(SILENT, evidence=(*evidence, f"{kept[0]} stays empty"))
        finally:
            for name in (own.name, *kept):
                await _forgotten(shelf.ours, name)

    return attempt


async def _holds(jetstream: JetStreamContext, name: str) -> bool:
    return (await jetstream.stream_info(name)).state.messages > 0


async def _own_shelf(shelf: Shelf) -> Shelf:
    word, tenant = nonce(), shelf.scene.caller.tenant
    own = Shelf(shelf.scene, f"JUDGE_{word}", f"J{word}", f"{tenant}.notes.{word}", shelf.ours, shelf.ours)
    await own.ours.add_stream(_config(own.name, subjects=[own.subject]))
    await own.ours.publish(own.subject, b"own")
    return own


async def _forgotten(jetstream: JetStreamContext, name: str) -> None:
    try:
        await jetstream.delete_stream(name)
    except APIError:
        pass  # It never was.


def _mirror(shelf: Shelf) -> StreamConfig:
    return _config(f"COPY_{shelf.name}", mirror=StreamSource(name=shelf.name))


def _source(shelf: Shelf) -> StreamConfig:
    return _config(f"COPY_{shelf.name}", sources=[StreamSource(name=shelf.name)])


#: By the words of the rows, the destructive ones last.
ATTEMPTS: dict[str, Callable[[Shelf], Awaitable[Seen]]] = {
    "list-streams": _list,
    "describe-stream": _describe,
    "read-message": _read,
    "consume": _consume,
    "get-value": _get_value,
    "put-value": _put_value,
    "mirror": _copying(_mirror),
    "source": _copying(_source),
    "read-platform-record": _read_platform_record,
    "delete-message": _delete_message,
    "purge-stream": _purge,
    "delete-stream": _delete,
}


async def _tried(shelf: Shelf, attempt: Callable[[Shelf], Awaitable[Seen]]) -> Seen:
    try:
        return await attempt(shelf)
    except BucketNotFoundError as error:
        return Seen(DENIED, "not-found", (f"{error}",))
    except (NoStreamResponseError, NoRespondersError) as error:
        return Seen(DENIED, "other-account", (f"{error}",))
    except APIError as error:
        known = error.err_code in _NOT_FOUND
        return Seen(DENIED if known else INCONCLUSIVE, "not-found" if known else None, (f"{error}",))
    except (Error, asyncio.TimeoutError) as error:
        evidence = (f"{error!r}", *shelf.scene.attacker.errors)
        return Seen(INCONCLUSIVE, evidence=evidence)


async def _row(scene: Scene, operation: str, attempt: Callable[[Shelf], Awaitable[Seen]]) -> Row:
    shelf = await _filled(scene)
    before, controls = await shelf.reading(), await scene.controls()
    seen = await _tried(shelf, attempt)
    evidence = list(seen.evidence)
    outcome, reason = seen.outcome, seen.reason
    if outcome != ALLOWED:
        after = await shelf.reading()
        if after != before:
            outcome, reason = ALLOWED, None
            evidence.append(f"the owner's stream was {before} and is {after}")
    controls += await scene.controls()
    await _removed(shelf)
    await scene.attacker.forget()
    who = scene.caller.credential
    return Row(who.name, who.flaw, operation, scene.owner.tenant, None, outcome, reason, evidence, controls)


async def rows(scene: Scene) -> list[Row]:
    """Every attempt, each on a shelf of its own."""
    own = scene.caller.tenant == scene.owner.tenant
    attempts = (
        (operation, attempt)
        for operation, attempt in ATTEMPTS.items()
        # The platform's record of a tenant is not that tenant's.
        if not (own and operation == "read-platform-record")
    )
    return [await _row(scene, operation, attempt) for operation, attempt in attempts]
