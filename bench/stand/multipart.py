"""Uploads in parts: how fast the parts go in, beside the same bytes put into nginx, and what completing costs."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from . import Broken, load
from .cases import MIB, Stand, each, turns
from .client import Client
from .load import Run
from .report import Row
from .servers import Server, Stowage

SIZE = 2**30
PART = 8 * MIB
CONNECTIONS = 8

SMALL = 10 * MIB
LARGE = 5 * 2**30
SMALL_TIMES = 5


@dataclass
class Sent:
    """One upload in parts."""

    run: Run  # its seconds include start and complete
    completing: float  # seconds
    path: str = ""


def put_parts(server: Server, paths: list[str], size: int, part_size: int, seed: int) -> dict:
    """Sends each part once, in no order that counts, with bodies that tell which part they are."""
    if size % part_size:
        raise Broken(f"{size} is no multiple of {part_size}")
    listed = server.folder.with_name("paths")
    listed.write_text("\n".join(paths))
    shot = ["--kind", "part", "--paths", str(listed), "--size", str(part_size), "--requests", str(len(paths))]
    return load.shoot([*server.address(), *shot, "--connections", str(CONNECTIONS), "--seed", str(seed)])


def upload(server: Server, size: int, part_size: int, seed: int) -> Sent:
    """Sends a file in parts, accounted from the first request to the last answer."""
    if not isinstance(server, Stowage):
        paths = [f"/parts/{seed}/{number}" for number in range(size // part_size)]
        result, used = load.account(server, lambda: put_parts(server, paths, size, part_size, seed))
        return Sent(load.run_of(server, result, used), 0)

    def through() -> tuple[dict, float, str]:
        with Client(server.port) as client:
            begin = time.perf_counter()
            id, paths = client.start(size, part_size)
            starting = time.perf_counter() - begin
            result = put_parts(server, paths, size, part_size, seed)
            completing = client.complete(id, size)
            result["seconds"] += starting + completing
            return result, completing, f"/{id}/"

    (result, completing, path), used = load.account(server, through)
    return Sent(load.run_of(server, result, used), completing, path)


def verify(server: Server, path: str, size: int, part_size: int, seed: int) -> None:
    """Each body begins with the seed and the number of its request: every part must lie in its place."""
    count = size // part_size
    same = None
    for index in range(count):
        first = index * part_size
        status, content = server.get(path, {"Range": f"bytes={first}-{first + 63}"})
        stamp = (seed | 0x8080808080808080).to_bytes(8, "little") + (index or count).to_bytes(8, "little")
        same = same or content[16:]
        if status != 206 or content != stamp + same:
            raise Broken(f"part {index + 1} of {path} is not what was sent: {status}, {content.hex()}")


def multipart(stand: Stand) -> list[Row]:
    case, us = "multipart", "stowage-full"
    names = stand.have(us, "nginx")
    sent: dict[str, list[Sent]] = {name: [] for name in names}
    over: list[float] = []
    for number in range(stand.rounds):
        for name in turns(names, number):
            folder = stand.folder(name)
            with stand.server(name).start(folder) as server:
                time.sleep(1)
                idle = server.usage().resident
                upload(server, 8 * PART, PART, 7)
                os.sync()
                seed = number + 11
                one = upload(server, SIZE, PART, seed)
                begin = time.monotonic()
                os.sync()
                one.run.sync = time.monotonic() - begin
                if one.path:
                    verify(server, one.path, SIZE, PART, seed)
            sent[name].append(one)
            more = ""
            if name == us:
                over.append((one.run.used.peak - idle) / MIB)
                more = f", peak {over[-1]:.1f} MiB over idle, completed in {one.completing * 1000:.2f} ms"
            stand.note(
                f"round {number + 1} {name}: {one.run.megabytes:.0f} MB/s, {one.run.megabytes_on_disk:.0f} MB/s until"
                f" on the disk, {one.run.cpu_per_gib:.2f} s CPU per GiB, {one.run.used.written / SIZE:.2f} B written per"
                f" B{more}"
            )
            stand.discard(folder)
    ours = [one.run for one in sent[us]]
    rows = []
    what = "1 GiB by parts of 8 MB, 8 at once, durable"
    if "nginx" in sent:
        theirs = [one.run for one in sent["nginx"]]
        pair = [each(some, lambda run: run.megabytes) for some in (ours, theirs)]
        rows.append(Row(case, what, "MB/s", *pair, "nginx", at_least=1.3))
        pair = [each(some, lambda run: run.megabytes_on_disk) for some in (ours, theirs)]
        rows.append(Row(case, "— until all of it is on the disk", "MB/s", *pair, "nginx"))
        pair = [each(some, lambda run: run.cpu_per_gib) for some in (ours, theirs)]
        rows.append(Row(case, "— CPU-seconds per GiB in", "s", *pair, "nginx", at_most=0.8))
    else:
        rows.append(Row(case, what, "MB/s", each(ours, lambda run: run.megabytes)))
    rows.append(Row(case, "— peak memory over idle", "MiB", over, at_most=24))
    written = each(ours, lambda run: run.used.written / run.sent)
    rows.append(Row(case, "— bytes written per byte received", "", written, at_most=1.0))
    rows.append(Row(case, "— time of complete", "ms", [one.completing * 1000 for one in sent[us]]))
    return rows


def complete(stand: Stand) -> list[Row]:
    rows = []
    for part_size, bar in ((64 * MIB, 2.0), (5 * MIB, None)):
        large, small = [], []
        for number in range(stand.rounds):
            ours, theirs = complete_both(stand, part_size, number)
            large.append(ours * 1000)
            small.append(theirs * 1000)
            stand.note(
                f"round {number + 1}, parts of {part_size // MIB} MiB: 5 GiB completed in {large[-1]:.2f} ms,"
                f" 10 MiB in {small[-1]:.2f} ms"
            )
        what = f"time of complete, 5 GiB in {LARGE // part_size} parts against 10 MiB"
        rows.append(Row("complete", what, "ms", large, small, "10 MiB", at_most=bar))
    return rows


def complete_both(stand: Stand, part_size: int, number: int) -> tuple[float, float]:
    """Seconds that completing the large and (in the middle) the small upload took, in a store of their own."""
    if shutil.disk_usage(stand.work).free < LARGE + 3 * 2**30:
        raise Broken(f"5 GiB and some room are not free under {stand.work}")
    folder: Path = stand.folder("stowage-full")
    try:
        with stand.server("stowage-full").start(folder) as server:
            upload(server, SMALL, 5 * MIB, 7)

            def of(size: int, by: int, times: int) -> float:
                os.sync()
                return median(upload(server, size, by, seed + 11).completing for seed in range(times))

            if number % 2 == 0:
                theirs = of(SMALL, 5 * MIB, SMALL_TIMES)
                return of(LARGE, part_size, 1), theirs
            ours = of(LARGE, part_size, 1)
            return ours, of(SMALL, 5 * MIB, SMALL_TIMES)
    finally:
        stand.discard(folder)
