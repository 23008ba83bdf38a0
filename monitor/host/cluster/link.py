"""One end of a link: what is said, and what is asked and answered, in both directions, over any `Channel`.

Everything said in one turn of the event loop goes into one frame, so it arrives together or not at all. Both ends
answer questions side by side, in no order; what is said arrives in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import structlog

from engines.errors import SidewitnessError
from monitor.host.cluster.channel import Channel
from monitor.host.cluster.frames import FrameError, Message, frame_of, messages_of
from monitor.host.cluster.outbox import Outbox
from monitor.host.cluster.refusals import error_of, told
from monitor.host.cluster.values import ValueCodecError, decode, encode

REQUEST_SECONDS = 20.0
# Questions that wait for an answer, each way; beyond, whoever asks is told that there is no room.
MAX_REQUESTS = 1024

Said = Callable[[str, Any], None]
Asked = Callable[[str, Any], Awaitable[Any]]


class LinkLost(SidewitnessError):  # noqa: N818 - a fact, not a failure of whoever asks
    """The other end is gone."""


class Link:
    """`said` takes what the other end says, `asked` answers what it asks; await `run` for as long as it lasts.

    `gone` is called when nothing more will come, before anybody's question fails. `heard` counts the frames that came.
    """

    def __init__(self, channel: Channel, said: Said, asked: Asked, gone: Callable[[], None] = lambda: None) -> None:
        self._channel, self._said, self._asked, self._gone = channel, said, asked, gone
        self._outbox = Outbox()
        self._turn: list[tuple[Message, str | None]] = []
        self._asking: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._has_more = asyncio.Event()
        self._lost = False
        self.heard = 0

    @property
    def lost(self) -> bool:
        """Whether nothing can be said any more."""
        return self._lost

    def say(self, op: str, body: Any = None, about: str | None = None) -> None:
        """Say something; `about` names what a later word of this name says anew, where only the newest counts.

        Nothing happens where the other end is gone: whoever runs the link is told of that.
        """
        self._put({"say": op, "b": encode(body)}, None if about is None else f"{op} {about}")

    def pause(self) -> None:
        """Have what is said from now on come after what was said, and not together with it."""
        self._seal()

    async def ask(self, op: str, body: Any = None, seconds: float | None = REQUEST_SECONDS) -> Any:
        """Ask and return the answer; raises what the other end did, `LinkLost`, or `TimeoutError`."""
        if self._lost or len(self._asking) >= MAX_REQUESTS:
            raise LinkLost("the other end is gone, or does not answer")
        number = next(self._numbers)
        answer = self._asking[number] = asyncio.get_running_loop().create_future()
        self._put({"ask": op, "n": number, "b": encode(body)})
        try:
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            del self._asking[number]

    async def run(self) -> None:
        """Read and write until the other end is gone; returns then, with every question failed that was open."""
        writing = asyncio.create_task(self._write(), name="link")
        try:
            while (frame := await self._channel.receive()) is not None:
                self.heard += 1
                for message in messages_of(frame):
                    self._take(message)
        except (FrameError, ValueCodecError) as error:
            structlog.stdlib.get_logger("cluster").error("what came over a link cannot be read", why=str(error))
        except Exception:
            structlog.stdlib.get_logger("cluster").exception("what came over a link could not be taken")
        finally:
            self._end()
            writing.cancel()
            for task in self._answering:
                task.cancel()
            await asyncio.wait([writing, *self._answering])
            await self._channel.close()

    def close(self) -> None:
        """Have `run` end, once what waits to be said has been; safe to call twice."""
        self._seal()
        self._lost = True
        self._has_more.set()

    def _end(self) -> None:
        self._lost = True
        self._gone()
        for answer in self._asking.values():
            if not answer.done():
                answer.set_exception(LinkLost("the other end is gone"))

    def _put(self, message: Message, about: str | None = None) -> None:
        if self._lost:
            return
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._seal)
        self._turn.append((message, about))

    def _seal(self) -> None:
        """Let what was said in this turn of the loop wait to be sent: as one, if anything of it is said once."""
        turn, self._turn = self._turn, []
        groups = [([message], about) for message, about in turn]
        if any(about is None for _, about in turn):
            groups = [([message for message, _ in turn], None)]
        fits = [self._outbox.put(*group) for group in groups]
        if not all(fits) and not self._lost:
            structlog.stdlib.get_logger("cluster").error("the other end of a link does not read: it is given up")
            self._lost = True
        self._has_more.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._has_more.wait()
                self._has_more.clear()
                while len(self._outbox):
                    await self._channel.send(frame_of(self._outbox.take()))
                if self._lost:
                    break
        except OSError:
            pass
        except FrameError as error:
            structlog.stdlib.get_logger("cluster").error("what is to be said over a link cannot be", why=str(error))
        # The reader ends with it.
        await self._channel.close()

    def _take(self, message: Message) -> None:
        match message:
            case {"say": str(op), "b": body}:
                self._said(op, decode(body))
            case {"ask": str(op), "n": int(number), "b": body}:
                if len(self._answering) >= MAX_REQUESTS:
                    self._put({"answer": number, "error": ["at_capacity", "too much is asked at once", 1]})
                    return
                task = asyncio.create_task(self._answer(op, number, decode(body)), name=f"answer {op}")
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case {"answer": int(number), **rest}:
                answer = self._asking.get(number)
                if answer is not None and not answer.done():
                    self._settle(answer, rest)
            case _:
                raise FrameError("a message is of no kind that is known here")

    def _settle(self, answer: asyncio.Future[Any], message: Message) -> None:
        if "error" in message:
            answer.set_exception(error_of(message["error"]))
        else:
            answer.set_result(decode(message["b"]))

    async def _answer(self, op: str, number: int, body: Any) -> None:
        try:
            answer = {"answer": number, "b": encode(await self._asked(op, body))}
        except Exception as error:
            words = told(error)
            if words[0] == "failed":
                structlog.stdlib.get_logger("cluster").exception("a question of the other end failed", op=op)
            answer = {"answer": number, "error": words}
        self._put(answer)
