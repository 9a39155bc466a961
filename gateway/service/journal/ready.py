"""Statements that are run for every file: worked out once, not each time they are run.

SQLAlchemy looks at a statement's parameters, types and result anew for each run, which takes three
times as long as SQLite takes to do what it says. Here that is done at the first run; after that
parameters go through the same types to the same SQL, straight to the driver, in the transaction
the connection is in. What fails is raised as the driver raises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

_MUST_BE_GIVEN = object()


class _Parameter(NamedTuple):
    """One of a statement, in its place."""

    name: str
    otherwise: Any
    """Its value when it is written into the statement."""
    to_driver: Callable[[Any], Any] | None


class _WorkedOut(NamedTuple):
    """The SQL of one kind of database, and what goes with it."""

    sql: str
    parameters: tuple[_Parameter, ...]
    positional: bool

    def given(self, values: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them. Raises KeyError for one that is missing."""
        given: dict[str, Any] = {}
        for name, otherwise, to_driver in self.parameters:
            value = values[name] if otherwise is _MUST_BE_GIVEN else otherwise
            given[name] = value if to_driver is None else to_driver(value)
        return tuple(given.values()) if self.positional else given


def _cursor(conn: sa.Connection) -> Any:
    if not conn.in_transaction():  # SQLAlchemy would begin one; here each write would stand alone
        raise RuntimeError("A statement that is ready runs in a transaction only.")
    return conn.connection.cursor()


class Ready:
    """A statement whose answer, if it has one, is taken as the driver gives it.

    `columns` names an insert's parameters; other statements have theirs in them, as `bindparam`.
    Lists (`IN`) cannot be among them.
    """

    def __init__(
        self, statement: sa.Select[Any] | sa.UpdateBase, columns: Iterable[str] | None = None
    ) -> None:
        self.statement = statement
        """For SQLAlchemy itself, where its answer is wanted through its types."""
        self._columns = None if columns is None else list(columns)
        self._known: dict[str, _WorkedOut] = {}

    def run(self, conn: sa.Connection, values: Mapping[str, Any]) -> int:
        """Run it: how many rows it wrote. Raises KeyError for a parameter that is missing."""
        worked_out = self._for(conn.dialect)
        cursor = _cursor(conn)
        cursor.execute(worked_out.sql, worked_out.given(values))
        return int(cursor.rowcount)

    def run_each(self, conn: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for each of these, at least one: how many rows it wrote in all."""
        worked_out = self._for(conn.dialect)
        cursor = _cursor(conn)
        cursor.executemany(worked_out.sql, [worked_out.given(row) for row in rows])
        return int(cursor.rowcount)

    def first(self, conn: sa.Connection, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Run it: the first row of its answer."""
        worked_out = self._for(conn.dialect)
        cursor = _cursor(conn)
        cursor.execute(worked_out.sql, worked_out.given(values))
        row: Sequence[Any] | None = cursor.fetchone()
        cursor.close()
        return row

    def _for(self, dialect: sa.Dialect) -> _WorkedOut:
        known = self._known.get(dialect.name)
        if known is None:
            known = self._known[dialect.name] = self._work_out(dialect)
        return known

    def _work_out(self, dialect: sa.Dialect) -> _WorkedOut:
        compiled: Any = self.statement.compile(dialect=dialect, column_keys=self._columns)
        positional = bool(compiled.positional)
        names = compiled.positiontup if positional else list(compiled.binds)
        if len(set(names)) != len(names):
            raise ValueError(f"A parameter stands twice in {compiled}.")
        parameters = []
        for name in names:
            bound = compiled.binds[name]
            if bound.expanding:
                raise ValueError(f"{name} is a list.")
            otherwise = _MUST_BE_GIVEN if bound.required else bound.value
            to_driver = bound.type.dialect_impl(dialect).bind_processor(dialect)
            parameters.append(_Parameter(name, otherwise, to_driver))
        return _WorkedOut(compiled.string, tuple(parameters), positional)
