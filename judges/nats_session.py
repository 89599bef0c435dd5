"""A connection to the broker through `nats-py`, which keeps all that the library is told."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from environment import Credential, Environment
from relay import Relay
from rows import DENIED, Seen

#: How long the broker, or an agent that makes a check, may take to answer.
ANSWER_S = 5.0
_CONNECT_S = 5
#: What the library raises when the broker does not do as it should. It says nothing about walls.
TROUBLE = (Error, asyncio.TimeoutError, OSError)

_VIOLATION = re.compile(
    r"permissions violation for (publish|subscription) to \"([^\"]*)\"", re.IGNORECASE
)


def nonce() -> str:
    """A word that nobody else has said."""
    return secrets.token_hex(8)


class Refused(Exception):
    """The connection did not come about."""

    def __init__(self, callers: list[str], errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.callers = callers


class Ear:
    """A subscription and what came by it."""

    def __init__(self, subscription: Subscription, heard: list[Msg]) -> None:
        self.subscription = subscription
        self.heard = heard

    def has_heard(self, word: str) -> bool:
        """Whether this word came, in a message or in the place that its answer is wanted at."""
        return any(
            word in f"{message.data!r} {message.subject} {message.reply}" for message in self.heard
        )


class Session:
    """One connection with one credential, or with none."""

    def __init__(self, environment: Environment, credential: Credential | None) -> None:
        self._environment = environment
        self._credential = credential
        self._relay = Relay(environment.nats)
        self._ears: list[Ear] = []
        self.client = Client()
        #: What the broker objected to, in its words.
        self.errors: list[str] = []

    async def __aenter__(self) -> Session:
        relay = await self._relay.__aenter__()
        try:
            await self.client.connect(
                f"nats://{relay.address}",
                tls=self._tls(),
                tls_hostname=self._environment.nats.name,
                allow_reconnect=False,
                max_reconnect_attempts=0,
                connect_timeout=_CONNECT_S,
                error_cb=self._on_error,
            )
        except (
            Exception
        ) as error:  # The library lets TLS's, the system's and its own errors through.
            self.errors.append(f"{type(error).__name__}: {error}")
            await self.__aexit__(None, None, None)
            raise Refused(relay.callers, self.errors) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.client.is_closed:
            await self.client.close()
        await self._relay.__aexit__(kind, error, trace)

    @property
    def callers(self) -> list[str]:
        """From where the broker was called."""
        return self._relay.callers

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._environment.root)
        if self._credential is not None:
            context.load_cert_chain(self._credential.certificate, self._credential.key)
        return context

    async def _on_error(self, error: Exception) -> None:
        self.errors.append(f"{error}" or type(error).__name__)

    async def listen(self, subject: str, queue: str = "") -> Ear:
        """Subscribe. Whether that is permitted is not known before `settle`."""
        heard: list[Msg] = []

        async def keep(message: Msg) -> None:
            heard.append(message)

        ear = Ear(await self.client.subscribe(subject, queue=queue, cb=keep), heard)
        self._ears.append(ear)
        return ear

    async def say(self, subject: str, text: str, reply: str = "") -> None:
        """Publish. Whether that is permitted is not known before `settle`."""
        await self.client.publish(subject, text.encode(), reply=reply)

    async def settle(self) -> None:
        """Return when the broker has answered all that was sent, and what came before is kept."""
        # The library's PING may overtake what is still in its buffer; a second one comes after all
        # of that.
        for _ in range(2):
            await self.client.flush(timeout=int(ANSWER_S))
        while any(ear.subscription.pending_msgs for ear in self._ears):
            await asyncio.sleep(0)

    def violation(self, subject: str) -> Seen | None:
        """What the broker objected to of this very subject, if it did.

        Its word is its own record.
        """
        for error in self.errors:
            found = _VIOLATION.search(error)
            # The library hands the broker's words on in lower case.
            if found and found[2].lower() == subject.lower():
                kind = "publish" if found[1].lower() == "publish" else "subscribe"
                return Seen(DENIED, f"{kind}-permission", (error,))
        return None

    async def stop(self, ear: Ear) -> None:
        """Listen no more by this one."""
        self._ears.remove(ear)
        await ear.subscription.unsubscribe()

    async def forget(self) -> None:
        """Listen no more at all, and forget what was objected to."""
        for ear in list(self._ears):
            with contextlib.suppress(*TROUBLE):
                await self.stop(ear)
        self.errors.clear()


async def comes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Look until it is so, and no longer than an answer may take."""
    until = time.monotonic() + ANSWER_S
    while not await condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.02)
    return True
