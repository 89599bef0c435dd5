"""What can be tried with a tenant's streams and buckets.

The same is tried by strangers and by the tenant itself.
"""

from __future__ import annotations

import contextlib
import json
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
    await shelf.theirs.add_stream(_config(shelf.name, subjects=[shelf.subject], allow_direct=True))
    for number in range(_NOTES):
        await shelf.theirs.publish(shelf.subject, f"note {number} of {owner}".encode())
    bucket = KeyValueConfig(bucket=shelf.bucket, storage=StorageType.MEMORY, max_bytes=_BYTES_MAX)
    await (await shelf.theirs.create_key_value(bucket)).put("colour", f"{owner}'s".encode())


async def _remove(shelf: Shelf) -> None:
    for stream in (shelf.name, f"KV_{shelf.bucket}"):
        # That it is gone may have been an attempt's purpose.
        with contextlib.suppress(*TROUBLE):
            await shelf.theirs.delete_stream(stream)


async def _list_names(shelf: Shelf) -> Seen:
    answer = await shelf.scene.attacker.client.request("$JS.API.STREAM.NAMES", timeout=5)
    return _found(shelf, json.loads(answer.data).get("streams") or [])


async def _list(shelf: Shelf) -> Seen:
    infos = await shelf.ours.streams_info()
    return _found(shelf, [info.config.name or "" for info in infos])


def _found(shelf: Shelf, names: list[str]) -> Seen:
    return Seen(ALLOWED if shelf.name in names else SILENT, evidence=(f"listed: {names}",))


async def _describe(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.stream_info(shelf.name)).state}",))


async def _read(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.get_msg(shelf.name, 1)).data!r}",))


async def _read_directly(shelf: Shelf) -> Seen:
    message = await shelf.ours.get_msg(shelf.name, 1, direct=True)
    return Seen(ALLOWED, evidence=(f"{message.data!r}",))


async def _consume(shelf: Shelf) -> Seen:
    config = ConsumerConfig(durable_name="judge", mem_storage=True)
    consumer = await shelf.ours.add_consumer(shelf.name, config)
    return Seen(ALLOWED, evidence=(f"consumer {consumer.name}",))


async def _read_value(shelf: Shelf) -> Seen:
    bucket = await shelf.ours.key_value(shelf.bucket)
    return Seen(ALLOWED, evidence=(f"{(await bucket.get('colour')).value!r}",))


async def _store(shelf: Shelf) -> Seen:
    return await _said(shelf, shelf.subject)


async def _purge_account(shelf: Shelf) -> Seen:
    # CVE-2025-30215: before 2.11.1 any account could have another's streams purged by this.
    return await _said(shelf, f"$JS.API.ACCOUNT.PURGE.T_{shelf.scene.owner.tenant}")


async def _said(shelf: Shelf, subject: str) -> Seen:
    """What comes of it shows in the owner's stream."""
    await shelf.scene.attacker.say(subject, "")
    await shelf.scene.settle(shelf.scene.attacker)
    violated = shelf.scene.attacker.violation(subject)
    return violated or Seen(SILENT, evidence=(f"{subject}: nothing was said of it",))


async def _put_value(shelf: Shelf) -> Seen:
    kept = await shelf.ours.publish(f"$KV.{shelf.bucket}.colour", b"another")
    return Seen(ALLOWED, evidence=(f"kept as {kept.seq} of {kept.stream}",))


async def _reconfigure(shelf: Shelf) -> Seen:
    changed = await shelf.ours.update_stream(
        _config(shelf.name, subjects=[shelf.subject], max_msgs=1, allow_direct=True)
    )
    return Seen(ALLOWED, evidence=(f"{changed.config}",))


async def _remove_message(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.delete_msg(shelf.name, 1))


async def _purge(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.purge_stream(shelf.name))


async def _delete(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.delete_stream(shelf.name))


async def _delete_bucket(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.delete_key_value(shelf.bucket))


async def _read_record(shelf: Shelf) -> Seen:
    return Seen(ALLOWED, evidence=(f"{(await shelf.ours.stream_info(_record(shelf))).state}",))


async def _purge_record(shelf: Shelf) -> Seen:
    return _done(await shelf.ours.purge_stream(_record(shelf)))


def _record(shelf: Shelf) -> str:
    return f"RESULTS_{shelf.scene.owner.tenant}"


def _done(success: bool) -> Seen:
    return Seen(ALLOWED if success else INCONCLUSIVE, evidence=(f"success: {success}",))


async def _capture(shelf: Shelf) -> Seen:
    """Keep a stream on a subject of the owner's, beside one on a subject of the caller's own."""
    word, scene = nonce(), shelf.scene
    theirs, own = f"{scene.owner.tenant}.loose.{word}", f"{scene.caller.tenant}.own.{word}"
    kept = {f"CAPTURE_{word}": theirs, f"OWN_{word}": own}
    captured, control = kept
    try:
        for name, subject in kept.items():
            await shelf.ours.add_stream(_config(name, subjects=[subject]))
        await scene.witness.say(theirs, word)
        await scene.settle(scene.witness)
        await scene.attacker.say(own, word)
        if not await comes_true(lambda: _holds(shelf.ours, control)):
            return Seen(INCONCLUSIVE, evidence=(f"not even {control} of its own fills",))
        filled = await _holds(shelf.ours, captured)
        evidence = (f"{control} of its own fills", f"{captured} fills: {filled}")
        return Seen(ALLOWED if filled else SILENT, evidence=evidence)
    finally:
        for name in kept:
            await _forget(shelf.ours, name)


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


#: By the words of the rows.
ATTEMPTS: dict[str, Attempt] = {
    "list-names": _list_names,
    "list": _list,
    "describe": _describe,
    "read-message": _read,
    "read-direct": _read_directly,
    "consume": _consume,
    "read-value": _read_value,
    "store": _store,
    "put-value": _put_value,
    "capture": _capture,
    "mirror": _copying(_mirror),
    "source": _copying(_source),
    "reconfigure": _reconfigure,
    "remove-message": _remove_message,
    "purge": _purge,
    "delete": _delete,
    "delete-bucket": _delete_bucket,
    "purge-account": _purge_account,
    "read-record": _read_record,
    "purge-record": _purge_record,
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


async def rows(scene: Scene) -> list[Row]:
    """Every attempt, each between controls."""
    rows: list[Row] = []
    for operation, attempt in ATTEMPTS.items():
        before = await scene.controls()
        seen = await _observed(scene, attempt)
        await scene.forget()
        rows.append(scene.deed(operation).ended(seen, before + await scene.controls()))
    return rows
