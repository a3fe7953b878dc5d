"""The routes: what the page in the browser asks, and what it is answered.

A picture's answer is one line of JSON, what the photograph now is, and then the JPEG: one way
there and back from a click to pixels. All else is JSON or a file. `Application` holds what they
share; errors are told as `{"code": ..., "error": a sentence}`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from opsin import __version__
from opsin.errors import OpsinError, TruncatedPhotoError
from opsin.page import limits, static
from opsin.page.opened import ANSWERS, Change, Opened, colorizers
from opsin.page.refusal import RefusedError
from opsin.page.safety import Hosts, Safety
from opsin.page.sessions import Session, Sessions
from opsin.page.together import zipped
from opsin.page.turns import Turns
from opsin.page.upload import copied, name_in, received, small_body

T = TypeVar("T")
SWEEP: Final = 60.0  # seconds between looks for sessions that are over


class Application:
    """What the routes share."""

    def __init__(
        self,
        *,
        cookie: str = "opsin",
        token: str = "",
        given: Sequence[Path] = (),
        pixel_limit: int = limits.MOST_PIXELS,
        sessions: Sessions | None = None,
    ) -> None:
        """`token` must be said to begin a session, if there is one; `given` are photographs that
        each session begins with."""
        self.sessions = Sessions() if sessions is None else sessions
        self.turns = Turns()
        self._cookie, self._token, self._given = cookie, token, given
        self._pixel_limit = pixel_limit

    def routes(self) -> list[Route]:
        photograph = "/api/photographs/{id}"
        actions = {
            "change": self.change,
            "undo": self.undo,
            "redo": self.redo,
            "reference": self.reference,
            "touchup": self.load,
        }
        shown = {
            "before": self.before,
            "confidence": self.confidence,
            "thumbnail": self.thumbnail,
            "suggest": self.suggest,
            "answers": self.answers,
            "answers/{number:int}": self.answer,
            "download": self.download,
            "touchup": self.save,
        }
        return [
            *static.routes(),
            Route("/api/session", self.begin, methods=["POST"]),
            Route("/api/alive", self.alive),
            Route("/api/photographs", self.upload, methods=["POST"]),
            Route("/api/download", self.download_all),
            Route(photograph, self.look, methods=["GET"]),
            Route(photograph, self.remove, methods=["DELETE"]),
            *(Route(f"{photograph}/{at}", to, methods=["POST"]) for at, to in actions.items()),
            *(Route(f"{photograph}/{at}", to, methods=["GET"]) for at, to in shown.items()),
        ]

    async def begin(self, request: Request) -> Response:
        """The browser's session, a new one if it has none; all that it has open."""
        body = await small_body(request)
        cookie = None
        try:
            session = self._session(request)
        except RefusedError:
            self._check_token(body)
            session = self.sessions.begin()
            cookie = session.id
            for path in self._given:
                with suppress(OSError):  # it was there when the server began
                    await self._open_given(session, path)
        answer = JSONResponse(
            {
                "photographs": [one.document() for one in session.photographs.values()],
                "models": colorizers(),
                "limits": {"upload": limits.MOST_UPLOAD, "points": limits.MOST_POINTS},
                "version": __version__,
            }
        )
        if cookie:
            answer.set_cookie(self._cookie, cookie, httponly=True, samesite="strict", path="/")
        return answer

    async def alive(self, request: Request) -> Response:
        """A sign of the browser."""
        self._session(request)
        return Response(status_code=204)

    async def upload(self, request: Request) -> Response:
        """A new photograph, and its first colors."""
        session = self._session(request)
        self.sessions.check_room(session)
        name = name_in(request)
        file, size = await received(request, self.sessions)
        damaged = request.query_params.get("damaged") == "1"
        opened = Opened(file, name, bytes=size, pixel_limit=self._pixel_limit, damaged=damaged)
        try:
            self.sessions.add(session, opened)
            return await self._picture(opened, request, lambda: None, status=201)
        except BaseException:
            self.sessions.remove(session, opened)
            raise

    async def look(self, request: Request) -> Response:
        return await self._picture(self._opened(request), request, lambda: None)

    async def remove(self, request: Request) -> Response:
        opened = self._opened(request)
        async with opened.lock:  # what goes on needs its file
            self.sessions.remove(self._session(request), opened)
        return Response(status_code=204)

    async def change(self, request: Request) -> Response:
        opened, body = self._opened(request), await small_body(request)
        try:
            change = msgspec.json.decode(body, type=Change)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RefusedError(422, "wrong", f"This cannot be asked for ({error}).") from error
        return await self._picture(opened, request, lambda: opened.change(change))

    async def undo(self, request: Request) -> Response:
        opened = self._opened(request)
        return await self._picture(opened, request, lambda: opened.undo(-1))

    async def redo(self, request: Request) -> Response:
        opened = self._opened(request)
        return await self._picture(opened, request, lambda: opened.undo(1))

    async def reference(self, request: Request) -> Response:
        opened, name = self._opened(request), name_in(request)
        file, size = await received(request, self.sessions)
        with file:
            data = file.read()
        self.sessions.on_disk -= size
        return await self._picture(opened, request, lambda: opened.take_reference(data, name))

    async def load(self, request: Request) -> Response:
        opened, name = self._opened(request), name_in(request)
        body = await small_body(request)
        return await self._picture(opened, request, lambda: opened.take_saved(body, name))

    async def before(self, request: Request) -> Response:
        opened, side = self._opened(request), side_in(request)
        return _jpeg(await self._work(opened, lambda: opened.before(side)))

    async def confidence(self, request: Request) -> Response:
        opened, side = self._opened(request), side_in(request)
        return _jpeg(await self._work(opened, lambda: opened.confidence(side)))

    async def thumbnail(self, request: Request) -> Response:
        data = self._opened(request).thumbnail
        return _jpeg(data) if data else Response(status_code=404)

    async def suggest(self, request: Request) -> Response:
        opened = self._opened(request)
        x, y = (number_in(request, key) for key in ("x", "y"))
        found = await self._work(opened, lambda: opened.work.suggest(x, y))
        return JSONResponse({"colors": [one.document() for one in found]})

    async def answers(self, request: Request) -> Response:
        opened = self._opened(request)
        return JSONResponse({"answers": await self._work(opened, opened.answers)})

    async def answer(self, request: Request) -> Response:
        opened, side = self._opened(request), side_in(request)
        number = request.path_params["number"]
        if not 1 <= number <= ANSWERS:
            raise RefusedError(422, "wrong", f"There are answers from 1 to {ANSWERS}.")
        return _jpeg(await self._work(opened, lambda: opened.answer(number, side)))

    async def download(self, request: Request) -> Response:
        opened = self._opened(request)
        return static.attachment(*await self._work(opened, opened.download))

    async def download_all(self, request: Request) -> Response:
        photographs = list(self._session(request).photographs.values())
        parts = zipped(photographs, lambda one: self._work(one, one.download))
        headers = {"content-disposition": "attachment; filename=opsin.zip"}
        return StreamingResponse(parts, media_type="application/zip", headers=headers)

    async def save(self, request: Request) -> Response:
        opened = self._opened(request)
        return static.attachment(*await self._work(opened, opened.saved))

    async def _picture(
        self, opened: Opened, request: Request, act: Callable[[], None], *, status: int = 200
    ) -> Response:
        """The photograph as it is after `act`: a line of JSON, then the JPEG."""
        side = side_in(request)

        def work() -> bytes:
            act()
            picture = opened.look(side)
            return msgspec.json.encode(opened.document()) + b"\n" + picture

        body = await self._work(opened, work)
        return Response(body, status, media_type="application/octet-stream")

    async def _work(self, opened: Opened, work: Callable[[], T]) -> T:
        try:
            return await self.turns.run(opened.lock, work)
        except ValueError as error:  # a word of the touchup that cannot be
            raise RefusedError(422, "wrong", str(error)) from error
        finally:
            self.sessions.used(opened)

    async def _open_given(self, session: Session, path: Path) -> None:
        file, size = await run_in_threadpool(copied, path)
        self.sessions.take(size)
        opened = Opened(file, path.name, bytes=size, pixel_limit=self._pixel_limit)
        self.sessions.add(session, opened)

    def _check_token(self, body: bytes) -> None:
        if not self._token:
            return
        with suppress(ValueError, AttributeError, TypeError):
            said = msgspec.json.decode(body).get("token", "")
            if secrets.compare_digest(said.encode(), self._token.encode()):
                return
        raise RefusedError(403, "token", "Open the whole address that opsin page has printed.")

    def _session(self, request: Request) -> Session:
        return self.sessions.find(request.cookies.get(self._cookie))

    def _opened(self, request: Request) -> Opened:
        return self._session(request).find(request.path_params["id"])


def make_app(application: Application, hosts: Hosts) -> Safety:
    """The whole, as ASGI."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(application.sessions))
        try:
            yield
        finally:
            sweeping.cancel()
            await application.turns.finish()
            application.sessions.end_all()

    handlers: dict[Any, Any] = {OpsinError: _refused}
    app = Starlette(routes=application.routes(), exception_handlers=handlers, lifespan=lifespan)
    return Safety(app, hosts)


def side_in(request: Request) -> int:
    """How large a picture is wanted: the pixels of its longer side."""
    side = int(number_in(request, "side", limits.SIDE))
    return min(max(side, limits.SIDES[0]), limits.SIDES[1])


def number_in(request: Request, key: str, default: float | None = None) -> float:
    """A number among the request's words."""
    text = request.query_params.get(key, default)
    with suppress(TypeError, ValueError):
        number = float(text)  # type: ignore[arg-type]  # None is a TypeError
        if abs(number) < 1e9:  # nan is not
            return number
    raise RefusedError(422, "wrong", f"{key} must be a number.")


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        sessions.sweep()


async def _refused(request: Request, error: OpsinError) -> Response:
    status, code = 422, "damaged" if isinstance(error, TruncatedPhotoError) else "error"
    if isinstance(error, RefusedError):
        status, code = error.status, error.code
    return JSONResponse({"code": code, "error": str(error)}, status)


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg")
