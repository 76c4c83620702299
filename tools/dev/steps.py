"""How many gradient steps renewal takes at several steps beta, for codes of several sizes.

    python tools/dev/steps.py

Generators and classifiers are small and random. A row of the table is a size of codes; a column,
the step's length for the code as a whole, beta sqrt(d), in standard deviations. The default is 4.
"""

from __future__ import annotations

from tf_inverse.tools import quiet

SIZES = (100, 384, 1024, 4096)
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
N = 100


def pair(d: int, seed: int = 0):
    """Dense layers to 16 x 16 images, and a classifier of two convolutions and two dense layers."""
    import keras
    from keras import layers

    from tf_inverse.networks.codes import Codes
    from tf_inverse.networks.networks import Networks

    keras.utils.set_random_seed(seed)
    code, image = keras.Input((d,)), keras.Input((16, 16, 3))
    h = code
    for _ in range(2):
        h = layers.Dense(256, kernel_initializer="he_normal")(h)
        h = layers.LeakyReLU(negative_slope=0.3)(h)
    h = layers.Dense(16 * 16 * 3, kernel_initializer="he_normal")(h)
    generator = keras.Model(code, layers.Rescaling(40.0, 118.0)(layers.Reshape((16, 16, 3))(h)))
    h, options = layers.Rescaling(1 / 60, -118 / 60)(image), {"kernel_initializer": "he_normal"}
    for filters in (16, 32):
        h = layers.Conv2D(filters, 3, strides=2, activation="relu", **options)(h)
    h = layers.Dense(64, activation="relu", name="fc6", **options)(layers.Flatten()(h))
    classifier = keras.Model(image, layers.Dense(10, name="fc8", **options)(h))
    return Networks("random", classifier, generator, "fc6", Codes("normal", d))


def steps(networks, length: float) -> int | str:
    """Steps to N samples from 2 to 3 deviations above a unit's mean, or why there are none."""
    from tf_inverse.band import Band, Neuron
    from tf_inverse.errors import InverseSetError
    from tf_inverse.method.normalization import measure
    from tf_inverse.method.sampler import sample
    from tf_inverse.method.settings import Settings

    unit = Neuron("fc8", 3)
    scale = measure(networks, (unit,))
    mean, sd = float(scale.z_mean[0]), float(scale.z_sd[0])
    settings = Settings(n=N, beta=length / networks.codes.size**0.5)
    band = Band(unit, mean + 2 * sd, mean + 3 * sd)
    try:
        *_, last = sample(networks, (band,), settings, scale=scale)
    except InverseSetError as error:
        return type(error).__name__
    return last.info.steps


def main() -> None:
    """Print the table."""
    quiet.start()
    print("| size of codes | " + " | ".join(f"length {length:g}" for length in LENGTHS) + " |")
    print("| --- |" + " --- |" * len(LENGTHS))
    for d in SIZES:
        networks = pair(d)
        row = [str(steps(networks, length)) for length in LENGTHS]
        print(f"| {d} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
