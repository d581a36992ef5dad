"""One writer at a time: a lock file with a note who writes and since when.

The lock is the operating system's (``flock``): it ends with the process that holds it, however that ends, so a note that was left
behind never keeps anyone out. The note only says who is meant.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crm_engine.errors import LockedError

#: How often a waiting writer tries, in seconds.
_TRY_EVERY = 0.05
#: Seconds after which a holder without a note is held to have none.
_SETTLES_WITHIN = 1.0


class Lock:
    """The lock of a base."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.folder = folder
        self._owner: int | None = None
        self._crashed = False

    @contextlib.contextmanager
    def held(self, purpose: str, *, wait: float = 0) -> Iterator[bool]:
        """Holds the lock for the block; yields whether an earlier holder ended without releasing it (it crashed or was killed).

        Waits up to ``wait`` seconds, then raises ``LockedError`` with who holds it and since when. Within a block of the same thread it is
        held already: so what a change is computed from can be read under the lock that the change needs.
        """
        if self._owner == threading.get_ident():
            yield self._crashed
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(descriptor, wait)
            self._crashed, self._owner = bool(_read_note(descriptor)), threading.get_ident()
            note = {
                "purpose": purpose,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            }
            _write_note(descriptor, json.dumps(note))
            yield self._crashed
            _write_note(descriptor, "")
        except Exception:
            # A failure that was handled leaves nothing behind. Ctrl-C and a death leave the note, and so the next writer tidies up.
            with contextlib.suppress(OSError):
                _write_note(descriptor, "")
            raise
        finally:
            if self._owner == threading.get_ident():
                self._owner = None
            os.close(descriptor)

    def _acquire(self, descriptor: int, wait: float) -> None:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            left = deadline - time.monotonic()
            if left <= 0:
                note = _read_note(descriptor)
                # Who has just got the lock, or is about to let go of it, has no note for a moment: a name or a free lock follows.
                if "pid" in note or left < -_SETTLES_WITHIN:
                    raise LockedError(f"{self.folder}: {_told(note)}; try again later, or wait for it with wait=...")
            time.sleep(min(_TRY_EVERY, left) if left > 0 else _SETTLES_WITHIN / 20)

    def holder(self) -> dict[str, Any]:
        """Who holds the lock, empty where nobody does."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return _read_note(descriptor) or {"purpose": "a change"}
        else:
            return {}
        finally:
            os.close(descriptor)


def _read_note(descriptor: int) -> dict[str, Any]:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {"purpose": "a change"}
    return note if isinstance(note, dict) else {}


def _write_note(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _told(note: dict[str, Any]) -> str:
    if "pid" not in note:
        return "the base is locked by another process"
    return f"the base is locked by process {note['pid']} on {note.get('host')} ({note.get('purpose')}) since {note.get('since')}"
