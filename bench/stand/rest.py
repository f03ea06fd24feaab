"""The REST API: lists out of many files, beside lists as others write them, and what single calls cost."""

import hashlib
import hmac
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

from . import Broken, load, servers
from .cases import SMALL, Stand, each, rate, turns
from .flat import FEW, MANY, fill
from .load import Run
from .report import Row
from .servers import KEY, Listing, Server

SECRET = "demosecretkey"
LISTED = 100_000
SIMPLE = f"Authorization: Uploadcare.Simple {KEY}:{SECRET}"
CONNECTIONS = 8
# So many that hardly one is asked for twice in a second: pages are remembered that long.
DIFFERENT = 20_000


def accept(version: str = "0.7") -> str:
    return f"Accept: application/vnd.uploadcare-v{version}+json"


def line(method: str, path: str, *headers: str, body: str = "") -> str:
    """A request as the load generator reads it."""
    return "\t".join([f"{method} {path}", *headers, *([f"={body}"] if body else [])])


def simple(method: str, path: str, body: str = "", version: str = "0.7") -> str:
    kind = ["Content-Type: application/json"] if body else []
    return line(method, path, SIMPLE, accept(version), *kind, body=body)


def signed(path: str) -> str:
    """A GET that is signed as clients sign it."""
    date = formatdate(usegmt=True)
    text = "\n".join(["GET", hashlib.md5(b"").hexdigest(), "application/json", date, path])
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).hexdigest()
    return line(
        "GET",
        path,
        f"Authorization: Uploadcare {KEY}:{signature}",
        f"Date: {date}",
        accept(),
        "Content-Type: application/json",
    )


def different(path: str, version: str = "0.7") -> str:
    """Requests for a page that differ in a parameter which means nothing."""
    return "\n".join(simple("GET", f"{path}&nothing={number}", version=version) for number in range(DIFFERENT))


def get(server: Server, path: str, version: str = "0.7") -> dict:
    headers = dict(text.split(": ", 1) for text in (SIMPLE, accept(version)))
    status, body = server.get(path, headers)
    if status != 200:
        raise Broken(f"GET {path} was answered with {status}: {body[:300]!r}")
    return json.loads(body)


def asks(server: Server, lines: Path, connections: int, seconds: float, seed: int = 1, start: int = 0) -> Run:
    shot = [*server.address(), "--kind", "ask", "--paths", str(lines), "--connections", str(connections)]
    return load.measure(server, [*shot, "--seconds", str(seconds), "--seed", str(seed), "--start", str(start)])


def laid(stand: Stand, count: int, vary: Callable[[dict, random.Random], dict] | None = None) -> tuple[Path, list[str]]:
    """A data folder with so many files, and ids of some of them."""
    origin, folder = stand.folder("origin"), stand.folder(f"files-{count}")
    with stand.server("stowage-full").start(origin) as server:
        server.send(b"stowage" * 1000)
    shutil.copytree(origin, folder)
    stand.discard(origin)
    stand.note(f"laying {count} rows …")
    return folder, fill(folder, count, vary)


def resumed(stand: Stand, folder: Path) -> Server:
    server = stand.server("stowage-full")
    server.folder = folder
    server.resume()
    return server


def like_fastapi(page: dict, count: int, target: Path) -> None:
    """A database with the same files for FastAPI, and what it asks of them indexed."""
    example = page["results"][0]
    store = sqlite3.connect(target)
    with store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute(
            "CREATE TABLE files (uuid TEXT, uploaded TEXT UNIQUE, stored TEXT, size INTEGER, is_image INTEGER,"
            " mime_type TEXT, name TEXT, content TEXT, metadata TEXT)"
        )
        store.execute("CREATE TABLE total (number INTEGER)")
        store.execute("INSERT INTO total VALUES (?)", (count,))
        facts = (example["size"], 0, example["mime_type"], example["original_filename"])
        facts += (json.dumps(example["content_info"]), json.dumps(example["metadata"]))
        times = (f"2026-01-01T00:00:00.{number:06d}Z" for number in range(count))
        rows = ((example["uuid"], moment, moment, *facts) for moment in times)
        store.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    store.close()


def listing(stand: Stand) -> list[Row]:
    reason = servers.install_fastapi()
    if reason:
        raise Broken(f"no FastAPI: {reason}")
    folder, _ = laid(stand, LISTED)
    asked, anew = folder.with_name("asked"), folder.with_name("anew")
    asked.write_text(simple("GET", "/files/?limit=100"))
    anew.write_text(different("/files/?limit=100"))
    running: dict[str, Server] = {}
    runs: dict[str, list[Run]] = {}
    try:
        running["stowage"] = resumed(stand, folder)
        page = get(running["stowage"], "/files/?limit=100")
        if (len(page["results"]), page["total"]) != (100, LISTED):
            raise Broken(f"a page of {len(page['results'])} files out of {page['total']}")
        memory, database = folder.with_name("page.json"), folder.with_name("fastapi.sqlite")
        memory.write_text(json.dumps(page))
        like_fastapi(page, LISTED, database)
        sources = {"fastapi": database} | ({"fastify": memory} if stand.fastify else {})
        for name, source in sources.items():
            running[name] = Listing(name, source).start(stand.folder(name))
        for number in range(-1, stand.rounds):
            for name in turns([*running, "stowage anew"], number):
                server, lines = (running["stowage"], anew) if name.endswith("anew") else (running[name], asked)
                run = asks(server, lines, CONNECTIONS, 1 if number < 0 else stand.seconds, start=(number + 1) * 7919)
                if number < 0:
                    continue
                runs.setdefault(name, []).append(run)
                stand.note(f"round {number + 1} {name}: {run.rate:.0f}/s, {run.cpu_per_request:.0f} µs CPU each")
    finally:
        for server in running.values():
            server.stop()
        stand.discard(folder)
    what, ours = f"list of 100 files out of {LISTED:,}".replace(",", " "), runs["stowage"]
    rows = []
    for text, mine in ((what, ours), (f"{what}, never the same one", runs["stowage anew"])):
        rows.append(Row("rest-list", text, "/s", each(mine, rate), each(runs["fastapi"], rate), "fastapi", at_least=12))
        if "fastify" in runs:
            rows.append(Row("rest-list", text, "/s", each(mine, rate), each(runs["fastify"], rate), "fastify"))
            cpu = [each(some, lambda run: run.cpu_per_request) for some in (mine, runs["fastify"])]
            rows.append(Row("rest-list", "— CPU per list", "µs", *cpu, "fastify", at_most=1))
    return rows


def varied(row: dict, dice: random.Random) -> dict:
    """Most files are stored, some temporary, a few removed; sizes differ."""
    fate, size = dice.random(), dice.randrange(1, 10_000_000)
    if fate < 0.6:
        return {"size": size}
    if fate < 0.9:
        return {"size": size, "stored_at": None}
    return {"size": size, "stored_at": None, "removed_at": row["uploaded_at"] + 5, "blob": None}


def places(server: Server, query: str, version: str, key: str) -> dict[str, str]:
    """The first, a middle and the last page of a list, as paths."""
    name = "size" if "size" in query else "datetime_uploaded"
    descending = "ordering=-" in query
    total = get(server, f"/files/?limit=1&{query}", version)["total"]
    first = get(server, f"/files/?limit=1&{query}", version)["results"][0][name]
    other = query.replace("ordering=-", "ordering=") if descending else query.replace("ordering=", "ordering=-")
    last = get(server, f"/files/?limit=1&{other}", version)["results"][0][name]
    if total < 300:
        raise Broken(f"{key}: {total} files")
    middle = (first + last) // 2 if name == "size" else halfway(first, last)
    behind = (last + (250 if descending else -250)) if name == "size" else shifted(last, 0.1 if descending else -0.1)
    return {
        "first": f"/files/?limit=100&{query}",
        "middle": f"/files/?limit=100&{query}&from={middle}",
        "last": f"/files/?limit=100&{query}&from={behind}",
    }


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def written(moment: float) -> str:
    return quote(datetime.fromtimestamp(moment, timezone.utc).isoformat())


def halfway(first: str, last: str) -> str:
    return written((seconds_of(first) + seconds_of(last)) / 2)


def shifted(text: str, by: float) -> str:
    return written(seconds_of(text) + by)


LISTS = {
    "all": ("ordering=datetime_uploaded", "0.7"),
    "all, newest first": ("ordering=-datetime_uploaded", "0.7"),
    "stored": ("stored=true&ordering=datetime_uploaded", "0.7"),
    "temporary, newest first": ("stored=false&ordering=-datetime_uploaded", "0.7"),
    "removed": ("removed=true&ordering=datetime_uploaded", "0.7"),
    "by size (0.6)": ("ordering=size", "0.6"),
    "stored, largest first (0.6)": ("stored=true&ordering=-size", "0.6"),
}


def pages(stand: Stand) -> list[Row]:
    """The 99th percentile of a page, among a million files and among some thousands."""
    few, many = 10 * FEW, MANY
    laid_out = {count: laid(stand, count, varied)[0] for count in (few, many)}
    running: dict[int, Server] = {}
    times: dict[tuple[str, int], list[float]] = {}
    try:
        for count, folder in laid_out.items():
            running[count] = resumed(stand, folder)
        asked = {
            (key, count): places(running[count], query, version, key)
            for key, (query, version) in LISTS.items()
            for count in laid_out
        }
        for number in range(-1, stand.rounds):
            for key, (_, version) in LISTS.items():
                for count in turns(list(laid_out), number):
                    for place, path in asked[key, count].items():
                        lines = laid_out[count].with_name("asked")
                        lines.write_text(different(path, version))
                        run = asks(running[count], lines, 1, 0.2 if number < 0 else stand.seconds / 8)
                        if number >= 0:
                            times.setdefault((f"{key}, {place} page", count), []).append(run.p99)
    finally:
        for server in running.values():
            server.stop()
        for folder in laid_out.values():
            stand.discard(folder)
    names, peer = dict.fromkeys(name for name, _ in times), f"{few} files"
    return [
        Row("rest-pages", f"99th percentile, {name}", "µs", times[name, many], times[name, few], peer, at_most=1.5)
        for name in names
    ]


def info(stand: Stand) -> list[Row]:
    folder, ids = laid(stand, LISTED)
    running: dict[str, Server] = {}
    runs: dict[str, list[Run]] = {}
    try:
        ours = running["stowage"] = resumed(stand, folder)
        example = get(ours, f"/files/{ids[0]}/")
        nginx = running["nginx"] = stand.server("nginx").start(stand.folder("nginx"))
        some = ids[:1000]
        for id in some:
            (nginx.folder / "root" / id).write_text(json.dumps(example, separators=(",", ":")))
        lines = {name: folder.with_name(f"asked-{name}") for name in running}
        lines["nginx"].write_text("\n".join(line("GET", f"/{id}") for id in some))
        for number in range(-1, stand.rounds):
            for name in turns(list(running), number):
                # Signatures hold for a quarter of an hour.
                lines["stowage"].write_text("\n".join(signed(f"/files/{id}/") for id in some))
                run = asks(running[name], lines[name], 32, 1 if number < 0 else stand.seconds)
                if number < 0:
                    continue
                runs.setdefault(name, []).append(run)
                stand.note(f"round {number + 1} {name}: {run.rate:.0f}/s, {run.cpu_per_request:.0f} µs CPU each")
    finally:
        for server in running.values():
            server.stop()
        stand.discard(folder)
    what = "file info, signed, 32 connections"
    pair = [each(runs[name], rate) for name in ("stowage", "nginx")]
    return [Row("rest-info", what, "/s", *pair, "nginx", at_least=0.25)]


def storing(stand: Stand) -> list[Row]:
    """Storing and removing each of many files once, beside uploading as many; batches of 100 beside single calls."""
    count, batches = 3_000, 30
    shares: dict[str, list[float]] = {name: [] for name in ("upload", "store", "remove", "one", "batch")}
    for number in range(stand.rounds):
        folder = stand.folder("stowage-full")
        with stand.server("stowage-full").start(folder) as server:
            collected = folder.with_name("ids")
            fields = ["--field", f"UPLOADCARE_PUB_KEY={KEY}", "--field", "UPLOADCARE_STORE=0"]
            shot = [*server.address(), "--kind", "multipart", "--path", "/base/", *fields, "--size", str(SMALL)]
            shot += ["--connections", "32", "--requests", str(count), "--seed", str(number + 5)]
            sent = load.measure(server, [*shot, "--collect", str(collected)])
            shares["upload"].append(sent.rate)
            ids = collected.read_text().split()
            asked = folder.with_name("asked")
            for name, method in (("store", "PUT"), ("remove", "DELETE")):
                asked.write_text("\n".join(simple(method, f"/files/{id}/storage/") for id in ids))
                # The generator begins with the second line and comes to the first one last.
                every = ["--kind", "ask", "--paths", str(asked), "--requests", str(len(ids)), "--connections", "32"]
                shares[name].append(load.measure(server, [*server.address(), *every]).rate)
            some = ids[: 100 * batches]
            asked.write_text("\n".join(simple("PUT", f"/files/{id}/storage/") for id in some[:batches]))
            one = ["--kind", "ask", "--paths", str(asked), "--requests", str(batches), "--connections", "1"]
            shares["one"].append(load.measure(server, [*server.address(), *one]).p50)
            load.shoot([*server.address(), *one[:3], str(asked), *one[4:]])
            groups = [some[at : at + 100] for at in range(0, len(some), 100)]
            asked.write_text("\n".join(simple("DELETE", "/files/storage/", json.dumps(group)) for group in groups))
            load.shoot([*server.address(), *one])
            asked.write_text("\n".join(simple("PUT", "/files/storage/", json.dumps(group)) for group in groups))
            shares["batch"].append(load.measure(server, [*server.address(), *one]).p50)
        stand.discard_later(folder)
        told = ", ".join(f"{name} {values[-1]:.0f}" for name, values in shares.items())
        stand.note(f"round {number + 1}: {told}")
    names = {"store": "storing a file, 32 connections", "remove": "removing a file, 32 connections"}
    rows = [
        Row("rest-store", what, "/s", shares[name], shares["upload"], "10 KB uploads", at_least=0.8)
        for name, what in names.items()
    ]
    what = "storing 100 files in one call, one connection"
    rows.append(Row("rest-store", what, "µs", shares["batch"], shares["one"], "one file", at_most=5))
    return rows
