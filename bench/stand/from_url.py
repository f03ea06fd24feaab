"""Uploads from URLs: how fast a file is fetched, beside curl, and what clients cost that poll how far theirs is."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from . import Broken, load, procs
from .cases import MIB, Stand, each, turns
from .client import Client
from .load import Run
from .report import Row
from .servers import Server

SIZE = 2**30
CHUNK = 16 * MIB
PAUSE = 0.05
ALLOW = {"STOWAGE_FETCH__ALLOW": "127.0.0.0/8"}

CLIENTS = 1000
EVERY = 0.5
# Bytes of the file that stands beside the answers.
ANSWER = 512


def origin(stand: Stand) -> Server:
    if not stand.nginx:
        raise Broken("the files are fetched from nginx, which is not installed")
    return stand.server("nginx").start(stand.folder("origin"))


def fetch_by_curl(server: Server, folder: Path) -> Run:
    """`curl -o`, by its own clock: what starting it takes is no part of it."""
    folder.mkdir(parents=True)
    url, to = f"http://127.0.0.1:{server.port}/large", folder / "large"
    before = procs.children()

    def work() -> float:
        # Whatever settings and proxies this machine has, they are not meant for this.
        command = ["curl", "--disable", "--noproxy", "*", "--silent", "--show-error", "--fail"]
        command += ["--output", str(to), "--write-out", "%{time_total}", url]
        return float(procs.output("curl", command))

    seconds, _ = load.account(None, work, [server])
    used = procs.children() - before
    if to.stat().st_size != SIZE:
        raise Broken(f"curl fetched {to.stat().st_size} bytes")
    return Run(1, seconds, SIZE, 0, 0, 0, procs.Usage(cpu=used))


def fetch_by_stowage(server: Server, nginx: Server) -> tuple[Run, str]:
    """From the request for it to the first status that says success; also the file's id."""

    def work() -> tuple[float, dict]:
        with Client(server.port) as client:
            client.connection.connect()
            begin = time.perf_counter()
            token = client.fetch(f"http://127.0.0.1:{nginx.port}/large")
            file = client.wait_for(token, PAUSE)
            return time.perf_counter() - begin, file

    (seconds, file), used = load.account(server, work, [nginx])
    if file["size"] != SIZE:
        raise Broken(f"Stowage fetched {file['size']} bytes")
    return Run(1, seconds, SIZE, 0, 0, 0, used), file["uuid"]


def verify(server: Server, id: str, sample: list[tuple[int, bytes]]) -> None:
    for first, wanted in sample:
        status, content = server.get(f"/{id}/", {"Range": f"bytes={first}-{first + len(wanted) - 1}"})
        if (status, content) != (206, wanted):
            raise Broken(f"what Stowage fetched is not what was there, from byte {first}: {status}")


def sync(run: Run) -> None:
    begin = time.monotonic()
    os.sync()
    run.sync = time.monotonic() - begin


def lay_large(path: Path) -> list[tuple[int, bytes]]:
    """A file of random bytes, and samples of it."""
    sample = []
    with open(path, "wb") as file:
        for first in range(0, SIZE, CHUNK):
            content = os.urandom(CHUNK)
            file.write(content)
            sample.append((first, content[:256]))
    return sample


def from_url(stand: Stand) -> list[Row]:
    case = "from_url"
    names = ["stowage-full", *(["curl"] if shutil.which("curl") else [])]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    over: list[float] = []
    with origin(stand) as nginx:
        sample = lay_large(nginx.folder / "root" / "large")
        (nginx.folder / "root" / "small").write_bytes(os.urandom(10_240))
        os.sync()
        for number in range(-1, stand.rounds):
            for name in turns(names, number):
                folder = stand.folder(name)
                if name == "curl":
                    run, more = fetch_by_curl(nginx, folder), ""
                    sync(run)
                else:
                    with stand.server(name, **ALLOW).start(folder) as server:
                        time.sleep(1)
                        idle = server.usage().resident
                        with Client(server.port) as client:
                            client.wait_for(client.fetch(f"http://127.0.0.1:{nginx.port}/small"), PAUSE)
                        run, id = fetch_by_stowage(server, nginx)
                        sync(run)
                        verify(server, id, sample)
                    over_idle = (run.used.peak - idle) / MIB
                    more = f", peak {over_idle:.1f} MiB over idle, {run.used.written / SIZE:.2f} B written per B"
                if number >= 0:
                    runs[name].append(run)
                    if name != "curl":
                        over.append(over_idle)
                    stand.note(
                        f"round {number + 1} {name}: {run.megabytes:.0f} MB/s, {run.megabytes_on_disk:.0f} MB/s until"
                        f" on the disk, {run.cpu_per_gib:.2f} s CPU per GiB{more}"
                    )
                stand.discard(folder)
    stand.discard(nginx.folder)
    ours = runs["stowage-full"]
    rows = []
    what = "1 GiB from a URL, durable"
    if "curl" in runs:
        theirs = runs["curl"]
        pair = [each(some, lambda run: run.megabytes) for some in (ours, theirs)]
        rows.append(Row(case, what, "MB/s", *pair, "curl -o", at_least=0.8))
        pair = [each(some, lambda run: run.megabytes_on_disk) for some in (ours, theirs)]
        rows.append(Row(case, "— until all of it is on the disk", "MB/s", *pair, "curl -o"))
        pair = [each(some, lambda run: run.cpu_per_gib) for some in (ours, theirs)]
        rows.append(Row(case, "— CPU-seconds per GiB", "s", *pair, "curl -o"))
    else:
        rows.append(Row(case, what, "MB/s", each(ours, lambda run: run.megabytes)))
    rows.append(Row(case, "— peak memory over idle", "MiB", over, at_most=24))
    rows.append(Row(case, "— bytes written per byte fetched", "", each(ours, lambda run: run.used.written / SIZE)))
    return rows


def states(client: Client, tokens: list[str]) -> Counter:
    return Counter(client.status(token)["status"] for token in tokens)


def poll(server: Server, paths: list[str], seconds: float, beside: Sequence[Server] = ()) -> Run:
    """Every client asks for a path of its own, at its own moment of each interval."""
    listed = server.folder.with_name("paths")
    listed.write_text("\n".join(paths))
    shot = [*server.address(), "--kind", "get", "--paths", str(listed), "--connections", str(CLIENTS)]
    shot += ["--every", str(EVERY), "--seconds", str(seconds)]
    run = load.measure(server, shot, beside)
    if run.requests < 0.98 * CLIENTS * seconds / EVERY:
        raise Broken(f"{run.requests} polls in {seconds:g} s: the clients did not keep their pace")
    return run


def poll_stowage(stand: Stand, nginx: Server, path: str, expected: tuple[str, ...], seconds: float) -> tuple[Run, str]:
    """Gives each client a task that is and stays in one of these states; what came out, with a line about it."""
    folder = stand.folder("stowage-full")
    with stand.server("stowage-full", **ALLOW).start(folder) as server, Client(server.port) as client:
        tokens = [client.fetch(f"http://127.0.0.1:{nginx.port}{path}") for _ in range(CLIENTS)]
        if "success" in expected:
            for token in tokens:
                client.wait_for(token, PAUSE)
        else:
            procs.wait_until(lambda: client.status(tokens[0])["status"] == "progress", 30, "the first task's progress")
        time.sleep(1)
        before = states(client, tokens)
        _, alone = load.account(server, lambda: time.sleep(2), [nginx])
        run = poll(server, [f"/from_url/status/?token={token}" for token in tokens], seconds, [nginx])
        after = states(client, tokens)
        if not {*before, *after} <= set(expected):
            raise Broken(f"tasks that should be {' or '.join(expected)} are {dict(before)}, then {dict(after)}")
        # Ends downloads that the server would otherwise wait for.
        nginx.stop()
    stand.discard(folder)
    found = ", ".join(f"{count} {state}" for state, count in after.items())
    return run, f" ({found}; without polls {alone.cpu / 2 * 100:.1f} %)"


def polling(stand: Stand) -> list[Row]:
    # Longer than the other runs: what is measured is small.
    seconds = max(stand.seconds * 2.5, 2 * EVERY)
    variants = {"finished": ("/small", ("success",)), "under way": ("/slow/large", ("waiting", "progress"))}
    shares: dict[str, list[float]] = {name: [] for name in (*variants, "nginx")}
    for number in range(stand.rounds):
        for name in turns(list(shares), number):
            with origin(stand) as nginx:
                root = nginx.folder / "root"
                (root / "slow").mkdir()
                (root / "small").write_bytes(os.urandom(10_240))
                (root / "answer").write_bytes(b"-" * ANSWER)
                with open(root / "slow" / "large", "wb") as file:
                    file.truncate(SIZE)
                if name == "nginx":
                    run, more = poll(nginx, ["/answer"], seconds), ""
                else:
                    run, more = poll_stowage(stand, nginx, *variants[name], seconds)
            stand.discard(nginx.folder)
            shares[name].append(run.used.cpu / seconds * 100)
            stand.note(
                f"round {number + 1} {name}: {shares[name][-1]:.1f} % of a core{more}; {run.rate:.0f}/s,"
                f" {run.cpu_per_request:.0f} µs CPU each, median {run.p50:.0f} µs, 99th percentile {run.p99:.0f} µs"
            )
    rows = []
    for name in variants:
        what = f"1 000 clients, status of a task {name} every 500 ms"
        unit, ours = "% of a core", shares[name]
        rows.append(Row("polling", what, unit, ours, at_most=10))
        rows.append(Row("polling", "— beside a file of 512 bytes", unit, ours, shares["nginx"], "nginx"))
    return rows
