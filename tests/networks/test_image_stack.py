"""Sets of images of any size: one array, whether it lies in memory or in a file."""

import resource

import h5py
import numpy as np
import pytest
from PIL import Image

from tf_inverse.errors import RefusedInput
from tf_inverse.networks import image_arrays, image_files, image_stack

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)


@pytest.fixture
def sources(tmp_path):
    """The same images in each form that is understood."""
    for i, image in enumerate(IMAGES):
        (tmp_path / "folder").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "folder" / f"{i}.png")
    np.savez(tmp_path / "images.npz", images=IMAGES)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = IMAGES
    return [tmp_path / name for name in ("folder", "images.npz", "images.h5")]


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_the_same_images_in_memory_and_in_a_file(sources, limit, monkeypatch):
    monkeypatch.setattr(image_stack, "IN_MEMORY", limit)
    monkeypatch.setattr(image_arrays, "ROWS", 3)
    for source in sources:
        images, _ = image_files.load(source, (6, 5))
        assert isinstance(images, np.memmap) == (limit == 0), source
        np.testing.assert_array_equal(images, IMAGES)
        # Rows that are asked for by number, and images of another size.
        np.testing.assert_array_equal(
            image_files.load(source, (6, 5), only=[4, 1])[0], IMAGES[[4, 1]]
        )
        smaller = image_files.load(source, (3, 4), channels=1)[0]
        assert smaller.shape == (7, 3, 4, 1)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_reading_that_takes_long_is_told(sources, limit, monkeypatch, capsys):
    monkeypatch.setattr(image_stack, "IN_MEMORY", limit)
    image_files.load(sources[0], (6, 5))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(image_stack.progress, "EVERY", 0.0)
    image_files.load(sources[0], (6, 5))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" images read, ")[0] for line in lines] == [f"{i}/7" for i in range(1, 7)]
    assert all(line.endswith(" left") and " a second, " in line for line in lines)


def test_a_full_disk_is_one_line(sources, monkeypatch):
    monkeypatch.setattr(image_stack, "IN_MEMORY", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (IMAGES[:2].nbytes, hard))
    try:
        with pytest.raises(RefusedInput, match="room in .* for 7 images .*TMPDIR"):
            image_files.load(sources[0], (6, 5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
