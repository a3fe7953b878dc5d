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
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from opsin import __version__
from opsin.colorization.request import Request as Asked
from opsin.errors import OpsinError
from opsin.page import limits, static
from opsin.page.opened import ANSWERS, Change, Made, Opened, colorizers
from opsin.page.refusal import RefusedError, code_of
from opsin.page.safety import Hosts, Safety
from opsin.page.sessions import Session, Sessions
from opsin.page.together import zipped
from opsin.page.turns import Turns
from opsin.page.upload import copied, name_in, received, small_body, stored

T = TypeVar("T")
BUSY: Final = 1.0  # seconds after which a job tries again
SWEEP: Final = 60.0  # seconds between looks for sessions that are over


class Like(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a job colors: as this photograph, by its id, or each as it is."""

    like: Annotated[str, Meta(max_length=50)] = ""


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
            Route("/api/job", self.job, methods=["GET"]),
            Route("/api/job", self.start_job, methods=["POST"]),
            Route("/api/job", self.stop_job, methods=["DELETE"]),
            Route("/api/job/download", self.download_all),
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
                "job": told(session),
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

    async def job(self, request: Request) -> Response:
        return JSONResponse(told(self._session(request)))

    async def start_job(self, request: Request) -> Response:
        """Colors all at full size; with `like`, each but for its points as that photograph is."""
        session = self._session(request)
        try:
            like = msgspec.json.decode(await small_body(request), type=Like).like
        except (msgspec.DecodeError, RecursionError) as error:
            raise RefusedError(422, "wrong", f"This cannot be asked for ({error}).") from error
        asked = session.find(like).request if like else None
        photographs = list(session.photographs.values())
        for one in photographs if not session.job.running else ():
            if one.made and one.made.request != one.asked_like(asked):
                self.sessions.drop(one)  # or a job that is stopped would leave both kinds
        session.job.start(photographs, lambda one: self._keep(session, one, asked), like=asked)
        return JSONResponse(told(session), 202)

    async def stop_job(self, request: Request) -> Response:
        session = self._session(request)
        session.job.stop()
        return JSONResponse(told(session))

    async def download_all(self, request: Request) -> Response:
        session = self._session(request)
        made = [one.made for one in session.photographs.values() if one.made]
        failures = [f"{one['name']}: {one['error']}" for one in session.job.failures]
        if not made and not failures:
            raise RefusedError(409, "none", "Nothing is colored yet.")
        parts = zipped(made, failures)
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

    async def _keep(self, session: Session, opened: Opened, like: Asked | None) -> None:
        """Colors a photograph at its full size, unless that is done, and keeps it on the disk."""
        asked = opened.asked_like(like)
        if opened.made:
            return
        while True:
            try:
                name, data = await self._work(opened, lambda: opened.download(asked))
                break
            except RefusedError as error:
                if error.code != "busy":
                    raise
            await asyncio.sleep(BUSY)
        file = await run_in_threadpool(stored, data)
        self.sessions.keep(session, opened, Made(asked, name, file, len(data)))

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


def told(session: Session) -> dict[str, Any]:
    """What became of a session's job, how many photographs can be had in one ZIP, and how many are
    not in it as they are now."""
    photographs, like = session.photographs.values(), session.job.like
    made = [one.made for one in photographs if one.made]
    asked = [one.asked_like(like) for one in photographs if one.made]
    left = len(photographs) - sum(a.request == b for a, b in zip(made, asked, strict=True))
    return {**session.job.document(), "made": len(made), "left": left}


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        sessions.sweep()


async def _refused(request: Request, error: OpsinError) -> Response:
    status = error.status if isinstance(error, RefusedError) else 422
    return JSONResponse({"code": code_of(error), "error": str(error)}, status)


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg")
