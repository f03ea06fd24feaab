"""Lists of files and groups, page by page, and searching for files."""

import io
from datetime import datetime, timedelta, timezone

from wire import client, report, requests

uploadcare = client()


def upload(n, **options):
    file = io.BytesIO(b"x" * (n + 1))
    file.name = f"{n}.txt"
    return uploadcare.upload(file, size=n + 1, **options)


# 0 to 2 are stored, 3 to 5 temporary, 6 is removed.
files = [upload(n, store=n < 3, tags=["odd" if n % 2 else "even"]) for n in range(7)]
files[6].delete()
third = files[2].datetime_uploaded


def ids(items):
    return [getattr(item, "uuid", None) or item.id for item in items]


def pages(items):
    """What a list has, and how many requests that took."""
    before = len(requests)
    found = ids(items)
    return {"ids": found, "requests": len(requests) - before}


lists = {
    "all": pages(uploadcare.list_files()),
    "by_two": pages(uploadcare.list_files(request_limit=2)),
    "five_by_two": pages(uploadcare.list_files(limit=5, request_limit=2)),
    "descending": pages(uploadcare.list_files(ordering="-datetime_uploaded", request_limit=4)),
    "stored": pages(uploadcare.list_files(stored=True)),
    "temporary": pages(uploadcare.list_files(stored=False, request_limit=1)),
    "removed": pages(uploadcare.list_files(removed=True)),
    "from_third": pages(uploadcare.list_files(starting_point=third, request_limit=2)),
    "back_from_third": pages(uploadcare.list_files(starting_point=third, ordering="-datetime_uploaded")),
    "naive": pages(uploadcare.list_files(starting_point=third.replace(tzinfo=None))),
    "from_tomorrow": pages(uploadcare.list_files(starting_point=datetime.now(timezone.utc) + timedelta(days=1))),
}
listed = next(iter(uploadcare.list_files()))
counted, sliced = uploadcare.list_files().count(), ids(uploadcare.list_files(request_limit=2)[1:4])

groups = [uploadcare.create_file_group(members) for members in ([files[0]], [files[3], files[4]], [files[1]])]
fresh = uploadcare.file_group(groups[1].id)
group = {"info": fresh.info, "is_stored": fresh.is_stored, "stored": fresh.store()}
group_lists = {
    "all": pages(uploadcare.list_file_groups()),
    "by_one": pages(uploadcare.list_file_groups(request_limit=1)),
    "descending": pages(uploadcare.list_file_groups(ordering="-datetime_created", request_limit=2)),
    "later": pages(uploadcare.list_file_groups(starting_point=groups[0].datetime_created)),
    "count": uploadcare.list_file_groups().count(),
}
groups[0].delete()
groups[1].delete(delete_files=True)
left = {
    "groups": ids(uploadcare.list_file_groups()),
    "first": files[0].update_info()["datetime_removed"],
    "members": [file.update_info()["datetime_removed"] is not None for file in files[3:5]],
}

newest = {"sort": ["-datetime_uploaded"]}
walk = uploadcare.iterate_search_files
search = {
    "even": pages(walk({"tags": {"any": ["Even"]}, **newest}, request_limit=1)),
    "sized": pages(walk({"size": {"gte": 2, "lt": 4}, **newest})),
    "since_third": pages(walk({"datetime_uploaded": {"gt": third}, **newest})),
    "named": pages(walk({"query": "1.txt", "sort": ["-score"]})),
    "page": uploadcare.search_files({"is_image": False, **newest}, limit=2, offset=1).model_dump(),
}

report(
    files=ids(files),
    lists=lists,
    listed=listed.info,
    counted=counted,
    sliced=sliced,
    groups=ids(groups),
    group=group,
    group_lists=group_lists,
    left=left,
    search=search,
)
