"""A relay for the bytes of one client.

The libraries do not say from which port they call, and a service's record of a refusal names it:
so each client is given a port on loopback, and what is connected from there to the service is
known.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

from environment import Service

_CHUNK_BYTES = 65536


class Relay:
    """Carries bytes between a client and a service, unread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._calls: set[asyncio.Task[None]] = set()
        self._open: list[asyncio.StreamWriter] = []
        #: From where the service was called, in the order of the calls.
        self.callers: list[str] = []

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        # Both ways end with their connections: cancelled tasks of a server are complained about by
        # asyncio.
        for writer in self._open:
            writer.close()
        await asyncio.gather(*self._calls)

    @property
    def address(self) -> str:
        """Where the client is to call."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._calls.add(task)
        self._open.append(writer)
        with contextlib.suppress(OSError):
            outward_reader, outward = await asyncio.open_connection(
                self._service.host, self._service.port
            )
            self._open.append(outward)
            host, port = outward.get_extra_info("sockname")[:2]
            self.callers.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            await asyncio.gather(_carry(reader, outward), _carry(outward_reader, writer))
        writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
