"""Copies to storages: public and not, with operations and patterns, twice, and those that are refused."""

import base64
import io

from wire import client, failure, input, report

uploadcare = client()


def upload(name, content):
    file = io.BytesIO(content)
    file.name = name
    return uploadcare.upload(file, size=len(content))


picture = upload("a pixel.png", base64.b64decode(input["picture"]))
text = upload("hello.txt", b"hello")

report(
    ids={"picture": picture.uuid, "text": text.uuid},
    copied=picture.create_remote_copy("archive"),
    existed=picture.create_remote_copy("archive"),
    processed=picture.create_remote_copy("archive", effects="resize/20x30/-/format/jpeg/"),
    secret=text.create_remote_copy("archive", make_public=False, pattern="private/${uuid}${ext}"),
    byPattern=text.create_remote_copy("archive", make_public=True, pattern="texts/${filename}"),
    refused={
        "an unknown storage": failure(text.create_remote_copy, "nowhere"),
        "a bad pattern": failure(text.create_remote_copy, "archive", pattern="${nope}"),
        "a bad character": failure(text.create_remote_copy, "archive", pattern="a b"),
        "no picture": failure(text.create_remote_copy, "archive", effects="resize/10x/"),
        "an unknown file": failure(uploadcare.file(input["nobody"]).create_remote_copy, "archive"),
        "no bucket": failure(text.create_remote_copy, "gone"),
    },
)
