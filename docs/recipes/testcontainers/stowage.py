# pip install testcontainers. The image is the one that `docker build -t stowage .` makes of this repository.
import urllib.request

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy


@pytest.fixture(scope="session")
def stowage_server():
    container = (
        DockerContainer("stowage")
        .with_env("STOWAGE_DEV__ENABLED", "true")
        .with_env("STOWAGE_DURABILITY", "relaxed")
        .with_exposed_ports(8080)
        .waiting_for(HttpWaitStrategy(8080, "/ready"))
    )
    with container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8080)}"


@pytest.fixture(autouse=True)
def stowage(stowage_server):
    """The address of the server. Every test finds it empty."""
    urllib.request.urlopen(urllib.request.Request(f"{stowage_server}/_dev/reset", method="POST")).close()
    return stowage_server
