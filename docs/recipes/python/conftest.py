# A Stowage for a run of tests. STOWAGE_DEV_SERVER names one that runs already, as a service of the CI or in a container; otherwise one is
# started, which keeps everything in a temporary folder and goes with the run. STOWAGE is the path of the executable.
# Under pytest-xdist every worker starts one of its own, so that tests which run at the same time do not see each other.
import json
import os
import subprocess
import urllib.request

import pytest
from pyuploadcare import Uploadcare


class Stowage:
    def __init__(self, address):
        self.address = address

    def ask(self, method, door, body=None):
        """Any door: `ask("POST", "clock/advance", {"by": "24h"})`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/_dev/{door}", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="session")
def stowage_server():
    if running := os.environ.get("STOWAGE_DEV_SERVER"):
        yield Stowage(running)
        return
    words = ["serve", "--ephemeral", "--dev", "--announce", "json", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([os.environ.get("STOWAGE", "stowage"), *words], stdout=subprocess.PIPE) as server:
        yield Stowage(json.loads(server.stdout.readline())["listening"])
        server.terminate()


@pytest.fixture(autouse=True)
def stowage(stowage_server):
    """The doors of the server. Every test finds it empty."""
    stowage_server.ask("POST", "reset")
    return stowage_server


@pytest.fixture
def uploadcare(stowage):
    base = f"{stowage.address}/"
    return Uploadcare("demopublickey", "demosecretkey", api_base=base, upload_base=base, cdn_base=base)
