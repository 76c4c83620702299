"""JSON files in folders from elsewhere: what is read, and what is not even opened for long."""

import os

import pytest

from tf_inverse.archive import atlas_index, json_file, run_folder
from tf_inverse.errors import RefusedInput
from tf_inverse.networks import manifest


def test_what_is_read(tmp_path):
    path = tmp_path / "a.json"
    for links in (True, False):
        assert json_file.value(path, 9, links=links) is None
    path.write_bytes(b'{"a": 1}')
    (tmp_path / "link.json").symlink_to("a.json")
    assert json_file.value(path, 8, links=False) == json_file.mine(path, 8) == {"a": 1}
    assert json_file.value(tmp_path / "link.json", 8, links=True) == {"a": 1}
    assert json_file.mine(tmp_path / "link.json", 8) is json_file.mine(path, 7) is None


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def large(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("make", [pipe, folder, large])
def test_what_is_no_small_file_is_refused_by_every_reader(tmp_path, make):
    for reader, name in (
        (run_folder.read_header, run_folder.HEADER),
        (atlas_index.read, atlas_index.INDEX),
        (manifest.manifest, manifest.MANIFEST),
    ):
        make(tmp_path / name)
        with pytest.raises(RefusedInput, match=f"{name}|bytes in .*{name}"):
            reader(tmp_path)
    assert json_file.mine(tmp_path / run_folder.HEADER, 9) is None


def test_a_network_may_be_made_of_links_as_in_a_cache(tmp_path, tiny_folder):
    """As huggingface_hub keeps a repository: links into a folder of contents."""
    for path in tiny_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    assert manifest.manifest(tmp_path) == manifest.manifest(tiny_folder)
