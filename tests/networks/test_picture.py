"""Pictures of any kind become 8 bits as a viewer would show them, or are refused in one line."""

import io
import struct
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import image_files, picture

rng = np.random.default_rng(0)
PIXELS = rng.integers(0, 256, (6, 4, 3), np.uint8)


def stored(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer


def read(image, kind="PNG", channels=3, **options):
    return picture.read(stored(image, kind, **options), None, channels)


def test_sixteen_bits_are_scaled():
    levels = rng.integers(0, 65536, (6, 4), np.uint16)
    levels[0] = 0, 128, 129, 65535
    expected = [[round(int(v) * 255 / 65535) for v in row] for row in levels]
    for kind in ("PNG", "TIFF"):
        got = read(Image.fromarray(levels), kind)
        np.testing.assert_array_equal(got, np.repeat(np.array(expected)[..., None], 3, axis=-1))
    assert read(Image.fromarray(levels), channels=1).shape == (6, 4, 1)


def test_sixteen_bits_of_colour():
    """Pillow keeps the upper 8 bits of each; the file is written by hand, as Pillow writes none."""
    levels = rng.integers(0, 65536, (6, 4, 3), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    got = picture.read(io.BytesIO(png(4, 6, 16, 2, zlib.compress(rows))), None)
    assert np.abs(got.astype(float) - levels / 257).max() < 1


def png(width, height, bits, colour, data):
    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_fractions_are_scaled_and_other_numbers_refused_by_name(tmp_path):
    levels = rng.uniform(0, 1, (6, 4)).astype("f4")
    expected = [[round(255 * float(v)) for v in row] for row in levels]
    np.testing.assert_array_equal(read(Image.fromarray(levels), "TIFF", 1)[..., 0], expected)
    Image.fromarray(300 * levels).save(tmp_path / "far.tif")
    with pytest.raises(RefusedInput, match=r"far.tif: expected fractions from 0 to 1 .* got"):
        picture.read(tmp_path / "far.tif", None)
    with pytest.raises(RefusedInput, match="got nan to nan"):
        read(Image.fromarray(np.full((2, 2), np.nan, "f4")), "TIFF")
    Image.fromarray(levels.astype("i4")).save(tmp_path / "whole.tif")
    with pytest.raises(RefusedInput, match="whole.tif: holds whole numbers of 32 bits"):
        picture.read(tmp_path / "whole.tif", None)


def test_two_colours_a_palette_inks_and_frames():
    mask = PIXELS[..., 0] > 127
    got = read(Image.fromarray(mask))
    np.testing.assert_array_equal(got, np.where(mask, 255, 0)[..., None].repeat(3, axis=-1))
    whole = Image.fromarray(PIXELS)
    np.testing.assert_array_equal(read(whole), PIXELS)
    np.testing.assert_array_equal(read(whole.quantize(24)), whole.quantize(24).convert("RGB"))
    inks = rng.integers(0, 256, (6, 4, 4), np.uint8)
    light = (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255
    got = read(Image.fromarray(inks, "CMYK"), "TIFF")
    np.testing.assert_allclose(got, light, atol=1)
    frames = {"save_all": True, "append_images": [Image.new("RGB", (4, 6))]}
    np.testing.assert_array_equal(read(whole, **frames), PIXELS)


def test_what_is_transparent_is_white():
    alpha = rng.integers(0, 256, (6, 4, 1), np.uint8)
    expected = (PIXELS * (alpha / 255.0)) + (255.0 - alpha)
    got = read(Image.fromarray(np.concatenate([PIXELS, alpha], axis=-1)))
    np.testing.assert_allclose(got, expected, atol=1)
    grey = np.concatenate([PIXELS[..., :1], alpha], axis=-1)
    np.testing.assert_allclose(read(Image.fromarray(grey), channels=1), expected[..., :1], atol=1)
    few = Image.fromarray(PIXELS).quantize(8)
    seen = np.array(few.convert("RGB"))
    seen[np.array(few) == 3] = 255
    np.testing.assert_array_equal(read(few, transparency=3), seen)


@pytest.mark.parametrize(("orientation", "turned"), [(3, 2), (6, -1), (8, 1)])
def test_upright_as_exif_says(orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    got = read(Image.fromarray(PIXELS), exif=exif)
    np.testing.assert_array_equal(got, np.rot90(PIXELS, turned))


def test_broken_pictures_are_refused_by_name(tmp_path):
    whole = stored(Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))).getvalue()
    broken = {"cut.png": whole[: len(whole) // 2], "text.jpg": b"hello", "empty.png": b""}
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RefusedInput, match=rf"{name}: no picture that can be read \(.*\)") as e:
            image_files.load(tmp_path, (8, 8))
        assert "\n" not in str(e.value)
        (tmp_path / name).unlink()


def test_no_other_program_opens_a_picture():
    """Pillow knows this by its first bytes, whatever its name, and hands it to Ghostscript."""
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n"
    assert Image.open(io.BytesIO(text)).format == "EPS"
    with pytest.raises(RefusedInput, match="no picture that can be read .cannot identify"):
        picture.read(io.BytesIO(text), None, name="f.png")


@pytest.mark.parametrize("side", [8_200, 10_000, 100_000])
def test_bombs_are_refused_before_they_are_unpacked(side, recwarn):
    """Below Pillow's own limit, where it warns, and where it raises."""
    packed = png(side, side, 8, 0, zlib.compress(b""))
    with pytest.raises(RefusedInput, match="b.png: (expected a picture of at most|too large)"):
        picture.read(io.BytesIO(packed), None, name="b.png")
    assert not recwarn.list


def test_hidden_files_are_no_pictures(tmp_path):
    (tmp_path / "sea" / ".ipynb_checkpoints").mkdir(parents=True)
    Image.fromarray(PIXELS).save(tmp_path / "sea" / "a.png")
    Image.fromarray(PIXELS).save(tmp_path / "sea" / ".ipynb_checkpoints" / "a.png")
    (tmp_path / "sea" / "._a.png").write_bytes(b"of another system")
    found, labels = image_files.load(tmp_path, (6, 4))
    assert found.shape == (1, 6, 4, 3) and labels.tolist() == [0]


def folder_of(root, *names):
    """A folder with a picture of each of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS).save(root / name)
    return root


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        # As Tiny ImageNet comes: a folder `images` in each class.
        (("a/images/1.png", "b/images/1.png", "b/images/2.png"), ("a", "b"), [0, 1, 1]),
        (("cat/old/1.png", "cat/2.png", "dog/old/1.png"), ("cat", "dog"), [0, 0, 1]),
        (("cat/cat/1.png", "cat/dog/1.png"), ("cat", "dog"), [0, 1]),
        # Where there is no part of the split's name, the part that is trained on is read.
        (("train/cat/1.png", "val/cat/1.png", "val/dog/1.png"), ("cat", "dog"), [0]),
        # A class of trains is no part of the data.
        (("plane/1.png", "train/1.png"), ("plane", "train"), [0, 1]),
        (("cat/1.png",), ("cat",), [0]),
        (("cat/1.png", "2.png"), (), None),
        (("a/1.ppm", "b b/\u00e9 1.JFIF"), ("a", "b b"), [0, 1]),
    ],
)
def test_a_class_is_a_sub_folder_with_all_below_it(tmp_path, names, classes, labels):
    folder_of(tmp_path, *names)
    # Of data with a part `train`, the other split reads everything.
    x, y = image_files.load(tmp_path, (6, 4), "train" if "train/1.png" in names else "test")
    assert image_files.classes(tmp_path) == classes and len(x) == len(labels or names)
    assert labels == (None if y is None else y.tolist())
    if labels:
        for only in ([len(x) - 1], [len(x) - 1, 0]):
            _, some = image_files.load(tmp_path, (6, 4), "test", only=only)
            assert some.tolist() == [labels[i] for i in only]


def test_classes_of_the_part_to_test_are_those_of_the_part_to_train(tmp_path):
    folder_of(tmp_path, "train/a/images/1.png", "train/b/images/1.png", "test/b/images/1.png")
    assert image_files.names(tmp_path) == ("a", "b")
    assert image_files.load(tmp_path, (6, 4), "test")[1].tolist() == [1]


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    folder_of(tmp_path / "far", "1.png", "2.png")
    folder_of(tmp_path / "here", "near/3.png")
    (tmp_path / "here" / "far").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "round").symlink_to(tmp_path / "far")
    (tmp_path / "here" / "near" / "back").symlink_to(tmp_path)
    x, y = image_files.load(tmp_path / "here", (6, 4))
    assert len(x) == 3 and y.tolist() == [0, 0, 1]


def test_photographs_of_formats_that_are_not_read_are_not_left_out_silently(tmp_path):
    folder_of(tmp_path, "a/1.png", "b/1.png")
    for name in ("2.HEIC", "3.avif", ".4.heic"):
        (tmp_path / "b" / name).write_bytes(b"")
    with pytest.raises(RefusedInput, match=r"b/2.HEIC: pictures of this format .*: 2\); save them"):
        image_files.load(tmp_path, (6, 4))


def test_arrays_of_another_form(tmp_path):
    thin = rng.integers(0, 256, (2, 1, 5, 3), np.uint8)
    np.savez(tmp_path / "thin.npz", images=thin)
    got, _ = image_files.load(tmp_path / "thin.npz", (2, 5))
    np.testing.assert_array_equal(got, thin.repeat(2, axis=1))
    (tmp_path / "no.npz").write_bytes(b"no archive")
    (tmp_path / "no.h5").write_bytes(b"no HDF5")
    for name in ("no.npz", "no.h5"):
        with pytest.raises(RefusedInput, match=f"cannot read images from .*{name}"):
            image_files.load(tmp_path / name, (6, 4))
    with h5py.File(tmp_path / "huge.h5", "w") as file:  # more than any memory holds
        for part, shape, dtype in (
            ("wide", (1, 1 << 20, 1 << 20, 3), "u1"),
            ("real", (1 << 40, 8, 8, 3), "f4"),
            ("flat", (4, 0, 8, 3), "u1"),
        ):
            file.create_group(part).create_dataset("images", shape, dtype, chunks=True)
    for part, kind, words in (
        ("wide", RefusedInput, "at most 67108864 pixels in huge.h5, got 1048576 x 1048576"),
        (
            "real",
            UsageError,
            r"expected images \[N, H, W, 1, 3 or 4\] uint8 in huge.h5, got float32",
        ),
        ("flat", UsageError, "got uint8"),
    ):
        for only in (None, [0]):
            with pytest.raises(kind, match=words):
                image_files.load(tmp_path / "huge.h5", (6, 4), part, only=only)
    np.savez(tmp_path / "o.npz", jpeg_bytes=np.zeros(9, np.uint8), offsets=[0, 9])
    with pytest.raises(RefusedInput, match="picture 0 of .*o.npz: no picture that can be read"):
        image_files.load(tmp_path / "o.npz", (6, 4))


@pytest.mark.parametrize("classes", ["sea", b"sea", 3, 1.5, [["sea", "sky"]], [0.5, 1.0]])
def test_names_of_classes_of_another_form_are_refused(tmp_path, classes):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["classes"] = classes
    with pytest.raises(RefusedInput, match="the attribute classes of .*a.h5 to be a list of names"):
        image_files.names(tmp_path / "a.h5")


@pytest.mark.parametrize("classes", [["sea", "sky"], np.array([b"sea", b"sky"])])
def test_names_of_classes(tmp_path, classes):
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    assert image_files.names(tmp_path / "a.h5") == ()
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["classes"] = classes
    assert image_files.names(tmp_path / "a.h5") == ("sea", "sky")


@pytest.mark.parametrize("question", [image_files.names, image_files.in_parts])
def test_whatever_is_asked_of_a_broken_file_it_is_refused_in_words(tmp_path, question):
    (tmp_path / "no.h5").write_bytes(b"no HDF5")
    with pytest.raises(RefusedInput, match=r"cannot read images from .*no.h5 \("):
        question(tmp_path / "no.h5")
