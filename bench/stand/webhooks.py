"""What webhooks cost those who upload: 10 KB uploads of a project with three active webhooks, and with none."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import Broken, load
from .cases import SMALL, Stand, each, rate, turns
from .load import Run
from .report import Row
from .rest import SIMPLE, accept
from .servers import Server

ALLOW = {"STOWAGE_FETCH__ALLOW": "127.0.0.0/8"}


class Receiver(BaseHTTPRequestHandler):
    """Takes what webhooks are told, and counts it."""

    protocol_version = "HTTP/1.1"
    told = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        Receiver.told += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


def subscribe(server: Server, target: str) -> None:
    headers = dict(text.split(": ", 1) for text in (SIMPLE, accept(), "Content-Type: application/json"))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/webhooks/", json.dumps({"target_url": target, "event": "file.uploaded"}), headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise Broken(f"a webhook was answered with {answer.status}: {said[:300]!r}")
    finally:
        connection.close()


def webhooks(stand: Stand) -> list[Row]:
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    runs: dict[str, list[Run]] = {"three": [], "none": []}
    try:
        for number in range(stand.rounds):
            for name in turns(list(runs), number):
                folder = stand.folder("stowage-full")
                with stand.server("stowage-full", **ALLOW).start(folder) as server:
                    for place in range(3 if name == "three" else 0):
                        subscribe(server, f"http://127.0.0.1:{receiver.server_port}/{place}")
                    Receiver.told = 0
                    base = [*server.upload(), "--size", str(SMALL), "--connections", "32"]
                    load.shoot([*base, "--seconds", "0.5", "--seed", "7"])
                    run = load.measure(server, [*base, "--seconds", str(stand.seconds), "--seed", str(number + 11)])
                    if name == "three" and Receiver.told == 0:
                        raise Broken("no webhook was told of anything")
                    stand.note(f"round {number + 1} {name}: {run.rate:.0f}/s, {Receiver.told} told meanwhile")
                runs[name].append(run)
                stand.discard_later(folder)
    finally:
        receiver.shutdown()
    pair = [each(runs[name], rate) for name in ("three", "none")]
    what = "10 KB uploads, durable, with three webhooks"
    return [Row("webhooks", what, "/s", *pair, "no webhooks", at_least=0.9)]
