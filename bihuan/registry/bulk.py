"""Many rows in at once: by COPY where it is open, and behind the back of whoever prepares the next ones.

Every verb that writes thousands of rows writes them through here. Outside of a `lane` each call does its work
at once, like any statement. Inside one (an import opens a lane for each of its transactions) writes whose
result nobody waits for are handed to a thread that sends them, in their order, over the very same connection:
PostgreSQL stores while Python goes on reading. Any other statement first waits until all of them are
done, so each statement sees what it would have seen, and a transaction holds what it would have held. The
lane must be left (or `Lane.settle` called) before the transaction ends; an error of a write is raised by
the next statement, or then.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from queue import SimpleQueue
from typing import Any

from django.db import connection

NULL = r"\N"
_SWITCH_SECONDS = 0.00005  # how long a thread waits for the interpreter while another one computes
# Statements that answer nothing anybody reads: they keep their place in the queue.
_UNANSWERED = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "SELECT set_config(")


class Lane:
    """Writes on their way, in order, over one connection. Made by `lane`."""

    def __init__(self, raw: Any, *, copies: bool) -> None:
        self.raw, self.copies = raw, copies
        self.numbers: dict[str, list[int]] = {}
        self.deferring = False
        self.done: set[str] = set()
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._waiting = 0
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="bihuan-bulk", daemon=True)
        self._thread.start()

    def add(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._waiting += 1
            self._idle.clear()
        self._queue.put(job)

    def settle(self) -> None:
        """Wait until everything is written; raise what went wrong."""
        self._idle.wait()
        if self._error is not None:  # and again, to whoever goes on all the same, until it is taken back
            with connection.wrap_database_errors:
                raise self._error

    def abandon(self) -> None:
        """The transaction will be taken back: leave out what is not written yet."""
        self._error = self._error or RuntimeError("abandoned")

    def end(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if self._error is None:  # after an error the transaction is lost: the rest is left out
                try:
                    job()
                except BaseException as error:
                    self._error = error
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._idle.set()

    def gate(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Between Django and the driver: every statement that is not queued comes after those that are."""
        if self.deferring:
            return execute(sql, params, many, context)
        last = sql.rpartition("; ")[2] if isinstance(sql, str) else ""
        if last.startswith(_UNANSWERED) and not many:
            self.add(lambda: _send(self.raw, sql, params))
            return None
        if last.startswith("ROLLBACK"):
            self._idle.wait()  # what failed is taken back now, and what was done once may be undone
            self._error = None
            self.done.clear()
        else:
            self.settle()
        return execute(sql, params, many, context)


_lane: ContextVar[Lane | None] = ContextVar("bihuan_bulk_lane", default=None)


@contextmanager
def lane() -> Iterator[Lane]:
    """Let writes run behind, within the running transaction. Everything is written when it is left."""
    assert connection.in_atomic_block, "a lane belongs to a transaction"
    connection.ensure_connection()
    made = Lane(connection.connection, copies=_copy_is_open("registry_person"))
    token = _lane.set(made)
    try:
        with _switching_soon(), connection.execute_wrapper(made.gate):
            yield made
            made.settle()
    except BaseException:
        made.abandon()
        raise
    finally:
        made.end()
        _lane.reset(token)


_switching = threading.Lock()
_lanes_open, _interval_before = 0, 0.0


@contextmanager
def _switching_soon() -> Iterator[None]:
    """The interval is the whole process's: the first of several lanes sets it, the last puts it back."""
    global _lanes_open, _interval_before
    with _switching:
        if not _lanes_open:
            _interval_before = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_SECONDS)
        _lanes_open += 1
    try:
        yield
    finally:
        with _switching:
            _lanes_open -= 1
            if not _lanes_open:
                sys.setswitchinterval(_interval_before)


def current() -> Lane | None:
    return _lane.get()


# --- writing ----------------------------------------------------------------------------------------


def copies(table: str) -> bool:
    """Whether rows may come into a table by COPY: not for a role under row-level security."""
    running = _lane.get()
    return running.copies if running is not None else _copy_is_open(table)


def _copy_is_open(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_security_active(%s::regclass)", [table])
        return not cursor.fetchone()[0]


def put(table: str, columns: Iterable[str], lines: Sequence[str]) -> None:
    """Rows by COPY: a line is the cells of one row in the order of `columns`, joined by tabs (see `cell`)."""
    if not lines:
        return
    block = "\n".join(lines).encode() + b"\n"

    def copying(raw: Any, sql: str, params: Any) -> None:
        told, _between, rest = sql.rpartition("; COPY ")
        if told:  # history's context stands before the statement: it is told first, by one of its own
            _send(raw, told, params)
        with raw.cursor() as cursor, cursor.copy(f"COPY {rest}" if told else sql) as target:
            target.write(block)

    _behind(f"COPY {table} ({', '.join(columns)}) FROM STDIN", None, copying)


def write(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> None:
    """A statement that writes and whose answer nobody needs."""
    _behind(sql, params, _send)


def _behind(sql: str, params: Any, send: Callable[[Any, Any, Any], None]) -> None:
    """Run `send` with the driver's connection and the statement as all wrappers leave it: now, or in a lane
    when those before it are done."""
    running = _lane.get()

    def last(_execute: Any, told: Any, values: Any, _many: bool, _context: Any) -> None:
        if running is not None:
            running.add(lambda: send(running.raw, told, values))
        else:
            with connection.wrap_database_errors:
                send(connection.connection, told, values)

    if running is not None:
        running.deferring = True
    try:
        with connection.execute_wrapper(last), connection.cursor() as cursor:
            cursor.execute(sql, params)
    finally:
        if running is not None:
            running.deferring = False


def _send(raw: Any, sql: str, params: Any) -> None:
    with raw.cursor() as cursor:
        cursor.execute(sql, params or None)


def first_time(name: str) -> bool:
    """Whether something done once a transaction is still to be done; outside of a lane always."""
    running = _lane.get()
    if running is None:
        return True
    if name in running.done:
        return False
    running.done.add(name)
    return True


# --- numbers ----------------------------------------------------------------------------------------


def reserve(wanted: Mapping[str, int]) -> None:
    """Inside a lane: draw numbers from sequences ahead, all in one statement. What is not taken is lost."""
    running = _lane.get()
    if running is None:
        return
    sql = " UNION ALL ".join("SELECT %s, nextval(%s::regclass) FROM generate_series(1, %s)" for _ in wanted)
    params = [part for name, n in wanted.items() for part in (name, name, n)]
    drawn: dict[str, list[int]] = {name: [] for name in wanted}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for name, number in cursor.fetchall():
            drawn[name].append(number)
    for numbers in drawn.values():
        numbers.sort(reverse=True)
    running.numbers.update(drawn)


def take(sequence: str, n: int) -> list[int]:
    """The next n numbers of a sequence, ascending."""
    running = _lane.get()
    held = running.numbers.get(sequence, []) if running is not None else []
    if len(held) >= n:
        return [held.pop() for _ in range(n)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", [sequence, n])
        return [row[0] for row in cursor.fetchall()]


# --- cells ------------------------------------------------------------------------------------------

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": ""})


def text(value: str) -> str:
    """A text as a cell of COPY."""
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


def _other(value: Any) -> str:
    if isinstance(value, str):
        return text(str(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return text(str(value))


_CELLS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _value: NULL,
    bool: lambda value: "t" if value else "f",
    int: str,
    str: text,
    date: date.isoformat,
    datetime: datetime.isoformat,
    bytes: lambda value: rf"\\x{value.hex()}",
}


def cell(value: Any) -> str:
    """Any plain value as a cell of COPY: None, bool, numbers, instants, dates, bytes, texts."""
    return _CELLS.get(value.__class__, _other)(value)


def line(values: Iterable[Any]) -> str:
    """A row as a line of COPY."""
    cells, other = _CELLS, _other
    return "\t".join([cells.get(value.__class__, other)(value) for value in values])
