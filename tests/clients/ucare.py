"""The commands of `ucare`, as somebody types them one after the other."""

import contextlib
import io
import json
import os
import pathlib
import runpy
import sys

folder, base = (json.loads(sys.argv[1])[name] for name in ("folder", "base"))
# Both are read when the client is imported, or looks for its configuration.
os.environ["UPLOADCARE_CDN_BASE"], os.environ["HOME"] = base + "/", folder

from wire import input, report  # noqa: E402

ucare = str(pathlib.Path(sys.executable).with_name("ucare"))
pathlib.Path(folder, ".uploadcare").write_text(
    f"[ucare]\npub_key = demopublickey\nsecret = demosecretkey\napi_base = {base}/\nupload_base = {base}/\n"
)


def type_in(*arguments):
    """What a command prints: a value, several of them, plain text, or nothing."""
    sys.argv = [ucare, *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_path(ucare, run_name="__main__")
        except SystemExit as ended:
            assert not ended.code, arguments
    text, values, decoder = printed.getvalue().strip(), [], json.JSONDecoder()
    try:
        while text:
            value, end = decoder.raw_decode(text)
            values.append(value)
            text = text[end:].strip()
    except json.JSONDecodeError:
        return printed.getvalue()
    return values[0] if len(values) == 1 else values or None


small, picture = (str(pathlib.Path(folder, name)) for name in ("small.txt", "pixel.png"))
uploaded = type_in("upload", "--store", "--info", "--tags", "cat", "--metadata", "color=red", "--", small)
linked = type_in("upload", "--cdnurl", picture)
bare = type_in("upload", "--info", picture)
one, second = uploaded[1]["uuid"], bare["uuid"]
got = type_in("get", one)
# Without `--nowait` this version of the command calls a boolean.
storing = type_in("store", "--nowait", second, one)
stored = type_in("get", second)
listed = {
    "all": type_in("list_files"),
    "one": type_in("list_files", "--limit", "1", "--ordering=-datetime_uploaded"),
    "by_one": type_in("list_files", "--limit", "none", "--request_limit", "1"),
    "later": type_in("list_files", "--starting_point", got["datetime_uploaded"]),
    "temporary": type_in("list_files", "--stored", "false"),
}
tags = {
    "get": type_in("get_file_tags", one),
    "set": type_in("set_file_tags", one, "dog", "Cute"),
    "update": type_in("update_file_tags", one, "--add", "cat", "--delete", "dog"),
}
found = type_in("search_files", "--query", "small", "--tags_all", "cat", "--sort=-score")
group = type_in("create_group", one, f"{base}/{second}/-/resize/10x/")
groups = type_in("list_groups")
webhooks = {
    "created": type_in("create_webhook", input["origin"] + "/hook", "--active", "--signing_secret", "tell nobody"),
    "second": type_in("create_webhook", input["origin"] + "/hook", "--event", "file.stored"),
    "duplicate": type_in("create_webhook", input["origin"] + "/hook"),
    "listed": type_in("list_webhooks"),
}
id = str(webhooks["created"]["id"])
webhooks["updated"] = type_in("update_webhook", id, "--deactivate", "--event", "file.deleted")
webhooks["deleted"] = type_in("delete_webhook", id)
webhooks["left"] = type_in("list_webhooks")
synced = type_in("sync", str(pathlib.Path(folder, "synced")), "--no-input")
removing = type_in("delete", one)
removed = type_in("list_files", "--removed", "true")
refused = {
    "document": type_in("convert_document", second, "--format", "pdf"),
    "video": type_in("convert_video", second, "--transformation", "format/mp4/"),
    "nobody": type_in("get", input["nobody"]),
}

report(
    uploaded=uploaded,
    linked=linked,
    bare=bare,
    got=got,
    storing=storing,
    stored=stored,
    listed=listed,
    tags=tags,
    found=found,
    group=group,
    groups=groups,
    webhooks=webhooks,
    synced=synced,
    removing=removing,
    removed=removed,
    project=type_in("get_project"),
    refused=refused,
)
