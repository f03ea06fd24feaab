"""What the Python scripts share: their input, a record of the requests that they make, and a wall around this machine."""

import json
import sys

from pyuploadcare import Uploadcare
from pyuploadcare.api.auth import UploadcareAuth, UploadcareSimpleAuth
from pyuploadcare.api.client import Client

input = json.loads(sys.argv[1])
schemes = {"simple": UploadcareSimpleAuth, "signed": UploadcareAuth}
requests = []


def stay_here(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        host = arguments[1][0] if event == "socket.connect" else arguments[0]
        if host not in ("127.0.0.1", "localhost"):
            raise OSError(f"no way to {host}")


sys.addaudithook(stay_here)


class Recording(Client):
    def send(self, request, **options):
        requests.append(f"{request.method} {request.url}")
        return super().send(request, **options)


def client(**settings):
    """A client of the server under test; it proves who it is by the scheme that the test asks for."""
    base = input["base"] + "/"
    auth = schemes[input.get("scheme", "signed")]
    settings = {"public_key": "demopublickey", "secret_key": "demosecretkey", "auth_class": auth, **settings}
    uploadcare = Uploadcare(api_base=base, upload_base=base, cdn_base=base, **settings)
    uploadcare.upload_client.__class__ = uploadcare.rest_client.__class__ = Recording
    return uploadcare


def failure(call, *arguments, **options):
    """The name of the error that a call fails with, and what it says; None where it does not."""
    try:
        call(*arguments, **options)
    except Exception as error:
        return {"name": type(error).__name__, "message": str(error)}


def report(**seen):
    print(json.dumps({**seen, "wire": {"requests": requests, "foreign": []}}, default=str))
