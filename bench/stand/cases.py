"""What is measured. Every case alternates between Stowage and its peers, round by round, and returns rows."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import Broken, load
from .load import Run
from .report import Row
from .servers import Fastify, Nginx, Server, Stowage, Tusd

SMALL = 10 * 1024
MEDIUM = 5 * 1024 * 1024
LARGE = 90_000_000
HUGE = 100_000_000
RANGE = 10 * 1024
MIB = 2**20


@dataclass
class Stand:
    """What the cases share: options, the peers that are at hand, and the folder that all data lies under."""

    work: Path
    rounds: int
    seconds: float
    stowage: Path
    settings: dict[str, str]
    nginx: str | None
    fastify: bool
    tusd: str | None
    leftovers: list[Path] = field(default_factory=list)

    def server(self, name: str, **settings: str) -> Server:
        """A server that is not started yet; the settings are for Stowage."""
        if name.startswith("stowage"):
            durability = "relaxed" if name == "stowage-relaxed" else "full"
            return Stowage(self.stowage, durability, settings | self.settings)
        if name == "nginx":
            return Nginx(self.nginx)
        return Fastify() if name == "fastify" else Tusd(self.tusd)

    def have(self, *names: str) -> list[str]:
        at_hand = {"nginx": bool(self.nginx), "fastify": self.fastify, "tusd": bool(self.tusd)}
        return [name for name in names if at_hand.get(name, True)]

    def folder(self, name: str) -> Path:
        """A path that nothing stands at yet."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work)) / "data"

    def discard(self, folder: Path) -> None:
        """Deletes what a run with few files has left, and lets the disk come to rest."""
        shutil.rmtree(folder.parent, ignore_errors=True)
        os.sync()

    def discard_later(self, folder: Path) -> None:
        """Keeps what a run with many files has left until the bench ends.

        Some file systems (ext4 without a journal) do not reuse an inode for minutes after its file was deleted and
        search past it at every creation: deleting a hundred thousand files here would slow the next server tenfold.
        """
        self.leftovers.append(folder.parent)
        os.sync()

    def note(self, text: str) -> None:
        print(f"    {text}", flush=True)


def turns(names: list[str], round_number: int) -> list[str]:
    """A B, then B A: whatever drifts on the machine meets everybody alike."""
    return names if round_number % 2 == 0 else names[::-1]


def uploads(
    stand: Stand, names: list[str], size: int, connections: int, seconds: float, many: bool
) -> dict[str, list[Run]]:
    """Uploads to each server in turn, each time on a fresh folder."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(stand.rounds):
        for name in turns(names, number):
            folder = stand.folder(name)
            if name == "floor":
                run = load.floor(folder, connections, seconds, size)
            else:
                with stand.server(name).start(folder) as server:
                    base = [*server.upload(), "--size", str(size), "--connections", str(connections)]
                    load.shoot([*base, "--seconds", "0.5", "--seed", "7"])
                    run = load.measure(server, [*base, "--seconds", str(seconds), "--seed", str(number + 11)])
                    # What the server has said it has, and what only the page cache has, part here.
                    begin = time.monotonic()
                    os.sync()
                    run.sync = time.monotonic() - begin
            runs[name].append(run)
            written = f", {run.used.written / run.sent:.2f} B written per B" if name != "floor" else ""
            stand.note(
                f"round {number + 1} {name}: {run.rate:.0f}/s, {run.megabytes:.0f} MB/s,"
                f" {run.cpu_per_request:.0f} µs CPU each{written}"
            )
            (stand.discard_later if many else stand.discard)(folder)
    return runs


def each(runs: list[Run], take: Callable[[Run], float]) -> list[float]:
    return [take(run) for run in runs]


def rate(run: Run) -> float:
    return run.rate


def upload_small_relaxed(stand: Stand) -> list[Row]:
    case, us = "upload-10k-relaxed", "stowage-relaxed"
    names = stand.have(us, "tusd", "fastify", "nginx")
    runs = uploads(stand, names, SMALL, 32, stand.seconds, many=True)
    ours, rows = runs[us], []
    what = "10 KB uploads, 32 connections, relaxed"
    if "tusd" in runs:
        rows.append(Row(case, what, "/s", each(ours, rate), each(runs["tusd"], rate), "tusd", at_least=1.5))
    if "fastify" in runs:
        bar = None if "tusd" in runs else 6.0
        rows.append(Row(case, what, "/s", each(ours, rate), each(runs["fastify"], rate), "fastify", at_least=bar))
    if "nginx" in runs:
        theirs = runs["nginx"]
        rows.append(Row(case, what, "/s", each(ours, rate), each(theirs, rate), "nginx"))
        cpu = [each(some, lambda run: run.cpu_per_request) for some in (ours, theirs)]
        rows.append(Row(case, "— CPU per upload", "µs", *cpu, "nginx", at_most=3))
    rows.append(Row(case, "— peak memory", "MiB", each(ours, lambda run: run.used.peak / MIB), at_most=64 + 32))
    return rows


def upload_small_durable(stand: Stand) -> list[Row]:
    case, us = "upload-10k-durable", "stowage-full"
    names = stand.have(us, "floor", "tusd", "fastify")
    runs = uploads(stand, names, SMALL, 32, stand.seconds, many=True)
    ours, what = runs[us], "10 KB uploads, 32 connections, durable"
    rows = [Row(case, what, "/s", each(ours, rate), each(runs["floor"], rate), "floor", at_least=1.0)]
    for peer in ("tusd", "fastify"):
        if peer in runs:
            rows.append(Row(case, what, "/s", each(ours, rate), each(runs[peer], rate), peer))
    rows.append(Row(case, "— CPU per upload", "µs", each(ours, lambda run: run.cpu_per_request)))
    rows.append(Row(case, "— bytes written per byte", "", each(ours, lambda run: run.used.written / run.sent)))
    return rows


def upload_medium(stand: Stand) -> list[Row]:
    case, us = "upload-5m", "stowage-full"
    names = stand.have(us, "nginx", "tusd", "fastify")
    # Longer than the others: a server that does not sync is as fast as memory until the kernel lets it wait for the
    # disk.
    runs = uploads(stand, names, MEDIUM, 8, stand.seconds * 2.5, many=False)
    ours, rows = runs[us], []
    what = "5 MB uploads, 8 connections, durable"
    for peer, bar in (("nginx", 1.3), ("tusd", None), ("fastify", None)):
        if peer in runs:
            pair = [each(some, lambda run: run.megabytes) for some in (ours, runs[peer])]
            rows.append(Row(case, what, "MB/s", *pair, peer, at_least=bar))
    if "nginx" in runs:
        pair = [each(some, lambda run: run.megabytes_on_disk) for some in (ours, runs["nginx"])]
        rows.append(Row(case, "— until all of it is on the disk", "MB/s", *pair, "nginx"))
    bars = {"tusd": 1.0, "fastify": None if "tusd" in runs else 0.4, "nginx": None}
    for peer, bar in bars.items():
        if peer in runs:
            pair = [each(some, lambda run: run.cpu_per_gib) for some in (ours, runs[peer])]
            rows.append(Row(case, "— CPU-seconds per GiB in", "s", *pair, peer, at_most=bar))
    written = each(ours, lambda run: run.used.written / run.sent)
    rows.append(Row(case, "— bytes written per byte received", "", written, at_most=1.0))
    rows.append(Row(case, "— peak memory", "MiB", each(ours, lambda run: run.used.peak / MIB), at_most=64 + 8))
    return rows


def verify(server: Stowage) -> None:
    """What is fast must also be right: a file comes back whole, and a range of it is that range."""
    content = os.urandom(SMALL)
    path = f"/{server.send(content)}/"
    status, body = server.get(path)
    if (status, body) != (200, content):
        raise Broken(f"GET {path} answered {status} with {len(body)} bytes that are not the file")
    status, body = server.get(path, {"Range": "bytes=100-299"})
    if (status, body) != (206, content[100:300]):
        raise Broken(f"GET {path} of bytes 100 to 299 answered {status} with {len(body)} bytes")


def downloads(stand: Stand, size: int, count: int, connections: int, extra: list[str]) -> dict[str, list[Run]]:
    """Fetches the same amount of files from Stowage and nginx, both running, in turn."""
    names = stand.have("stowage-full", "nginx")
    runs: dict[str, list[Run]] = {name: [] for name in names}
    servers: dict[str, Server] = {}
    folders = {name: stand.folder(name) for name in names}
    try:
        for name in names:
            server = servers[name] = stand.server(name).start(folders[name])
            paths = folders[name].with_name("paths")
            if isinstance(server, Stowage):
                verify(server)
                several = ["--connections", str(min(count, 8)), "--requests", str(count), "--size", str(size)]
                load.shoot([*server.upload(), *several, "--collect", str(paths)])
                ids = paths.read_text().split()
                if len(ids) != count:
                    raise Broken(f"{count} uploads were answered with {len(ids)} ids")
                paths.write_text("\n".join(f"/{id}/" for id in ids))
            else:
                for number in range(count):
                    (folders[name] / "root" / f"{number}.bin").write_bytes(os.urandom(size))
                paths.write_text("\n".join(f"/{number}.bin" for number in range(count)))
        os.sync()
        for number in range(-1, stand.rounds):
            for name in turns(names, number):
                paths = folders[name].with_name("paths")
                shot = [*servers[name].address(), "--kind", "get", "--paths", str(paths), *extra]
                shot += ["--connections", str(connections), "--seed", str(number + 11)]
                if number < 0:
                    load.shoot([*shot, "--seconds", "0.5"])
                    continue
                run = load.measure(servers[name], [*shot, "--seconds", str(stand.seconds)])
                runs[name].append(run)
                stand.note(
                    f"round {number + 1} {name}: {run.rate:.0f}/s, {run.megabytes:.0f} MB/s,"
                    f" {run.cpu_per_request:.0f} µs CPU each"
                )
    finally:
        for server in servers.values():
            server.stop()
        for folder in folders.values():
            stand.discard(folder)
    return runs


def need_nginx(runs: dict[str, list[Run]]) -> list[list[Run]]:
    if "nginx" not in runs:
        raise Broken("this case is a comparison with nginx, which is not installed")
    return [runs["stowage-full"], runs["nginx"]]


def get_small(stand: Stand) -> list[Row]:
    case = "get-10k"
    both = need_nginx(downloads(stand, SMALL, 1000, 32, []))
    return [
        Row(case, "GET 10 KB, 32 connections", "/s", *(each(runs, rate) for runs in both), "nginx", at_least=0.9),
        Row(
            case, "— CPU per GET", "µs", *(each(r, lambda run: run.cpu_per_request) for r in both), "nginx", at_most=1.5
        ),
        Row(case, "— peak memory", "MiB", each(both[0], lambda run: run.used.peak / MIB)),
    ]


def get_huge(stand: Stand) -> list[Row]:
    case = "get-100m"
    both = need_nginx(downloads(stand, HUGE, 1, 4, []))
    return [
        Row(
            case,
            "GET 100 MB, 4 connections",
            "MB/s",
            *(each(r, lambda run: run.megabytes) for r in both),
            "nginx",
            at_least=0.9,
        ),
        Row(
            case,
            "— CPU-seconds per GiB out",
            "s",
            *(each(r, lambda run: run.cpu_per_gib) for r in both),
            "nginx",
            at_most=2,
        ),
        Row(case, "— peak memory", "MiB", each(both[0], lambda run: run.used.peak / MIB)),
    ]


def get_range(stand: Stand) -> list[Row]:
    case = "range"
    both = need_nginx(downloads(stand, HUGE, 1, 32, ["--range", f"{RANGE}:{HUGE}"]))
    what = "GET 10 KB ranges of 100 MB, 32 connections"
    return [
        Row(case, what, "/s", *(each(runs, rate) for runs in both), "nginx", at_least=0.6),
        Row(case, "— CPU per range", "µs", *(each(r, lambda run: run.cpu_per_request) for r in both), "nginx"),
    ]


def start(stand: Stand) -> list[Row]:
    names = stand.have("stowage-full", "nginx", "tusd", "fastify")
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, 10):
        for name in turns(names, number):
            folder = stand.folder(name)
            took = stand.server(name).time_start(folder) * 1000
            # The first time each program may have to come from the disk.
            if number >= 0:
                times[name].append(took)
            stand.discard(folder)
    bars = {"nginx": 2.0, "tusd": 4.0, "fastify": None}
    ours = times["stowage-full"]
    return [
        Row("start", "time to ready, empty data folder", "ms", ours, times[peer], peer, at_most=bar)
        for peer, bar in bars.items()
        if peer in times
    ]


def idle(stand: Stand) -> list[Row]:
    names = stand.have("stowage-full", "nginx", "tusd", "fastify")
    memory: dict[str, list[float]] = {name: [] for name in names}
    for number in range(stand.rounds):
        for name in turns(names, number):
            folder = stand.folder(name)
            with stand.server(name).start(folder) as server:
                time.sleep(2)
                memory[name].append(server.usage().resident / MIB)
            stand.discard(folder)
    ours = memory["stowage-full"]
    rows = [Row("idle", "idle memory", "MiB", ours, at_most=20)]
    rows += [Row("idle", "idle memory", "MiB", ours, memory[peer], peer) for peer in names[1:]]
    rows.append(Row("idle", "size of the binary", "MiB", [stand.stowage.stat().st_size / MIB], at_most=30))
    return rows


def memory(stand: Stand) -> list[Row]:
    rows = []
    for size, connections, label in (
        (SMALL, 64, "10 KB"),
        (MEDIUM, 32, "5 MB"),
        (LARGE, 4, "90 MB"),
        (LARGE, 16, "90 MB"),
    ):
        folder = stand.folder("stowage-full")
        with stand.server("stowage-full").start(folder) as server:
            shot = [*server.upload(), "--size", str(size), "--connections", str(connections)]
            amount = ["--requests", "16"] if size == LARGE else ["--seconds", str(stand.seconds)]
            run = load.measure(server, [*shot, *amount])
            stand.note(f"{label} x {connections}: peak {run.used.peak / MIB:.1f} MiB, {run.megabytes:.0f} MB/s")
        what = f"peak memory, {connections} uploads of {label} at once"
        rows.append(Row("memory", what, "MiB", [run.used.peak / MIB], at_most=64 + connections))
        (stand.discard_later if size == SMALL else stand.discard)(folder)
    return rows


def all_cases() -> dict[str, tuple[str, Callable[[Stand], list[Row]]]]:
    from . import dev, flat, from_url, multipart, pictures, rest, webhooks

    return {
        "upload-10k-relaxed": ("10 KB uploads at 32 connections, relaxed durability", upload_small_relaxed),
        "upload-10k-durable": ("the same, durable, beside the disk's own floor", upload_small_durable),
        "upload-5m": ("5 MB uploads at 8 connections, durable", upload_medium),
        "multipart": ("1 GiB in parts of 8 MB, 8 at once, durable", multipart.multipart),
        "complete": ("completing 5 GiB in parts against 10 MB", multipart.complete),
        "from_url": ("1 GiB fetched from a URL, beside curl", from_url.from_url),
        "polling": ("1 000 clients that poll the status of uploads from URLs", from_url.polling),
        "get-10k": ("GET of 1 000 files of 10 KB at 32 connections", get_small),
        "get-100m": ("GET of a 100 MB file at 4 connections", get_huge),
        "range": ("GET of 10 KB ranges of a 100 MB file at 32 connections", get_range),
        "start": ("time to ready on an empty data folder", start),
        "idle": ("idle memory, size of the binary", idle),
        "memory": ("peak memory under concurrent uploads, small to large", memory),
        "rest-list": ("a list of 100 files out of 100 000, beside FastAPI and Fastify", rest.listing),
        "rest-pages": ("pages of 1 000 000 files against pages of 1 000", rest.pages),
        "rest-info": ("file info with signed authentication, beside nginx", rest.info),
        "rest-store": ("storing and removing files, one by one and in batches", rest.storing),
        "webhooks": ("10 KB uploads with three webhooks against none", webhooks.webhooks),
        "render-cold": ("thumbnails of 12 MP photos that nobody has asked for yet, beside Fastify + sharp", pictures.cold),
        "variant-hit": ("thumbnails of 10 KB that are there already, beside nginx", pictures.hit),
        "render-memory": ("memory of one render of a 12 MP photo", pictures.memory),
        "ephemeral": ("time to ready of `serve --ephemeral`, beside nginx", dev.ephemeral),
        "reset": ("a reset with 1 000 files against 50 uploads", dev.reset),
        "cycle": ("what a test does, from Node, beside Fastify", dev.cycle),
        "journal": ("CPU of 10 KB uploads with the doors for tests and without", dev.journal),
        "flat": ("latency with 1 000 000 file records against 1 000", flat.flat),
    }
