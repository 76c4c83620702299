"""Some steps of both trainings on whatever backend Keras runs: `python steps_anywhere.py FOLDER`.

The first to come, TensorFlow's, leaves its weights in FOLDER, and another backend begins with them.
Prints the losses of each step as JSON. With TensorFlow hidden, that nothing needs it is seen too.
"""

import json
import pathlib
import sys
from importlib.machinery import PathFinder


def hide(hidden):
    """Makes a package as one that is not installed."""
    real = PathFinder.find_spec

    # Packages ask it of the class and of an instance.
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] == hidden else real(name, path, target)

    PathFinder.find_spec = find_spec


def main(folder):
    """Losses of each step: of the classifier, then of the generator."""
    import keras
    import numpy as np

    from tf_inverse.training import (
        appearance,
        batches,
        classifier,
        discriminator,
        generator,
        perceptual,
    )

    layers, rng = keras.layers, np.random.default_rng(0)
    x = rng.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
    y = rng.integers(0, 2, 24).astype(np.int32)
    keras.utils.set_random_seed(0)
    maps = appearance.Appearance(appearance.grid(6, 1.0, (8, 8), 2), (8, 8, 3))
    images, codes = keras.Input((8, 8, 3)), keras.Input((maps.grid.size,))
    h = layers.Rescaling(1 / 127.5, -1.0)(images)
    h = layers.BatchNormalization()(layers.Conv2D(4, 3, 2, use_bias=False, name="conv")(h))
    h = layers.Dense(6, name="code")(layers.Flatten()(layers.ReLU(name="map")(h)))
    f = keras.Model(images, layers.Dense(2)(h))
    h = layers.Reshape((4, 4, 2))(layers.Dense(32)(codes))
    h = layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same")(layers.UpSampling2D()(h)))
    G = keras.Model(codes, layers.Rescaling(127.5, 127.5)(h))
    D = discriminator.discriminator(6, (8, 8, 3), (4,))
    for name, model in {"f": f, "G": G, "D": D, "maps": maps.network}.items():
        path = folder / f"{name}.npz"
        if path.exists():
            weights = np.load(path)
            model.set_weights([weights[key] for key in weights.files])
        else:
            np.savez(path, *model.get_weights())

    def moves(rng, step):
        return {"moves": rng.uniform(0, 50, 4).astype(np.float32)}

    def changes(rng, step):
        noise = rng.standard_normal((8, *maps.grid.shape), np.float32)
        return {"noise": noise} | discriminator.changes(rng, 8, discriminator.WAYS)

    robust = classifier.Robust(f, keras.optimizers.AdamW(1e-3))
    features = perceptual.of_model(f, ("map",), "code")
    inverter = generator.Inverter(G, D, features, 1e-3, average=0.5, appearance=maps)
    losses = []
    for trainer, batch in (
        (robust, batches.Batches(x, 8, 0, y, shift=1, further=moves)),
        (inverter, batches.Batches(x, 8, 0, further=changes)),
    ):
        run = trainer.engine.compiled(trainer.step)
        for step in range(4):
            logs = run(batch(step))
            losses.append({k: float(keras.ops.convert_to_numpy(v)) for k, v in logs.items()})
        trainer.engine.settle()
    inverter.finish()
    for name, model in {"G": G, "maps": maps.network}.items():
        losses.append({name: float(np.abs(model.get_weights()[0]).sum())})
    return losses


if __name__ == "__main__":
    hide("tensorflow")
    print(json.dumps(main(pathlib.Path(sys.argv[1]))))
