"""The project, its webhooks, and what the client makes of refusals."""

import io

from pyuploadcare.api.addon_entities import AddonLabels
from pyuploadcare.transformations.document import DocumentFormat, DocumentTransformation
from pyuploadcare.transformations.video import VideoFormat, VideoTransformation
from wire import client, failure, input, report

keys = {"public_key": "restproject", "secret_key": "second secret"}
uploadcare = client(**keys)
nobody = uploadcare.file(input["nobody"])
content = io.BytesIO(b"x")
content.name = "x.txt"
file = uploadcare.upload(content, size=1)

sent = uploadcare.rest_client.get(input["base"] + "/project/").request.headers
project = uploadcare.get_project_info().model_dump()

target = input["origin"] + "/hook"
created = uploadcare.create_webhook(target, signing_secret="tell nobody")
silent = uploadcare.create_webhook(target, event="file.stored", is_active=False)
webhooks = {
    "created": created.model_dump(),
    "silent": silent.model_dump(),
    "duplicate": failure(uploadcare.create_webhook, target),
    "list": [webhook.model_dump() for webhook in uploadcare.list_webhooks()],
    "limited": [webhook.id for webhook in uploadcare.list_webhooks(limit=1)],
    "updated": uploadcare.update_webhook(silent, event="file.deleted", is_active=True).model_dump(),
    "clash": failure(uploadcare.update_webhook, silent, event="file.uploaded"),
    "deleted": uploadcare.delete_webhook(created),
    "again": failure(uploadcare.delete_webhook, created),
    "left": [webhook.id for webhook in uploadcare.list_webhooks()],
}

document = DocumentTransformation().format(DocumentFormat.pdf)
video = VideoTransformation().format(VideoFormat.mp4)
refused = {
    "an unknown file": failure(lambda: nobody.info),
    "storing an unknown file": failure(nobody.store),
    "removing an unknown file": failure(nobody.delete),
    "a copy of an unknown file": failure(nobody.create_local_copy),
    "a copy to an unknown storage": failure(file.create_remote_copy, target="nowhere"),
    "an unknown group": failure(lambda: uploadcare.file_group(f"{input['nobody']}~1").info),
    "storing nothing": failure(uploadcare.files_api.batch_store, []),
    "metadata of an unknown file": failure(uploadcare.metadata_api.get_all_metadata, input["nobody"]),
    "tags of an unknown file": failure(nobody.get_tags),
    "a webhook in a private network": failure(uploadcare.create_webhook, "http://192.168.1.10/"),
    "a webhook for no URL": failure(uploadcare.create_webhook, "nope"),
    "an unknown webhook": failure(uploadcare.update_webhook, 1_000_000, is_active=False),
    "a document": failure(file.convert_document, document, store=True, save_in_group=True),
    "a video": failure(file.convert_video, video),
    "formats of a document": failure(uploadcare.document_convert_api.retrieve, file.uuid),
    "status of an unknown document": failure(uploadcare.document_convert_api.status, 32921143),
    "a virus scan": failure(uploadcare.addons_api.execute, file.uuid, AddonLabels.CLAM_AV),
    "an unknown key": failure(client(public_key="nobody").get_project_info),
    "a wrong secret": failure(client(public_key="restproject", secret_key="nonsense").get_project_info),
    "an unknown version": failure(client(**keys, api_version="0.777").get_project_info),
}
old = {version: client(**keys, api_version=version).files_api._get(file.uuid) for version in ("0.6", "0.5")}
run = uploadcare.addons_api.status(input["nobody"], AddonLabels.REMOVE_BG).model_dump()
first_secret = client(public_key="restproject", secret_key="first secret").get_project_info().pub_key

report(
    file=file.uuid,
    date=sent.get("date"),
    project=project,
    webhooks=webhooks,
    refused=refused,
    old=old,
    run=run,
    first_secret=first_secret,
)
