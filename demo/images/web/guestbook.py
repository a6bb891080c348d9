"""A guest book: every visit is a row in PostgreSQL. Written as an ordinary web app; nothing in it knows Tidegate."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extras
from flask import Flask, jsonify, request

SCHEMA = """
create table if not exists visits (
    id bigint generated always as identity primary key,
    name text not null,
    at timestamptz not null default now()
)
"""


@contextmanager
def transaction() -> Iterator[Any]:
    """A cursor in a transaction of its own; the connection's settings come from PGHOST, PGUSER and so on."""
    connection = psycopg2.connect(connect_timeout=3)
    try:
        with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            yield cursor
    finally:
        connection.close()


def create_app() -> Flask:
    """The app, with its table made. The task's dependsOn sees to it that the database is up."""
    app = Flask("guestbook")
    with transaction() as cursor:
        cursor.execute(SCHEMA)

    @app.get("/")
    def show() -> Any:
        with transaction() as cursor:
            cursor.execute("select id, name, at from visits order by id desc limit 20")
            visits = cursor.fetchall()
        return jsonify(visits=visits, served_by=socket.gethostname())

    @app.post("/visits")
    def add() -> Any:
        name = str(request.form.get("name", "somebody"))[:100]
        with transaction() as cursor:
            cursor.execute("insert into visits (name) values (%s) returning id", (name,))
            number = cursor.fetchone()["id"]
        with transaction() as cursor:
            cursor.execute("select id, name, at from visits where id = %s", (number,))
            row = cursor.fetchone()
            cursor.execute("select count(*) as count, current_setting('server_version') as version from visits")
            facts = cursor.fetchone()
        return jsonify(
            visit=row,
            visits=facts["count"],
            database=f"PostgreSQL {facts['version']} on {os.environ.get('PGHOST', 'localhost')}",
            served_by=socket.gethostname(),
        )

    @app.get("/healthz")
    def healthz() -> Any:
        with transaction() as cursor:
            cursor.execute("select 1")
        return "ok\n"

    return app
