"""What can be tried with a tenant's messages.

The same is tried by strangers and by the tenant itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from environment import Agent, Environment
from nats_session import TROUBLE, Session, comes_true, nonce
from rows import ALLOWED, DENIED, INCONCLUSIVE, SILENT, Control, Deed, Seen


@dataclass
class Scene:
    """Two connections: whoever tries, and the tenant whose messages they are."""

    environment: Environment
    caller: Agent
    owner: Agent
    attacker: Session
    witness: Session

    async def settle(self, *speaks_first: Session) -> None:
        """Everything that was said has arrived wherever it was going to."""
        for session in speaks_first or (self.attacker, self.witness):
            await session.settle()
        for session in (self.attacker, self.witness):
            await session.settle()

    async def controls(self) -> list[Control]:
        """Both speak to themselves and hear it."""
        return [
            await _speaks_to_itself(self.attacker, self.caller.tenant),
            await _speaks_to_itself(self.witness, self.owner.tenant),
        ]

    async def forget(self) -> None:
        """Leave nothing of an attempt to the next one."""
        await self.attacker.forget()
        await self.witness.forget()

    def deed(self, operation: str) -> Deed:
        """Name an attempt of this scene."""
        return Deed(self.caller.credential, operation, self.owner.tenant)

    def subject(self) -> str:
        """A subject of the owner's that carries its agents' messages to the platform."""
        return f"{self.owner.tenant}.agents.judge"


async def _speaks_to_itself(session: Session, tenant: str) -> Control:
    word = nonce()
    subject = f"{tenant}.judge.{word}"
    try:
        ear = await session.listen(subject)
        await session.say(subject, word)
        await session.settle()
        held = ear.has_heard(word)
        await session.stop(ear)
    except TROUBLE as error:
        return Control(f"{tenant} hears itself on {subject}: {error!r}", False)
    return Control(f"{tenant} hears itself on {subject}", held)


Attempt = Callable[[Scene], Awaitable[Seen]]


async def tried(scene: Scene, attempt: Attempt) -> Seen:
    """Make an attempt.

    One that could not be made as it was meant is no denial, and none of the others' business.
    """
    try:
        return await attempt(scene)
    except TROUBLE as error:
        return Seen(
            INCONCLUSIVE, evidence=(f"{error!r}", *scene.attacker.errors, *scene.witness.errors)
        )


async def _publish(scene: Scene, subject: str) -> Seen:
    word = nonce()
    ear = await scene.witness.listen(subject)
    await scene.settle(scene.witness)
    await scene.attacker.say(subject, word)
    await scene.settle(scene.attacker)
    if ear.has_heard(word):
        return Seen(ALLOWED, evidence=(f"{scene.owner.tenant} heard {word} on {subject}",))
    return scene.attacker.violation(subject) or Seen(
        SILENT, evidence=(f"{subject}: nobody heard it",)
    )


async def publish(scene: Scene) -> Seen:
    """Speak as one of the tenant's agents."""
    return await _publish(scene, scene.subject())


async def publish_as_poller(scene: Scene) -> Seen:
    """Speak to the tenant as the platform."""
    return await _publish(scene, f"{scene.owner.tenant}.events.poller.health")


def listen_to(pattern: str, queue: str = "") -> Attempt:
    """Hear the tenant's agents by a subject in which `{owner}` stands for it."""

    async def attempt(scene: Scene) -> Seen:
        word, subject = nonce(), pattern.format(owner=scene.owner.tenant)
        ear = await scene.attacker.listen(subject, queue)
        await scene.settle(scene.attacker)
        await scene.witness.say(scene.subject(), word)
        await scene.settle(scene.witness)
        if ear.has_heard(word):
            return Seen(
                ALLOWED, evidence=(f"{word} of {scene.owner.tenant} was heard by {subject}",)
            )
        violated = scene.attacker.violation(subject)
        return violated or Seen(SILENT, evidence=(f"{subject}: nothing was heard",))

    return attempt


async def request_job(scene: Scene) -> Seen:
    """Give the tenant's agent a job, and wait for the answer."""
    word = nonce()
    subject, inbox = f"{scene.owner.tenant}.jobs.{scene.owner.id}", f"_INBOX.judge.{word}"
    ear = await scene.attacker.listen(inbox)
    await scene.attacker.say(subject, _job(scene, word), reply=inbox)
    await scene.attacker.settle()
    if violated := scene.attacker.violation(subject):
        return violated

    async def answered() -> bool:
        return bool(ear.heard)

    if not await comes_true(answered):
        return Seen(INCONCLUSIVE, evidence=(f"{subject}: neither an answer nor a refusal",))
    if ear.has_heard(word):
        return Seen(ALLOWED, evidence=(f"{subject} answered: {ear.heard[0].data[:200]!r}",))
    return Seen(
        DENIED, "other-account", (f"{subject}: nobody takes jobs there: {ear.heard[0].headers}",)
    )


def _job(scene: Scene, word: str) -> str:
    check = {
        "name": "judge",
        "type": "port",
        "details": scene.environment.nats_inside,
        "timeout_ms": 1000,
    }
    return json.dumps(check | {"nonce": word})


async def listen_to_inboxes(scene: Scene) -> Seen:
    """Overhear the answers that the tenant gets."""
    word = nonce()
    ear = await scene.attacker.listen("_INBOX.>")
    await scene.settle(scene.attacker)
    answer = await scene.witness.client.request(
        f"{scene.owner.tenant}.jobs.{scene.owner.id}", _job(scene, word).encode(), timeout=5
    )
    own = f"_INBOX.judge.{nonce()}"
    await scene.attacker.say(own, "own")
    await scene.settle()
    if word not in answer.data.decode() or not ear.has_heard(own):
        return Seen(
            INCONCLUSIVE,
            evidence=(f"the owner was answered {answer.data!r}, and heard was {ear.heard}",),
        )
    if ear.has_heard(word):
        return Seen(ALLOWED, evidence=(f"the answer to {word} was heard",))
    violated = scene.attacker.violation("_INBOX.>")
    return violated or Seen(
        SILENT, evidence=(f"{own} was heard by _INBOX.>, the answer to {word} was not",)
    )


async def answer_into(scene: Scene) -> Seen:
    """Answer a message of one's own that has the tenant's subject as its reply subject."""
    word = nonce()
    own, theirs = f"{scene.caller.tenant}.judge.{word}", f"{scene.owner.tenant}.agents.judge"
    heard = await scene.witness.listen(theirs)
    asked = await scene.attacker.listen(own)
    await scene.settle()
    await scene.attacker.say(own, "question", reply=theirs)
    await scene.settle(scene.attacker)
    if not asked.heard:
        return Seen(INCONCLUSIVE, evidence=(f"{own}: not even the question was heard",))
    await scene.attacker.say(theirs, word)
    await scene.settle(scene.attacker)
    if heard.has_heard(word):
        return Seen(
            ALLOWED, evidence=(f"{scene.owner.tenant} heard the answer {word} on {theirs}",)
        )
    violated = scene.attacker.violation(theirs)
    return violated or Seen(
        SILENT, evidence=(f"the answer on {theirs} was permitted, and nobody heard it",)
    )


async def publish_to_inbox(scene: Scene) -> Seen:
    """Answer in the place of whoever the tenant asks."""
    return await _publish(scene, f"_INBOX.judge.{nonce()}")


async def read_results(scene: Scene) -> Seen:
    """Ask the platform for the tenant's results, as its administrators do."""
    subject, inbox = f"admin.results.{scene.owner.tenant}", f"_INBOX.judge.{nonce()}"
    ear = await scene.attacker.listen(inbox)
    await scene.attacker.say(subject, json.dumps({"count": 1}), reply=inbox)
    await scene.attacker.settle()
    if violated := scene.attacker.violation(subject):
        return violated

    async def answered() -> bool:
        return bool(ear.heard)

    if not await comes_true(answered):
        return Seen(INCONCLUSIVE, evidence=(f"{subject}: neither an answer nor a refusal",))
    if ear.heard[0].headers and "503" in str(ear.heard[0].headers):
        return Seen(DENIED, "other-account", (f"{subject}: nobody answers there",))
    return Seen(ALLOWED, evidence=(f"{subject} answered: {ear.heard[0].data[:200]!r}",))


#: By the words of the rows.
ATTEMPTS: dict[str, Attempt] = {
    "publish": publish,
    "publish-as-poller": publish_as_poller,
    "subscribe": listen_to("{owner}.agents.>"),
    "subscribe-any-tenant": listen_to("*.agents.>"),
    "subscribe-everything": listen_to(">"),
    "join-queue": listen_to("{owner}.agents.>", queue="judges"),
    "request-job": request_job,
    "listen-to-inboxes": listen_to_inboxes,
    "answer-into": answer_into,
    "publish-to-inbox": publish_to_inbox,
    "read-results": read_results,
}


async def listen_to_system(scene: Scene) -> Seen:
    """Hear the broker's own events."""
    ear = await scene.attacker.listen("$SYS.>")
    await scene.settle(scene.attacker)
    if ear.heard:
        return Seen(ALLOWED, evidence=(f"heard: {ear.heard[0].subject}",))
    return scene.attacker.violation("$SYS.>") or Seen(SILENT, evidence=("$SYS.>: nothing came",))


async def ask_servers(scene: Scene) -> Seen:
    """Ask the servers who they are, as an operator does."""
    subject, inbox = "$SYS.REQ.SERVER.PING", f"_INBOX.judge.{nonce()}"
    ear = await scene.attacker.listen(inbox)
    await scene.attacker.say(subject, "", reply=inbox)
    await scene.settle(scene.attacker)
    if ear.heard and "503" not in str(ear.heard[0].headers):
        return Seen(ALLOWED, evidence=(f"{subject} answered: {ear.heard[0].data[:200]!r}",))
    return scene.attacker.violation(subject) or Seen(SILENT, evidence=(f"{subject}: no answer",))


#: What is asked of the broker itself, and concerns nobody else.
OF_THE_BROKER: dict[str, Attempt] = {
    "listen-to-system": listen_to_system,
    "ask-servers": ask_servers,
}
