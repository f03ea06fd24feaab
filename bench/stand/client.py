"""A client of the Upload API for what the load generator does not do: the few requests around the load."""

import http.client
import json
import time
from urllib.parse import urlencode

from . import Broken
from .servers import KEY


class Client:
    """One connection to one server, kept open."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> dict:
        body = urlencode(fields) if fields else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise Broken(f"{method} {path} was answered with {answer.status}: {said[:300]!r}")
        return json.loads(said)

    def start(self, size: int, part_size: int) -> tuple[str, list[str]]:
        """Begins an upload in parts; its id and the paths of the parts' URLs."""
        fields = {"filename": "x.bin", "size": str(size), "content_type": "application/octet-stream"}
        fields |= {"UPLOADCARE_PUB_KEY": KEY, "UPLOADCARE_STORE": "1", "part_size": str(part_size)}
        begun = self.ask("POST", "/multipart/start/", fields)
        here = f"http://{self.address}/"
        if any(not url.startswith(here) for url in begun["parts"]):
            raise Broken(f"URLs of parts that are not below {here}: {begun['parts'][:1]}")
        if len(begun["parts"]) != -(-size // part_size):
            raise Broken(f"{len(begun['parts'])} URLs for {size} bytes by {part_size}")
        return begun["uuid"], [url[len(here) - 1 :] for url in begun["parts"]]

    def complete(self, id: str, size: int) -> float:
        """Completes an upload; the seconds between request and answer, on a connection that stands."""
        self.connection.close()
        self.connection.connect()
        # The server accepts it meanwhile.
        time.sleep(0.02)
        begin = time.perf_counter()
        file = self.ask("POST", "/multipart/complete/", {"UPLOADCARE_PUB_KEY": KEY, "uuid": id})
        took = time.perf_counter() - begin
        if (file["uuid"], file["size"]) != (id, size):
            raise Broken(f"completing {id} of {size} bytes was answered with {file}")
        return took

    def fetch(self, url: str) -> str:
        """Begins an upload from a URL; its token."""
        return self.ask("POST", "/from_url/", {"pub_key": KEY, "source_url": url, "store": "1"})["token"]

    def status(self, token: str) -> dict:
        return self.ask("GET", f"/from_url/status/?token={token}")

    def wait_for(self, token: str, pause: float, patience: float = 300) -> dict:
        """Polls until the task has become a file, which is returned."""
        end = time.monotonic() + patience
        while True:
            status = self.status(token)
            if status["status"] == "success":
                return status
            if status["status"] not in ("waiting", "progress") or time.monotonic() > end:
                raise Broken(f"an upload from a URL came to this: {status}")
            time.sleep(pause)
