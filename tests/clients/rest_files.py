"""Files: what is told of them, storing, removing and bringing back, one and many, copies, metadata and tags."""

import base64
import io
import urllib.error
import urllib.request

from wire import client, failure, input, report

uploadcare = client(batch_chunk_size=2)


def upload(name, content, **options):
    file = io.BytesIO(content)
    file.name = name
    return uploadcare.upload(file, size=len(content), **options)


def delivered(file):
    try:
        return urllib.request.urlopen(f"{input['base']}/{file.uuid}/").status
    except urllib.error.HTTPError as error:
        return error.code


one = upload("Grüße (1).txt", b"hello", store=False, metadata={"subsystem": "tests"}, tags=["Cat", "animal"])
picture = upload("pixel.png", base64.b64decode(input["picture"]), store=True)
info, with_appdata, of_picture = one.info, dict(one.update_info(include_appdata=True)), picture.info

one.store()
stored = one.datetime_stored
one.store()
stored_again = one.datetime_stored
one.delete()
removed = {"info": one.info, "is_removed": one.is_removed, "is_stored": one.is_stored, "delivered": delivered(one)}
one.store()
brought_back = {"info": one.info, "delivered": delivered(one)}

several = [upload(f"{n}.txt", b"x", store=False) for n in range(5)]
uploadcare.store_files([several[0].uuid, several[1], f"{input['base']}/{several[2].uuid}/", several[3], several[4]])
all_stored = [file.update_info()["datetime_stored"] for file in several]
uploadcare.delete_files(several[:3])
are_removed = [file.update_info()["datetime_removed"] is not None for file in several]
batch = uploadcare.files_api.batch_store([several[1].uuid, input["nobody"], several[0].uuid, "nope"])

copy = picture.create_local_copy(store=True)
temporary = picture.create_local_copy()

metadata = uploadcare.metadata_api
marks = {
    "before": metadata.get_all_metadata(one.uuid),
    "none": metadata.get_all_metadata(picture.uuid),
    "made": metadata.update_or_create_key(one.uuid, "-:45az_", "Grüße"),
    "changed": metadata.update_or_create_key(one.uuid, "subsystem", "other"),
    "value": metadata.get_key(one.uuid, "-:45az_"),
    "deleted": metadata.delete_key(one.uuid, "subsystem"),
    "missing": failure(metadata.get_key, one.uuid, "subsystem"),
    "after": metadata.get_all_metadata(one.uuid),
}
many = [f"t{n}" for n in range(60)]
tags = {
    "before": one.get_tags(),
    "none": picture.get_tags(),
    "set": one.set_tags(["cat", "cute"]).model_dump(),
    "updated": one.update_tags(add=["dog"], delete=["cute"]).model_dump(),
    # More than a file may have: those that it does not have are passed over.
    "candidates": one.update_tags(delete=["dog", *many]).model_dump(),
    "after": one.tags,
    "cleared": one.set_tags([]).model_dump(),
}

report(
    one=one.uuid,
    info=info,
    with_appdata=with_appdata,
    picture=of_picture,
    stored=[stored, stored_again],
    removed=removed,
    brought_back=brought_back,
    all_stored=all_stored,
    are_removed=are_removed,
    several=[file.uuid for file in several],
    batch=batch.model_dump(),
    copy=copy.info,
    temporary=temporary.info,
    marks=marks,
    tags=tags,
)
