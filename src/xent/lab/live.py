"""Live values over one WebSocket: a question in, its numbers out. Of each kind only the newest waits, older ones are dropped.

A page asks {"id": 7, "ask": "map", "with": {…}} and gets a message of `wire`, with {"error": …} where its question was wrong. Each
kind of question is computed in a thread, one at a time, so that a slow map holds up no slider.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from xent.arrays import quiet
from xent.errors import InputError, XentError
from xent.lab import wire

LONGEST = 16_384
"""Letters of a question."""

Answers = Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]]


@dataclass(frozen=True)
class Question:
    """One question of a page."""

    id: int | None
    ask: str
    settings: dict[str, str]

    @classmethod
    def of(cls, text: str | None, known: Collection[str]) -> Question:
        """The question that a message asks; InputError for a message that asks none."""
        if text is None or len(text) > LONGEST:
            raise InputError(f"a question is JSON text of at most {LONGEST} letters.")
        try:
            said = json.loads(text)
            asked, settings = said["ask"], said.get("with", {})
            id = said.get("id")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError('a question is JSON such as {"id": 1, "ask": "neuron", "with": {}}.') from None
        if not (isinstance(asked, str) and isinstance(settings, dict) and isinstance(id, int | None)) or asked not in known:
            raise InputError(f"a question has an id and asks one of {', '.join(known)}.")
        return cls(id, asked, {str(name): str(value) for name, value in settings.items()})


@dataclass
class Desk:
    """One page's questions: the newest of each kind waits here while an older one is computed."""

    socket: WebSocket
    answers: Answers
    waiting: dict[str, Question] = field(default_factory=dict)
    at_work: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, question: Question) -> None:
        """Put a question on the desk, in place of one of its kind that has not been begun."""
        self.waiting[question.ask] = question
        if question.ask not in self.at_work:
            self.at_work[question.ask] = asyncio.create_task(self._work(question.ask))

    async def say(self, id: int | None, tree: Any) -> None:
        """Send an answer, unless the page has gone."""
        async with self.sending:
            if self.socket.application_state is WebSocketState.CONNECTED:
                await self.socket.send_bytes(wire.packed(id, tree))

    def clear(self) -> None:
        """The page has gone: nothing more is begun for it."""
        self.waiting.clear()
        for task in self.at_work.values():
            task.cancel()

    async def _work(self, ask: str) -> None:
        try:
            while question := self.waiting.pop(ask, None):
                await self.say(question.id, await asyncio.to_thread(_answered, self.answers, question))
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the page went while its answer was under way
        finally:
            self.at_work.pop(ask, None)


def _answered(answers: Answers, question: Question) -> dict[str, Any]:
    try:
        with quiet():
            return answers[question.ask](question.settings)
    except XentError as error:
        return {"error": str(error)}
    except Exception:
        logging.getLogger("xent.lab").exception("no answer to %s with %.300s", question.ask, question.settings)
        return {"error": "this could not be computed; the terminal says why."}


async def live(socket: WebSocket) -> None:
    """One page's WebSocket, from its opening to its end. A bad message is answered with an error and closes nothing."""
    answers: Answers = socket.app.state.answers
    await socket.accept()
    desk = Desk(socket, answers)
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                question = Question.of(message.get("text"), answers)
            except XentError as error:
                await desk.say(None, {"error": str(error)})
                continue
            await desk.take(question)
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        desk.clear()
