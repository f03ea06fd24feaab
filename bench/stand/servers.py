"""The servers under test: how each is started on a folder of its own, how a file is sent to it and fetched from it."""

import http.client
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import Broken, procs

BENCH = Path(__file__).resolve().parent.parent
KEY = "demopublickey"
FIELDS = ["--field", f"UPLOADCARE_PUB_KEY={KEY}", "--field", "UPLOADCARE_STORE=1"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    """Whether an HTTP answer, of whatever status, comes from this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(5)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except (ConnectionError, TimeoutError):
        return False


class Server:
    """One server on one folder; a context manager, so that it ends with its case."""

    name = ""

    def __init__(self) -> None:
        self.port = 0
        self.folder = Path()
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("STOWAGE_")}

    def prepare(self) -> None:
        """Lays out in `self.folder` what the server wants to find there."""
        self.port = free_port()

    def log(self) -> Path:
        return self.folder.with_name(self.folder.name + ".log")

    def start(self, folder: Path) -> "Server":
        folder.mkdir(parents=True)
        self.folder = folder
        self.resume()
        return self

    def resume(self) -> None:
        """Starts on the folder as it is."""
        self.prepare()
        with open(self.log(), "wb") as log:
            self.process = procs.spawn(self.command(), env=self.environment(), stdout=log, stderr=log)
        procs.wait_until(self._ready, 60, f"{self.name} becoming ready ({self.log()})")

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            tail = self.log().read_text(errors="replace")[-1500:]
            raise Broken(f"{self.name} ended with status {self.process.returncode}:\n{tail}")
        return answers(self.port)

    def time_start(self, folder: Path) -> float:
        """Seconds from exec to the first HTTP answer, on an empty folder; the server is stopped again."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.prepare()
        with open(self.log(), "wb") as log:
            self.process = procs.spawn(self.command(), exact=True, env=self.environment(), stdout=log, stderr=log)
            # Popen returns when exec has succeeded.
            begin = time.perf_counter()
            procs.wait_until(self._ready, 60, f"{self.name} becoming ready ({self.log()})", pause=0.0001)
        took = time.perf_counter() - begin
        self.stop()
        return took

    def stop(self) -> None:
        if self.process is not None:
            procs.stop(self.process)
            self.process = None

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def usage(self) -> procs.Usage:
        return procs.usage(self.process.pid)

    def address(self) -> list[str]:
        return ["--address", f"127.0.0.1:{self.port}"]

    def upload(self) -> list[str]:
        """The load generator's arguments for sending files to this server."""
        raise NotImplementedError

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class Stowage(Server):
    name = "stowage"

    def __init__(self, binary: Path, durability: str, settings: dict[str, str]) -> None:
        super().__init__()
        self.binary = binary
        self.durability = durability
        self.settings = settings

    def command(self) -> list[str]:
        return [str(self.binary), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(self.folder)]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"STOWAGE_DURABILITY": self.durability} | self.settings

    def prepare(self) -> None:
        self.port = 0

    def _ready(self) -> bool:
        if self.port == 0:
            # Its log shares the file, so the line need not be the first there.
            found = re.search(rb"^listening on http://\S*:(\d+)\n", self.log().read_bytes(), re.MULTILINE)
            if found:
                self.port = int(found[1])
        # Also says that the process has ended.
        return super()._ready() if self.port or self.process.poll() is not None else False

    def upload(self) -> list[str]:
        return [*self.address(), "--kind", "multipart", "--path", "/base/", *FIELDS]

    def send(self, content: bytes) -> str:
        """Uploads these bytes and returns the file's UUID."""
        from . import load

        return load.send(self.port, content)


class Nginx(Server):
    name = "nginx"

    def __init__(self, binary: str) -> None:
        super().__init__()
        self.binary = binary

    def command(self) -> list[str]:
        return [self.binary, "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")]

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "root").mkdir(exist_ok=True)
        # Workers of a master that runs as root change to another user, who could not read this folder.
        user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
        text = (BENCH / "peers" / "nginx.conf").read_text()
        for sign, value in (("user", user), ("work", str(self.folder)), ("port", str(self.port))):
            text = text.replace(f"@{sign}@", value)
        (self.folder / "nginx.conf").write_text(text)

    def upload(self) -> list[str]:
        return [*self.address(), "--kind", "put", "--path", "/put/"]


class Fastify(Server):
    name = "fastify"

    def command(self) -> list[str]:
        script = BENCH / "peers" / "fastify" / "receiver.js"
        return ["node", str(script), str(self.port), str(self.folder)]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"NODE_ENV": "production"}

    def upload(self) -> list[str]:
        return [*self.address(), "--kind", "multipart", "--path", "/base/", *FIELDS]


class Tusd(Server):
    name = "tusd"

    def __init__(self, binary: str) -> None:
        super().__init__()
        self.binary = binary

    def command(self) -> list[str]:
        place = ["-host", "127.0.0.1", "-port", str(self.port), "-upload-dir", str(self.folder)]
        return [self.binary, *place, "-base-path", "/files/", "-verbose=false"]

    def upload(self) -> list[str]:
        return [*self.address(), "--kind", "tus", "--path", "/files/"]


class S3(Server):
    """An S3 server whose buckets are folders."""

    name = "s3s-fs"
    keys = ("bench", "secret")

    def command(self) -> list[str]:
        keys = ["--access-key", self.keys[0], "--secret-key", self.keys[1]]
        return ["s3s-fs", *keys, "--host", "127.0.0.1", "--port", str(self.port), str(self.folder)]

    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder


class Listing(Server):
    """A server whose list stands in a file that was made before: Fastify from memory, or FastAPI from SQLite."""

    def __init__(self, name: str, source: Path) -> None:
        super().__init__()
        self.name = name
        self.source = source

    def command(self) -> list[str]:
        if self.name == "fastify":
            return ["node", str(BENCH / "peers" / "fastify" / "list.js"), str(self.port), str(self.source)]
        python = BENCH / "peers" / "fastapi" / ".venv" / "bin" / "python"
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--app-dir", str(BENCH / "peers" / "fastapi")]
        return [str(python), "-m", "uvicorn", "app:app", *place, "--no-access-log", "--log-level", "warning"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"NODE_ENV": "production", "DATABASE": str(self.source)}


def install_fastapi() -> str | None:
    """Installs FastAPI once, in an environment of its own; the reason when that is not possible."""
    folder = BENCH / "peers" / "fastapi"
    if (folder / ".venv" / "installed").exists():
        return None
    print("installing FastAPI …", flush=True)
    pip = [str(folder / ".venv" / "bin" / "pip"), "install", "--quiet", "-r", str(folder / "requirements.txt")]
    for command in ([sys.executable, "-m", "venv", str(folder / ".venv")], pip):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    (folder / ".venv" / "installed").touch()
    return None


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def install_fastify() -> str | None:
    """Installs the receiver's packages once; the reason when that is not possible."""
    folder = BENCH / "peers" / "fastify"
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if not (folder / "node_modules" / "fastify").is_dir():
        print("installing the Fastify receiver's packages …", flush=True)
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            return f"npm ci failed: {done.stderr.strip()[-300:]}"
    return None
