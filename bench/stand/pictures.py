"""Pictures: cold thumbnails beside a server over sharp, variants that are there already beside nginx, memory of a render."""

import os
import subprocess
import time
from pathlib import Path

from . import Broken, cases, load
from .report import Row
from .servers import BENCH, Fastify, Server

CONNECTIONS = 8
# Thumbnails of one run, each of a file of its own.
COLD = 64
# A thumbnail of this width has some ten thousand bytes.
HIT = 210
VARIANTS = 100
PHOTOS = (("a", 1), ("b", 2))


class Thumbnails(Fastify):
    """Fastify with sharp behind it."""

    def __init__(self, photos: Path) -> None:
        super().__init__()
        self.photos = photos

    def command(self) -> list[str]:
        return ["node", str(BENCH / "peers" / "fastify" / "render.js"), str(self.port), str(self.photos)]


def photos() -> list[Path]:
    """Photo-like JPEGs of 12 megapixels, made once."""
    folder = BENCH / ".work" / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    modules = str(BENCH / "peers" / "fastify" / "node_modules")
    made = []
    for name, seed in PHOTOS:
        photo = folder / f"{name}.jpg"
        if not photo.exists():
            fresh = folder / f"{name}.new.jpg"
            command = ["node", str(BENCH / "image" / "photo.js"), str(fresh), "4000", "3000", str(seed), "88", "baseline"]
            done = subprocess.run(command, env=os.environ | {"NODE_PATH": modules}, capture_output=True, text=True)
            if done.returncode != 0:
                raise Broken(f"no photo could be made: {done.stderr.strip()[-300:]}")
            fresh.rename(photo)
        made.append(photo)
    return made


def gets(server: Server, paths: list[str], place: Path, amount: list[str], connections: int) -> load.Run:
    place.write_text("\n".join(paths) + "\n")
    shot = [*server.address(), "--kind", "get", "--paths", str(place), "--connections", str(connections)]
    return load.measure(server, [*shot, *amount])


def cold(stand: cases.Stand) -> list[Row]:
    if not stand.fastify:
        raise Broken("this case is a comparison with Fastify and sharp, which are not installed")
    sources = [photo.read_bytes() for photo in photos()]
    runs: dict[str, list[load.Run]] = {"stowage-full": [], "fastify": []}
    for number in range(stand.rounds):
        for name in cases.turns(list(runs), number):
            folder = stand.folder(name)
            pictures = folder.parent / "photos"
            pictures.mkdir()
            server = stand.server(name) if name == "stowage-full" else Thumbnails(pictures)
            with server.start(folder):
                if name == "stowage-full":
                    files = [server.send(sources[at % len(sources)]) for at in range(COLD + 2)]
                else:
                    files = [f"{at}.jpg" for at in range(COLD + 2)]
                    for at, file in enumerate(files):
                        (pictures / file).write_bytes(sources[at % len(sources)])
                paths = [f"/{file}/-/resize/400x/" for file in files]
                os.sync()
                # Code and threads have to come from somewhere once.
                for path in paths[COLD:]:
                    status, _ = server.get(path)
                    if status != 200:
                        raise Broken(f"{name} answered {path} with {status}")
                run = gets(server, paths[:COLD], folder.parent / "paths", ["--requests", str(COLD)], CONNECTIONS)
            runs[name].append(run)
            stand.note(
                f"round {number + 1} {name}: {run.rate:.1f}/s, {run.cpu_per_request / 1000:.1f} ms CPU each,"
                f" peak {run.used.peak / cases.MIB:.0f} MiB, {run.received / run.requests:.0f} bytes each"
            )
            stand.discard(folder)
    both = list(runs.values())
    each = cases.each
    return [
        Row(
            "render-cold",
            f"thumbnails of different 12 MP photos, {CONNECTIONS} connections",
            "/s",
            *(each(r, lambda run: run.rate) for r in both),
            "Fastify + sharp",
            at_least=1.2,
        ),
        Row(
            "render-cold",
            "— CPU per thumbnail",
            "ms",
            *(each(r, lambda run: run.cpu_per_request / 1000) for r in both),
            "Fastify + sharp",
        ),
        Row(
            "render-cold",
            "— peak memory",
            "MiB",
            *(each(r, lambda run: run.used.peak / cases.MIB) for r in both),
            "Fastify + sharp",
            at_most=0.5,
        ),
    ]


def hit(stand: cases.Stand) -> list[Row]:
    if not stand.nginx:
        raise Broken("this case is a comparison with nginx, which is not installed")
    photo = photos()[0].read_bytes()
    ours: list[load.Run] = []
    theirs: list[load.Run] = []
    with stand.server("stowage-full").start(stand.folder("stowage-full")) as server:
        file = server.send(photo)
        paths = [f"/{file}/-/resize/{HIT + at}x/" for at in range(VARIANTS)]
        bodies = []
        for path in paths:
            status, body = server.get(path)
            if status != 200:
                raise Broken(f"{path} was answered with {status}")
            bodies.append(body)
        stand.note(f"variants of {sum(map(len, bodies)) / len(bodies):.0f} bytes")
        with stand.server("nginx").start(stand.folder("nginx")) as nginx:
            for at, body in enumerate(bodies):
                (nginx.folder / "root" / str(at)).write_bytes(body)
            ways = {server.name: (server, paths, ours), nginx.name: (nginx, [f"/{at}" for at in range(VARIANTS)], theirs)}
            for number in range(stand.rounds):
                for name in cases.turns(list(ways), number):
                    which, asked, runs = ways[name]
                    amount = ["--seconds", str(stand.seconds)]
                    run = gets(which, asked, which.folder.parent / "paths", amount, 32)
                    runs.append(run)
                    stand.note(f"round {number + 1} {name}: {run.rate:.0f}/s, {run.cpu_per_request:.1f} µs CPU each")
            stand.discard(nginx.folder)
        stand.discard(server.folder)
    each = cases.each
    return [
        Row(
            "variant-hit",
            "variants of 10 KB that are there, 32 connections",
            "/s",
            each(ours, lambda run: run.rate),
            each(theirs, lambda run: run.rate),
            "nginx",
            at_least=0.8,
        ),
    ]


def memory(stand: cases.Stand) -> list[Row]:
    photo = photos()[0].read_bytes()
    rows = []
    for operations, bar in (("resize/400x", 80), ("resize/1600x", 80), ("rotate/90/-/format/jpeg", None)):
        values = []
        for _ in range(stand.rounds):
            folder = stand.folder("stowage-full")
            with stand.server("stowage-full").start(folder) as server:
                time.sleep(1)
                idle = server.usage().resident
                file = server.send(photo)
                # What the upload needed is not the picture's.
                Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
                status, body = server.get(f"/{file}/-/{operations}/")
                if status != 200:
                    raise Broken(f"{operations} was answered with {status}: {body[:200]!r}")
                values.append((server.usage().peak - idle) / cases.MIB)
            stand.discard(folder)
        stand.note(f"{operations}: {', '.join(f'{value:.1f}' for value in values)} MiB over idle")
        rows.append(Row("render-memory", f"peak memory over idle, 12 MP {operations}", "MiB", values, at_most=bar))
    return rows
