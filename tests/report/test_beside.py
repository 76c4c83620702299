"""Maps and natural images that lie beside an archive: as layers, in sheets, in the page's data."""

import base64
import io

import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.report import beside, html, overlay, png

RNG = np.random.default_rng(0)


@pytest.fixture
def archive(tmp_path):
    return specimen.write(tmp_path / "a.h5", 6)


def nature(count=5):
    z = np.linspace(8, 10, count, dtype=np.float32)[:, None]
    return beside.Nature(specimen.discs(z, 32, RNG), z, np.arange(count) * 3, 9, 100, "photos")


def sized(data):
    return Image.open(io.BytesIO(data)).size


def test_smoothing_is_the_gaussian_mean_of_the_neighbourhood():
    """Against a loop over pixels, for an image that is not square."""
    values = RNG.standard_normal((6, 9))
    sd = max(6 * overlay.WIDTH, 0.5)
    rows, columns = np.mgrid[:6, :9]
    expected = np.empty_like(values)
    for y, x in np.ndindex(6, 9):
        down, across = (np.exp(-0.5 * ((at - i) / sd) ** 2) for at, i in ((rows, y), (columns, x)))
        weights = down / down[:, 0].sum() * (across / across[0].sum())
        expected[y, x] = (weights * values).sum()
    expected /= np.quantile(np.abs(expected), overlay.SHARE)
    np.testing.assert_allclose(overlay.scaled(values), np.clip(expected, -1, 1), atol=1e-12)
    assert not overlay.scaled(np.zeros((4, 4))).any()
    spoiled = np.where(values == values.max(), np.nan, values)
    at = np.where(values == values.max(), 0.0, values)
    np.testing.assert_array_equal(overlay.scaled(spoiled), overlay.scaled(at))


def test_a_layer_is_red_where_a_map_raises_and_clear_where_it_does_nothing():
    values = np.zeros((32, 48), np.float32)
    values[:, :12], values[:, -12:] = 2, -2
    data = base64.b64decode(overlay.address(values).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert pixels.shape == (32, 48, 4) and len(data) < 600
    (red, _, blue, opaque), clear, lowers = pixels[16, 3], pixels[16, 24], pixels[16, 44]
    assert red > blue and opaque == round(255 * overlay.STRONGEST) and clear[3] == 0
    assert lowers[0] < lowers[2]
    grey = overlay.blended(np.full((32, 48, 3), 120, np.uint8), values)
    assert (grey[16, 24] == 120).all() and grey[16, 3, 0] > grey[16, 3, 2]
    assert (
        Image.open(
            io.BytesIO(base64.b64decode(overlay.address(np.ones((227, 100))).partition(",")[2]))
        ).size[1]
        == overlay.LARGEST
    )


def test_natural_images_are_stored_only_where_asked_and_then_shown(archive):
    before = archive.path.read_bytes()
    page = html.render([archive], ["a"], [nature()])
    assert "Natural images in the range: 9 of 100 of photos, 5 of them here" in page
    assert not side_file.beside(archive.path).exists()
    assert "Natural images in the range" not in html.render([archive], ["a"])
    stored = nature()
    beside.store(archive.path, stored)
    found = beside.nature(archive)
    np.testing.assert_array_equal(found.images, stored.images)
    assert found[2:] != () and found.title == stored.title
    assert "Natural images in the range" in html.render([archive], ["a"])
    assert archive.path.read_bytes() == before


def test_sheets_have_rows_of_maps_and_of_nature(archive):
    plain = sized(png.contact(archive))
    with_nature = sized(png.contact(archive, nature=nature()))
    arrays = {"occlusion": RNG.standard_normal((6, 1, 32, 32)).astype(np.float32)}
    with pytest.raises(UsageError, match="expected maps .*none yet.*tf-inverse explain .*a.h5 "):
        png.contact(archive, maps="occlusion")
    side_file.put(archive.path, side_file.ATTRIBUTION, arrays, {"done": {"occlusion": 5}})
    with pytest.raises(UsageError, match="expected maps of all samples .*, it has those of 5"):
        png.contact(archive, maps="occlusion")
    side_file.put(archive.path, side_file.ATTRIBUTION, arrays, {"done": {"occlusion": 6}})
    both = sized(png.contact(archive, nature=nature(), maps="occlusion"))
    assert plain[1] < with_nature[1] < both[1]
    ladder = sized(png.ladder([archive, archive], natures=[nature(), None]))
    assert ladder[1] > sized(png.ladder([archive, archive]))[1]


def test_a_row_of_nature_says_how_many_of_them_it_has(archive):
    natural = nature()
    assert len(natural.images) > 2
    (row,) = png.natural_rows(archive, natural, 2)
    assert len(row.images) == 2 and row.heading.endswith(", 2 of them here")


def test_what_lies_beside_is_checked_before_it_is_shown(archive):
    """Sections that hold other arrays or facts than ours are refused in one line."""
    maps = np.zeros((6, 1, 4, 4), np.float32)
    images, z, numbers = (
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((2, 1), np.float32),
        np.arange(2),
    )
    whole = {"images": images, "activations": z, "numbers": numbers}
    facts = {"inside": 2, "looked_at": 9, "source": "photos"}
    for name, arrays, told in (
        (side_file.ATTRIBUTION, {"occlusion": maps}, {"done": 6}),
        (side_file.ATTRIBUTION, {"occlusion": maps}, {"done": {"occlusion": -1}}),
        (side_file.ATTRIBUTION, {"occlusion": maps[:, 0]}, {"done": {"occlusion": 6}}),
        (side_file.NATURE, whole | {"images": images[..., 0]}, facts),
        (side_file.NATURE, whole, facts | {"source": 3}),
        (side_file.NATURE, {"images": images}, facts),
        (side_file.NATURE, whole | {"images": images.astype(np.uint16)}, facts),
        (side_file.NATURE, whole | {"images": images[:, :0]}, facts),
        (side_file.NATURE, whole | {"activations": z + np.nan}, facts),
        (side_file.ATTRIBUTION, {"occlusion": maps[..., :0]}, {"done": {"occlusion": 6}}),
        (side_file.ATTRIBUTION, {"occlusion": maps > 0}, {"done": {"occlusion": 6}}),
    ):
        side_file.put(archive.path, name, arrays, told)
        with pytest.raises(RefusedInput, match="a.h5.extra.h5: expected .*; remove it and"):
            html.render([archive], ["a"])
        side_file.beside(archive.path).unlink()
