"""A client that is too quick for the limit waits as long as it is told, and tries again."""

import io

from wire import client, failure, report


def content(name):
    file = io.BytesIO(b"quick")
    file.name = name
    return file


patient, impatient = client(retry_throttled=1), client(retry_throttled=0)
uploads = [patient.upload(content(name), store=True, size=5).uuid for name in ("a", "b")]
refused = failure(impatient.upload, content("c"), size=5)
project = patient.get_project_info().pub_key
refused_by_rest = failure(impatient.get_project_info)

report(uploads=uploads, refused=refused, project=project, refused_by_rest=refused_by_rest)
