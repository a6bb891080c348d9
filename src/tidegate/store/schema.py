"""
How records lie in an SQLite file, and how old files are brought up to date.

Migrations only go forward. Each runs in a transaction of its own with its version number, so a crash between two of
them leaves a file that can be opened again. A file newer than this program is refused, and left as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from tidegate.store.store import StoreError

MIGRATIONS: Final[Sequence[tuple[str, ...]]] = (
    (
        # `id` keeps the order of birth: an update leaves it, a record made anew gets a higher one.
        """CREATE TABLE record (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            revision INTEGER NOT NULL,
            schema INTEGER NOT NULL,
            value BLOB NOT NULL,
            UNIQUE (kind, key)
        )""",
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO meta (name, value) VALUES ('revision', 0)",
    ),
)
"""The statements that lead from version n to n + 1, by n."""

SCHEMA: Final = len(MIGRATIONS)
"""The version that this program writes; each record carries the one it was written with."""


class SchemaTooNew(StoreError):
    """The file was written by a newer Tidegate."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"cannot open the store: it has schema version {found}, and this Tidegate knows versions up to {SCHEMA};"
            " run the version of Tidegate that last used it, or a newer one"
        )


def check_schema(connection: sqlite3.Connection) -> int:
    """The file's schema version; 0 for a new file. Raises SchemaTooNew."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA:
        raise SchemaTooNew(found)
    return found


def ensure_schema(connection: sqlite3.Connection) -> None:
    """Bring the file to our schema version. The connection is in autocommit mode."""
    for version in range(check_schema(connection), SCHEMA):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
