"""Flat cost: whether an upload and a look-up are as quick among a million files as among a thousand.

The rows are laid straight into the SQLite file, as copies of the record of one real upload, so that this follows the
schema by itself and takes seconds instead of the minutes that a million uploads would.
"""

import random
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

from . import Broken, load
from .cases import SMALL, Stand, turns
from .report import Row
from .servers import KEY, Server

FEW, MANY = 1_000, 1_000_000
ASKED = 100_000


def database(folder: Path) -> Path:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size >= 512:
            with open(path, "rb") as file:
                if file.read(16) == b"SQLite format 3\0":
                    return path
    raise Broken(f"no SQLite file under {folder}")


def fill(folder: Path, count: int, vary: Callable[[dict, random.Random], dict] | None = None) -> list[str]:
    """Copies the one record until there are `count`, with what `vary` changes; returns ids spread over all of them."""
    dice = random.Random(count)
    store = sqlite3.connect(database(folder))
    try:
        store.execute("PRAGMA cache_size = -1000000")
        store.execute("PRAGMA synchronous = OFF")
        # Without `seq`: each copy gets the next one.
        columns = [name for _, name, *_ in store.execute("PRAGMA table_info(files)") if name != "seq"]
        template = dict(zip(columns, store.execute(f"SELECT {', '.join(columns)} FROM files LIMIT 1").fetchone()))
        first, blob = template["uploaded_at"], template["blob"]

        def rows():
            for number in range(1, count):
                id = uuid.UUID(int=dice.getrandbits(128), version=4)
                row = template | {"id": id.bytes, "uploaded_at": first - number * 1000}
                if isinstance(blob, str):
                    digits = id.hex
                    row["blob"] = (digits * (len(blob) // len(digits) + 1))[: len(blob)]
                ids.append(str(id))
                yield tuple((row | vary(row, dice) if vary else row).values())

        ids: list[str] = [str(uuid.UUID(bytes=template["id"]))]
        marks = ", ".join("?" * len(columns))
        with store:
            store.executemany(f"INSERT INTO files ({', '.join(columns)}) VALUES ({marks})", rows())
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.execute("PRAGMA optimize")
    finally:
        store.close()
    return dice.sample(ids, min(count, ASKED))


def flat(stand: Stand) -> list[Row]:
    origin = stand.folder("flat")
    with stand.server("stowage-full").start(origin) as server:
        server.send(b"stowage" * 1000)
    folders = {count: stand.folder(f"flat-{count}") for count in (FEW, MANY)}
    for count, folder in folders.items():
        stand.note(f"laying {count} rows …")
        shutil.copytree(origin, folder)
        ids = fill(folder, count)
        paths = [f"/info/?pub_key={KEY}&file_id={id}" for id in ids]
        folder.with_name("paths").write_text("\n".join(paths))
    stand.discard(origin)
    rows = []
    try:
        for mode, name in (("durable", "stowage-full"), ("relaxed", "stowage-relaxed")):
            rows += compare(stand, folders, name, mode)
    finally:
        for folder in folders.values():
            stand.discard(folder)
    return rows


def compare(stand: Stand, folders: dict[int, Path], name: str, mode: str) -> list[Row]:
    counts = list(folders)
    uploads: dict[int, list[float]] = {count: [] for count in counts}
    looks: dict[int, list[float]] = {count: [] for count in counts}
    servers: dict[int, Server] = {}
    try:
        for count in counts:
            server = servers[count] = stand.server(name)
            server.folder = folders[count]
            server.resume()
        for number in range(-1, stand.rounds):
            seconds = 0.5 if number < 0 else stand.seconds / 2
            for count in turns(counts, number):
                server = servers[count]
                common = ["--connections", "1", "--seconds", str(seconds), "--seed", str(number + 11)]
                sent = load.measure(server, [*server.upload(), "--size", str(SMALL), *common])
                paths = str(folders[count].with_name("paths"))
                # Each round asks for other ids, so that a cache of records does not hide the index.
                begin = str((number + 1) * ASKED // (stand.rounds + 1))
                asked = load.measure(
                    server, [*server.address(), "--kind", "get", "--paths", paths, "--start", begin, *common]
                )
                if number < 0:
                    continue
                uploads[count].append(sent.p50)
                looks[count].append(asked.p50)
                stand.note(
                    f"round {number + 1} {mode}, {count} records: upload {sent.p50:.0f} µs, info {asked.p50:.0f} µs"
                )
    finally:
        for server in servers.values():
            server.stop()
    upload = f"upload latency, 1 000 000 records against 1 000, {mode}"
    rows = [Row("flat", upload, "µs", uploads[MANY], uploads[FEW], "1 000 records", at_most=1.5)]
    if mode == "durable":
        look = "info latency, 1 000 000 records against 1 000"
        rows.append(Row("flat", look, "µs", looks[MANY], looks[FEW], "1 000 records", at_most=1.5))
    return rows
