"""What tests wait for: an ephemeral server, a reset, a test cycle from Node; and what the journal costs those who upload."""

import json
import os
import subprocess
import time
from pathlib import Path

from . import Broken, load, procs
from .cases import MIB, SMALL, Stand, each, turns
from .client import Client
from .load import Run
from .report import Row
from .servers import BENCH, Server, Stowage

FILES = 1000
UPLOADS = 50
CYCLES = 200
STARTS = 20


class Ephemeral(Stowage):
    """As tests start it, from `docs/recipes`; its temporary folder lies where the others' folders are."""

    def __init__(self, stand: Stand, *options: str) -> None:
        super().__init__(stand.stowage, "", stand.settings)
        self.options = options

    def command(self) -> list[str]:
        return [str(self.binary), "serve", "--ephemeral", "--listen", "127.0.0.1:0", *self.options]

    def environment(self) -> dict[str, str]:
        settings = {name: value for name, value in super().environment().items() if name != "STOWAGE_DURABILITY"}
        return settings | {"TMPDIR": str(self.folder)}


def ephemeral(stand: Stand) -> list[Row]:
    if not stand.nginx:
        raise Broken("this case is a comparison with nginx, which is not installed")
    options = {"stowage": (), "stowage --dev": ("--dev",)}
    times: dict[str, list[float]] = {name: [] for name in [*options, "nginx"]}
    for number in range(-1, STARTS):
        for name in turns(list(times), number):
            folder = stand.folder(name.replace(" ", ""))
            server = Ephemeral(stand, *options[name]) if name in options else stand.server(name)
            took = server.time_start(folder) * 1000
            left = [] if name == "nginx" else list(folder.iterdir())
            if left:
                raise Broken(f"an ephemeral server has left {left[0].name}")
            # The first time each program may have to come from the disk.
            if number >= 0:
                times[name].append(took)
            stand.discard(folder)
    what = "time to ready, `serve --ephemeral`"
    return [
        Row("ephemeral", what, "ms", times["stowage"], times["nginx"], "nginx", at_most=2),
        Row("ephemeral", "— with `--dev`", "ms", times["stowage --dev"], times["nginx"], "nginx"),
    ]


def empty(client: Client) -> float:
    """Milliseconds of a reset, on a connection that stands."""
    client.ask("GET", "/_dev/clock")
    begin = time.perf_counter()
    client.ask("POST", "/_dev/reset")
    return (time.perf_counter() - begin) * 1000


def fill(server: Server, count: int, seed: int) -> float:
    """Uploads so many small files, one after the other where they are few; milliseconds that it took."""
    connections = "8" if count > UPLOADS else "1"
    shot = [*server.upload(), "--size", str(SMALL), "--connections", connections, "--requests", str(count)]
    result = load.shoot([*shot, "--seed", str(seed)])
    if result["requests"] != count:
        raise Broken(f"{result['requests']} of {count} uploads were answered")
    return result["seconds"] * 1000


def reset(stand: Stand) -> list[Row]:
    many, few, uploads = [], [], []
    folder = stand.folder("stowage")
    with Ephemeral(stand, "--dev").start(folder) as server, Client(server.port) as client:
        fill(server, UPLOADS, 5)
        empty(client)
        for number in range(stand.rounds * 4):
            fill(server, FILES, number * 3 + 11)
            many.append(empty(client))
            uploads.append(fill(server, UPLOADS, number * 3 + 12))
            empty(client)
            fill(server, 3, number * 3 + 13)
            few.append(empty(client))
            stand.note(
                f"round {number + 1}: {many[-1]:.2f} ms, {few[-1]:.2f} ms; {UPLOADS} uploads {uploads[-1]:.1f} ms"
            )
    stand.discard(folder)
    return [
        Row("reset", "reset with 1 000 files", "ms", many, uploads, "50 uploads", at_most=1),
        Row("reset", "— with 3 files", "ms", few, uploads, "50 uploads"),
    ]


def picture(stand: Stand) -> Path:
    """A JPEG of some ten thousand bytes."""
    path = stand.work / "small.jpg"
    if not path.exists():
        environment = os.environ | {"NODE_PATH": str(BENCH / "peers" / "fastify" / "node_modules")}
        command = ["node", str(BENCH / "image" / "photo.js"), str(path), "320", "240", "1", "80", "baseline"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"no picture could be made: {done.stderr.strip()[-300:]}")
    return path


def cycles(server: Server, what: str, photo: Path) -> list[float]:
    """Milliseconds of each cycle of a Node process of its own."""
    script = str(BENCH / "load" / "cycle.mjs")
    command = ["node", script, f"http://127.0.0.1:{server.port}", what, str(photo), str(CYCLES)]
    return json.loads(procs.output(what, command))


def middle(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def cycle(stand: Stand) -> list[Row]:
    if not stand.fastify:
        raise Broken("this case is a comparison with Fastify, which is not installed")
    photo = picture(stand)
    whole, uploads, theirs = [], [], []
    for number in range(stand.rounds):
        for name in turns(["stowage", "fastify"], number):
            folder = stand.folder(name)
            with (Ephemeral(stand, "--dev") if name == "stowage" else stand.server(name)).start(folder) as server:
                if name == "stowage":
                    whole.append(middle(cycles(server, "cycle", photo)))
                    uploads.append(middle(cycles(server, "uploads", photo)))
                    stand.note(f"round {number + 1} {name}: {whole[-1]:.2f} ms, uploads alone {uploads[-1]:.2f} ms")
                else:
                    theirs.append(middle(cycles(server, "uploads", photo)))
                    stand.note(f"round {number + 1} {name}: {theirs[-1]:.2f} ms")
            stand.discard_later(folder)
    what = "reset, 3 uploads, list and preview, from Node"
    return [
        Row("cycle", what, "ms", whole, theirs, "fastify, 3 uploads", at_most=1.5),
        Row("cycle", "— the 3 uploads alone", "ms", uploads, theirs, "fastify, 3 uploads"),
    ]


def journal(stand: Stand) -> list[Row]:
    ways = {
        "off": {},
        "on": {"STOWAGE_DEV__ENABLED": "true"},
        "no journal": {"STOWAGE_DEV__ENABLED": "true", "STOWAGE_DEV__JOURNAL": "0"},
    }
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(stand.rounds):
        for name in turns(list(ways), number):
            folder = stand.folder("stowage")
            with stand.server("stowage-relaxed", **ways[name]).start(folder) as server:
                base = [*server.upload(), "--size", str(SMALL), "--connections", "32"]
                load.shoot([*base, "--seconds", "0.5", "--seed", "7"])
                run = load.measure(server, [*base, "--seconds", str(stand.seconds), "--seed", str(number + 11)])
            runs[name].append(run)
            peak = run.used.peak / MIB
            stand.note(
                f"round {number + 1} {name}: {run.cpu_per_request:.1f} µs CPU each, {run.rate:.0f}/s, {peak:.0f} MiB"
            )
            stand.discard_later(folder)
    cpu = {name: each(some, lambda run: run.cpu_per_request) for name, some in runs.items()}
    what = "CPU of a 10 KB upload, with the doors for tests"
    return [
        Row("journal", what, "µs", cpu["on"], cpu["off"], "without", at_most=1.05),
        Row("journal", "— without the journal", "µs", cpu["no journal"], cpu["off"], "without"),
    ]
