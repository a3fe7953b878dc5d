"""What each browser has open: a session for its cookie, and the photographs in it.

A photograph is found only within its session. A session ends when its browser has given no sign
for two hours, or with the server. Of all sessions together the pixels that were used last are
kept, and so are a number of bytes of files.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

from opsin.errors import OpsinError
from opsin.page import limits
from opsin.page.job import Job
from opsin.page.opened import Made, Opened
from opsin.page.refusal import RefusedError, gone, no_session, too_large


class Session:
    """The photographs of one browser."""

    def __init__(self, now: float) -> None:
        self.id = secrets.token_urlsafe(32)
        self.photographs: dict[str, Opened] = {}
        self.job = Job()
        self.seen = now

    def find(self, id: str) -> Opened:
        """The photograph, if it is this session's."""
        if id not in self.photographs:
            raise gone()
        return self.photographs[id]


class Sessions:
    """All of them. `clock` gives seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[str, Session] = {}
        self._clock = clock
        self._recent: list[Opened] = []  # with pixels, the last used at the end
        self.on_disk = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self) -> Session:
        """A new session; those that were never used make room."""
        self.sweep()
        empty = [one for one in self._sessions.values() if not one.photographs]
        if len(self._sessions) >= limits.MOST_SESSIONS:
            if not empty:
                raise RefusedError(503, "full", "Too many people have photographs open here.")
            self._end(min(empty, key=lambda one: one.seen))
        session = Session(self._clock())
        self._sessions[session.id] = session
        return session

    def find(self, id: str | None) -> Session:
        """The session of a cookie, which has given a sign now."""
        session = self._sessions.get(id or "")
        if session is None or self._is_over(session):
            raise no_session()
        session.seen = self._clock()
        return session

    def check_room(self, session: Session) -> None:
        """Refuses one more photograph where there are enough."""
        if len(session.photographs) >= limits.MOST_PHOTOGRAPHS:
            raise RefusedError(
                413, "many", f"{limits.MOST_PHOTOGRAPHS} photographs are open. Close one first."
            )
        if sum(1 for _ in self._all()) >= limits.MOST_IN_ALL:
            raise RefusedError(503, "full", "Too many people have photographs open here.")

    def take(self, count: int) -> None:
        """Counts bytes of an upload; refuses them where the disk has enough."""
        if self.on_disk + count > limits.MOST_ON_DISK:
            raise too_large("What is open", limits.MOST_ON_DISK)
        self.on_disk += count

    def add(self, session: Session, opened: Opened) -> None:
        """A photograph whose bytes are counted."""
        if session.id not in self._sessions:  # it has ended meanwhile
            raise no_session()
        self.check_room(session)
        session.photographs[opened.id] = opened

    def remove(self, session: Session, opened: Opened) -> None:
        """Closes a photograph."""
        session.photographs.pop(opened.id, None)
        self._close(opened)

    def keep(self, session: Session, opened: Opened, made: Made) -> None:
        """What was made of a photograph, in place of what was made before; gone if it is."""
        try:
            if opened.id not in session.photographs:  # closed meanwhile
                raise gone()
            self.take(made.bytes)
        except OpsinError:
            made.file.close()
            raise
        self.drop(opened)
        opened.made = made

    def drop(self, opened: Opened) -> None:
        """Lets go what was made of a photograph, if anything was."""
        if opened.made:
            self.on_disk -= opened.made.bytes
            opened.made.file.close()
            opened.made = None

    def used(self, opened: Opened) -> None:
        """Notes that a photograph was worked on, and lets go the pixels of others."""
        self._recent = [one for one in self._recent if one is not opened and one.held]
        if opened.held:
            self._recent.append(opened)
        held = sum(one.held for one in self._recent)
        for one in self._recent[:-1]:
            if held <= limits.PIXELS_KEPT:
                break
            if not one.lock.locked():
                held -= one.held
                one.let_go()

    def sweep(self) -> None:
        """Ends the sessions that are over."""
        for session in [one for one in self._sessions.values() if self._is_over(one)]:
            self._end(session)

    def end_all(self) -> None:
        """The server stops."""
        for session in list(self._sessions.values()):
            self._end(session)

    def _is_over(self, session: Session) -> bool:
        busy = any(one.lock.locked() for one in session.photographs.values())
        return not (busy or session.job.running) and self._clock() - session.seen > limits.IDLE

    def _end(self, session: Session) -> None:
        del self._sessions[session.id]
        session.job.stop()
        for opened in session.photographs.values():
            self._close(opened)
        session.photographs.clear()

    def _close(self, opened: Opened) -> None:
        self._recent = [one for one in self._recent if one is not opened]
        self.on_disk -= opened.bytes
        self.drop(opened)
        opened.close()

    def _all(self) -> Iterator[Opened]:
        for session in self._sessions.values():
            yield from session.photographs.values()
