"""Questions to hosts whose agents are connected to other servers: rows that live for as long as somebody waits.

Outside of the change log.  Whoever asks writes a row and tells the other servers; the one to which the host's agent is
connected passes the question on; the one that gets the answer, which may be a third, writes it into the row; and
whoever asked reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from netglass.model.protocol import Answer, Question
from netglass.store import dialect, schema
from netglass.store.notices import Answered, Asked, Notice, encode
from netglass.store.store import Store

_TABLE = schema.questions


class SharedQuestions:
    """The rows, as one server uses them.  All methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: Callable[[str, Question], None] = lambda _host, _question: None
        self._answered: Callable[[str, str, Answer], None] = lambda _host, _question_id, _answer: None
        store.listen(self)

    def tell(self, asked: Callable[[str, Question], None], answered: Callable[[str, str, Answer], None]) -> None:
        """Sets who is told, on a thread of the store's.

        asked     of another server's question to a host
        answered  of the answer to a question of whichever server, by the host and the question's id
        """
        self._asked = asked
        self._answered = answered

    def ask(self, host: str, question: Question, at: str) -> Future[None]:
        """Lets every server know of a question; `at` is RFC 3339 in UTC.  The future raises Unavailable."""
        values = {"id": question.id, "host": host, "at": at, "question": msgspec.json.encode(question).decode()}

        def write(connection: Connection) -> None:
            dialect.without_waiting(connection)
            connection.execute(insert(_TABLE).values(values))
            dialect.tell(connection, encode(Asked(self._store.server_id, question.id)))

        return self._store.write(write)

    def answer(self, host: str, question_id: str, answer: Answer) -> Future[bool]:
        """Lets whoever asked know the answer; gives whether that host was asked, and nobody has answered yet."""
        open_one = (_TABLE.c.id == question_id) & (_TABLE.c.host == host) & _TABLE.c.answer.is_(None)
        text = msgspec.json.encode(answer).decode()

        def write(connection: Connection) -> bool:
            dialect.without_waiting(connection)
            found = connection.execute(update(_TABLE).where(open_one).values(answer=text)).rowcount == 1
            if found:
                dialect.tell(connection, encode(Answered(self._store.server_id, question_id)))
            return found

        return self._store.write(write)

    def forget(self, question_id: str) -> Future[None]:
        """Deletes a question that nobody waits for any more."""

        def write(connection: Connection) -> None:
            dialect.without_waiting(connection)
            connection.execute(delete(_TABLE).where(_TABLE.c.id == question_id))

        return self._store.write(write)

    def forget_older(self, than: str) -> None:
        """Deletes what servers that ended have left; `than` is RFC 3339 in UTC.  Raises Unavailable."""

        def write(connection: Connection) -> None:
            connection.execute(delete(_TABLE).where(_TABLE.c.at < than))

        self._store.write(write).result()

    def heard(self, notice: Notice) -> None:
        """Takes in what other servers ask, and which answers they got."""
        if isinstance(notice, Asked | Answered):
            self._read(notice.question)

    def found(self) -> None:
        """Nothing: who asked while the database was away has been told so."""

    def _read(self, question_id: str) -> None:
        query = select(_TABLE).where(_TABLE.c.id == question_id)
        row = self._store.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return
        if row.answer is None:
            self._asked(row.host, msgspec.json.decode(row.question, type=Question))
        else:
            self._answered(row.host, row.id, msgspec.json.decode(row.answer, type=Answer))
