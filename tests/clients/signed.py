"""Uploads to a project that demands signatures; the client signs by itself, with the secret key that it was given."""

import pathlib

from wire import client, failure, input, report

large = pathlib.Path(input["folder"]) / "large.bin"
small = pathlib.Path(input["folder"]) / "other.bin"


def everything(uploadcare):
    with small.open("rb") as file:
        one = uploadcare.upload(file, store=True)
    with large.open("rb") as file:
        parts = uploadcare.upload(file, store=True)
    fetched = uploadcare.upload_from_url_sync(f"{input['origin']}/plain.txt", store=True, timeout=60)
    group = uploadcare.create_file_group([one, parts, fetched])
    return {"one": one.uuid, "parts": parts.uuid, "fetched": fetched.uuid, "group": group.id}


def refusals(**settings):
    uploadcare = client(public_key="signedproject", **settings)
    with small.open("rb") as one, large.open("rb") as many:
        return [
            failure(uploadcare.upload, one),
            failure(uploadcare.upload, many),
            failure(uploadcare.upload_from_url, f"{input['origin']}/plain.txt"),
        ]


report(
    uploads=everything(client(public_key="signedproject", secret_key="second secret")),
    wrong=refusals(secret_key="nonsense"),
    expired=refusals(secret_key="first secret", signed_uploads_ttl=-60),
    unsigned=refusals(signed_uploads=False),
)
