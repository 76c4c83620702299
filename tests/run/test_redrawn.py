"""Archives of codes, published as images: those that the network draws, or nothing at all."""

import keras
import numpy as np
from commands import run
from PIL import Image

from tf_inverse import archive
from tf_inverse.networks import storage
from tf_inverse.run import verify


def test_codes_are_published_as_the_images_that_they_stand_for(
    tiny_folder, tmp_path, monkeypatch, capsys, loaded_once
):
    monkeypatch.chdir(tmp_path)
    small = ["--n=4", "--K=4", "--precision=float32", "--store=codes"]
    assert run("sample", "a.h5", f"--network={tiny_folder}", *small) == 0
    assert run("publish", "a.h5", "--to=set") == 0
    loaded = storage.load(tiny_folder)
    images = verify.render(loaded, archive.open("a.h5").codes[:])
    for i, image in enumerate(images):
        np.testing.assert_array_equal(Image.open(f"set/data/000/{i:06d}.png"), image)
    # Of another generator the codes are other images, which nobody scored.
    generator = keras.models.clone_model(loaded.generator)
    generator.set_weights([0.7 * w for w in loaded.generator.get_weights()])
    parts = {name: getattr(loaded, name) for name in ("classifier", "encoder", "codes")}
    storage.save("other", name="tiny", generator=generator, **parts)
    capsys.readouterr()
    assert run("publish", "a.h5", "--to=no", "--network=other") == 4
    said = capsys.readouterr().err
    assert "and the images of them are not what it says" in said and said.count("\n") == 1
    assert not (tmp_path / "no").exists()
