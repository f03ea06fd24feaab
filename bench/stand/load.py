"""The load side: compiles the two small programs once, runs them, and puts the server's own usage beside the result."""

import http.client
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import Broken, procs
from .servers import BENCH, KEY, Server

BIN = BENCH / ".work" / "bin"
T = TypeVar("T")

# The largest share of the machine that processes other than the server and the load took during a run.
foreign = 0.0


def compile_programs() -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    for name in ("load", "floor"):
        source, target = BENCH / "load" / f"{name}.rs", BIN / name
        newest = max(path.stat().st_mtime for path in source.parent.glob("*.rs"))
        if target.exists() and target.stat().st_mtime > newest:
            continue
        fresh = target.with_suffix(".new")
        done = subprocess.run(["rustc", "-O", "--edition", "2024", "-o", str(fresh), str(source)])
        if done.returncode != 0:
            raise Broken(f"rustc could not compile {source}")
        os.replace(fresh, target)


@dataclass
class Run:
    """One run of the load against one server."""

    requests: int
    seconds: float
    sent: int  # bytes of files
    received: int  # bytes of answers' bodies
    p50: float  # microseconds
    p99: float
    used: procs.Usage
    sync: float = 0.0  # seconds that a sync of the file systems took after the last answer

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def megabytes(self) -> float:
        return (self.sent or self.received) / self.seconds / 1e6

    @property
    def megabytes_on_disk(self) -> float:
        return self.sent / (self.seconds + self.sync) / 1e6

    @property
    def cpu_per_request(self) -> float:
        return self.used.cpu / self.requests * 1e6

    @property
    def cpu_per_gib(self) -> float:
        return self.used.cpu / ((self.sent or self.received) / 2**30)


def _call(program: str, arguments: list[str]) -> dict:
    process = procs.spawn([str(BIN / program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate()
    finally:
        procs.stop(process)
    if process.returncode != 0:
        raise Broken(f"{program} failed: {err.strip()}")
    result = json.loads(out)
    if result.get("errors"):
        raise Broken(err.strip())
    return result


def shoot(arguments: list[str]) -> dict:
    """Load without accounting: filling, warming."""
    return _call("load", arguments)


def _own_cpu() -> float:
    """CPU seconds of the bench itself and of the load that has ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + procs.children()


def account(server: Server | None, work: Callable[[], T], beside: Sequence[Server] = ()) -> tuple[T, procs.Usage]:
    """What the server used while `work` ran; the servers `beside` take part, so that they do not count as foreign."""
    global foreign
    watched = [server, *beside] if server else list(beside)
    all_before, own_before, clock = procs.busy(), _own_cpu(), time.monotonic()
    before = [some.usage() for some in watched]
    result = work()
    used = [some.usage().since(earlier) for some, earlier in zip(watched, before)]
    elapsed = time.monotonic() - clock
    ours = _own_cpu() - own_before + sum(some.cpu for some in used)
    foreign = max(foreign, (procs.busy() - all_before - ours) / elapsed / procs.CORES)
    return result, used[0] if server else procs.Usage()


def run_of(server: Server, result: dict, used: procs.Usage) -> Run:
    if result["requests"] == 0:
        raise Broken(f"{server.name} answered no request")
    names = ("requests", "seconds", "sent", "received", "p50", "p99")
    return Run(*(result[name] for name in names), used)


def measure(server: Server, arguments: list[str], beside: Sequence[Server] = ()) -> Run:
    return run_of(server, *account(server, lambda: _call("load", arguments), beside))


def floor(folder: Path, threads: int, seconds: float, size: int) -> Run:
    """What plain system calls reach for durable small files."""
    result = _call("floor", [str(folder), str(threads), str(seconds), str(size)])
    return Run(result["requests"], result["seconds"], result["requests"] * size, 0, 0, 0, procs.Usage())


def send(port: int, content: bytes) -> str:
    """Uploads one file as a browser would and returns its UUID."""
    edge = "stowage-bench-by-hand"
    text = ""
    for name, value in (("UPLOADCARE_PUB_KEY", KEY), ("UPLOADCARE_STORE", "1")):
        text += f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    text += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n'
    text += "Content-Type: application/octet-stream\r\n\r\n"
    body = text.encode() + content + f"\r\n--{edge}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/base/", body, {"Content-Type": f"multipart/form-data; boundary={edge}"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise Broken(f"an upload was answered with {answer.status}: {said[:300]!r}")
        return json.loads(said)["file"]
    finally:
        connection.close()
