"""A list of files out of SQLite as the framework's documentation teaches it: a connection, a query, a response model."""

import json
import os
import sqlite3
from typing import Any

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

app = FastAPI()
DATABASE = os.environ["DATABASE"]


class File(BaseModel):
    uuid: str
    datetime_uploaded: str
    datetime_stored: str | None
    datetime_removed: str | None
    size: int
    is_image: bool
    is_ready: bool
    mime_type: str
    original_filename: str
    original_file_url: str
    url: str
    variations: dict[str, str] | None
    content_info: dict[str, Any]
    metadata: dict[str, str]


class Page(BaseModel):
    next: str | None
    previous: str | None
    total: int
    per_page: int
    results: list[File]


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


@app.get("/")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.get("/files/")
def files(limit: int = 100, start: str = "", authorization: str = Header("")) -> Page:
    if authorization != "Uploadcare.Simple demopublickey:demosecretkey":
        raise HTTPException(401)
    connection = connect()
    try:
        rows = connection.execute(
            "SELECT * FROM files WHERE uploaded > ? ORDER BY uploaded LIMIT ?", (start, limit)
        ).fetchall()
        total = connection.execute("SELECT number FROM total").fetchone()[0]
    finally:
        connection.close()
    results = [
        File(
            uuid=row["uuid"],
            datetime_uploaded=row["uploaded"],
            datetime_stored=row["stored"],
            datetime_removed=None,
            size=row["size"],
            is_image=bool(row["is_image"]),
            is_ready=True,
            mime_type=row["mime_type"],
            original_filename=row["name"],
            original_file_url=f"http://127.0.0.1/{row['uuid']}/{row['name']}",
            url=f"http://127.0.0.1/files/{row['uuid']}/",
            variations=None,
            content_info=json.loads(row["content"]),
            metadata=json.loads(row["metadata"]),
        )
        for row in rows
    ]
    after = f"http://127.0.0.1/files/?start={results[-1].datetime_uploaded}" if results else None
    return Page(next=after, previous=None, total=total, per_page=limit, results=results)
