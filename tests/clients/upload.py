"""Uploads of one small file, of several in one request, and of a large one in parts."""

import pathlib

from wire import client, failure, input, report

uploadcare = client()
folder = pathlib.Path(input["folder"])
small, other, large = folder / "Grüße (1).txt", folder / "other.bin", folder / "large.bin"

with small.open("rb") as file:
    one = uploadcare.upload(file, store=True, metadata={"subsystem": "tests"}, tags=["Cat", "cat"])
with small.open("rb") as first, other.open("rb") as second:
    several = uploadcare.upload_files([first, second], store=False)
progress = []
with large.open("rb") as file:
    parts = uploadcare.upload(
        file, store=True, metadata={"parts": "many"}, callback=lambda at: progress.append([at.done, at.total])
    )
with small.open("rb") as file:
    unknown = failure(client(public_key="nobody").upload, file)

report(
    one={"uuid": one.uuid, "url": one.cdn_url},
    several=[file.uuid for file in several],
    parts={"uuid": parts.uuid, "info": parts.info},
    progress=progress,
    unknown=unknown,
)
