import pytest
from pyuploadcare.exceptions import UploadcareException


@pytest.fixture
def hello(tmp_path):
    path = tmp_path / "hello.txt"
    path.write_text("hello")
    with path.open("rb") as file:
        yield file


def test_a_file_is_kept(uploadcare, hello):
    file = uploadcare.upload(hello, store=True)
    assert file.is_stored
    assert uploadcare.list_files().count() == 1


def test_a_file_that_nobody_stores_goes_after_a_day(uploadcare, hello, stowage):
    file = uploadcare.upload(hello, store=False)
    done = stowage.ask("POST", "clock/advance", {"by": "24h"})
    assert done["expired"]["files"] == [file.uuid]


def test_an_error_of_the_server(uploadcare, hello, stowage):
    stowage.ask("POST", "faults", {"match": {"route": "/base/"}, "do": {"refuse": "AccountBlockedError"}})
    with pytest.raises(UploadcareException):
        uploadcare.upload(hello)
    assert stowage.ask("GET", "journal/count?route=/base/&status=4xx")["count"] == 1


def test_every_test_begins_with_nothing(uploadcare):
    assert uploadcare.list_files().count() == 0
