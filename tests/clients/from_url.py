"""Uploads from URLs, known URLs, and groups of what was fetched."""

from wire import client, failure, input, report

uploadcare = client()
origin = input["origin"]

fetched = uploadcare.upload_from_url_sync(
    f"{origin}/picture.png", store=True, metadata={"from": "afar"}, save_duplicates=True, timeout=60
)
known = uploadcare.upload_from_url_sync(f"{origin}/picture.png", check_duplicates=True)
named = uploadcare.upload_from_url(f"{origin}/plain.txt", filename="Other name.txt", store=False)
named.wait(timeout=60)
missing = failure(uploadcare.upload_from_url_sync, f"{origin}/missing", timeout=60)
private = failure(uploadcare.upload_from_url, "http://192.168.1.10/1.jpg")

edited = uploadcare.file(fetched.uuid)
edited.set_effects("resize/x800/")
group = uploadcare.create_file_group([edited, uploadcare.file(named.info["uuid"])])
nobody = uploadcare.file("00000000-0000-4000-8000-000000000000")

report(
    fetched=fetched.uuid,
    known=known.uuid,
    named=named.info,
    missing=missing,
    private=private,
    group={
        "id": group.id,
        "length": len(group),
        "url": group.cdn_url,
        "info": group.info,
        "files": [file.cdn_url for file in group],
    },
    no_file=failure(uploadcare.create_file_group, [nobody]),
)
