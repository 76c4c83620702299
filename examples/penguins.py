"""The inverse set of a neuron that sees no images: a small network that tells penguins apart.

Trains on 342 penguins (four measurements, three species), then asks two questions: which birds
leave the network undecided between two species, and what does a hidden unit want to see?
"""

import csv
import pathlib
import sys

import keras
import numpy as np

from tf_inverse import domains, draw

SPECIES = ("Adelie", "Chinstrap", "Gentoo")
MEASURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")


def load(path):
    """Measurements [342, 4] in mm and g, and species [342]."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    x = np.array([[float(row[name]) for name in MEASURES] for row in rows], np.float32)
    return x, np.array([SPECIES.index(row["species"]) for row in rows])


def trained(x, y, seed=0):
    """A network of eight hidden units that tells the species from the measurements."""
    keras.utils.set_random_seed(seed)
    measures = keras.Input((4,), name="measures")
    scale = keras.layers.Rescaling(1 / x.std(axis=0), -x.mean(axis=0) / x.std(axis=0))
    h = keras.layers.Dense(8, "relu", name="hidden")(scale(measures))
    h = keras.layers.Dense(3, "softmax", name="species")(h)
    model = keras.Model(measures, h, name="penguins")
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=38, epochs=30, verbose=0)
    return model


def main():
    """Prints who the undecided birds are, and what a hidden unit wants."""
    x, y = load(pathlib.Path(__file__).with_name("penguins.csv"))
    model = trained(x, y)
    print(f"accuracy {np.mean(model.predict(x, verbose=0).argmax(axis=1) == y):.3f}")
    # The box: no bird smaller or larger than any that was measured.
    networks = domains.vectors(
        model, x.min(axis=0), x.max(axis=0), labels=("species", SPECIES), name="penguins"
    )
    boundary = "species:Adelie@0.4:0.6, species:Chinstrap@0.4:0.6"
    # Distances between codes: shares of the box, in which a millimetre and a gram can be compared.
    tell(boundary, draw(networks, boundary, n=50, distance="codes"), x)
    unit = int(np.argmax(np.abs(model.get_layer("species").get_weights()[0][:, 2])))
    h = keras.Model(model.input, model.get_layer("hidden").output)(x).numpy()[:, unit]
    high = f"hidden:{unit}@{np.percentile(h, 90):.3g}:{h.max():.3g}"
    tell(high, draw(networks, high, n=50, distance="codes"), x)


def tell(targets, result, x):
    """Quartiles of the samples beside those of the birds."""
    samples = result.samples.images.reshape(-1, len(MEASURES))
    z = result.samples.activations
    print(f"\n{targets}: {len(samples)} samples, activations {z.min():.3f} to {z.max():.3f}")
    for name, made, measured in zip(MEASURES, samples.T, x.T, strict=True):
        ours, birds = (np.percentile(column, (25, 50, 75)) for column in (made, measured))
        print(f"  {name:<18} {text(ours)}   all birds {text(birds)}")


def text(quartiles):
    """Three numbers in columns."""
    return " ".join(f"{q:7.1f}" for q in quartiles)


if __name__ == "__main__":
    sys.exit(main())
