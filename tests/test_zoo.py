"""Small networks of a dozen kinds, each brought in from a file and used as a user would."""

import functools

import pytest
from tf_inverse.tools import try_models, zoo, zoo_forms, zoo_guides, zoo_try

SIDE = 16
# Errors of single activations in bfloat16, which has 8 bits, over the largest activation.
BITS = 2.0**-8
KINDS = {
    "transfer learning": functools.partial(zoo_guides.transfer, base=zoo_guides.separable),
    "Normalization adapted": zoo_guides.normalised,
    "ViT with positions added": zoo_guides.vit,
    "ConvMixer": functools.partial(zoo_guides.conv_mixer, blocks=1),
    "MLP-Mixer": functools.partial(zoo_guides.mlp_mixer, blocks=1),
    "U-Net": zoo_guides.unet,
    "siamese trunk": zoo_guides.siamese,
    "two images compared": None,
    "three deep: a unit inside": zoo_forms.three_deep,
    "several inputs and outputs": zoo_forms.several,
    "channels first": zoo_forms.channels_first,
    "mixed_bfloat16": None,
    "quantised int8": None,
    "subclassed as SavedModel": zoo_forms.subclassed,
}


@pytest.mark.parametrize("name", KINDS)
def test_from_a_file_to_true_samples(name, tmp_path):
    """10 of 10 in half precision, and what is stored is what the original model gives."""
    entry, smaller = zoo.ZOO[name], KINDS[name]
    if smaller is not None:
        entry = entry._replace(classifier=functools.partial(smaller, SIDE))
    trial = zoo_try.Trial(entry, tmp_path)
    trial.adopt()
    run = trial.sample("bfloat16")
    assert run["found"] == try_models.ASKED and run["difference"] <= try_models.TOLERANCE
    assert run["precision"].startswith(("bfloat16", "float32: "))
    assert max(trial.half().values()) < 20 * BITS
