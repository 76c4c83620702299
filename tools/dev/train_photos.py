"""Trains a classifier of photographs, and its generator, with Keras on JAX, PyTorch or TensorFlow.

    python tools/dev/train_photos.py classifier --backend=jax --data=DATA --out=OUT --size=64
    python tools/dev/train_photos.py generator --backend=jax --data=DATA --out=OUT --size=64

It is what `tf-inverse train` does on machines without TensorFlow, of the same modules: the losses,
the order of images and the state of a training that was stopped are the same. OUT then holds
network.keras, classifier.keras, generator.keras and coded.keras, the classifier with the code as
one more output; they load anywhere. On a machine with TensorFlow `tf-inverse train pair
--classifier=OUT/coded.keras --encoder=relu6_maps` measures the pair and writes its folder; after
`--appearance=0` there is no coded.keras, and it is `--classifier=OUT/classifier.keras`.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf_inverse.training import data

BACKENDS = ("tensorflow", "jax", "torch")
NUMBERS = {"epochs": None, "batch": None, "code": None, "pooled": 0, "appearance": None}


def classifier(options: argparse.Namespace, parts: data.Data, state: pathlib.Path) -> int:
    """OUT/network.keras as it trains, and classifier.keras without batch normalisation."""
    import keras

    from tf_inverse.training import architectures, runs

    size, dtype = parts.train.shape[1:3], runs.policy(options.precision)
    keras.utils.set_random_seed(options.seed)
    made = architectures.classifier(
        int(parts.train_labels.max()) + 1, size, options.code, options.width, options.pooled, dtype
    )
    settings = {"plain": options.plain, "epsilon": options.epsilon, "rate": options.rate or 2e-3}
    settings |= {"epochs": options.epochs or 11, "batch": options.batch or 128}
    settings |= {"seed": options.seed, "overwrite": options.overwrite}
    stopped = runs.train_classifier(made, parts, state, **settings)
    if stopped:
        return stopped.exit_code
    runs.save(architectures.folded(made), options.out / "classifier.keras")
    runs.save(made, options.out / "network.keras")
    return 0


def generator(options: argparse.Namespace, parts: data.Data, state: pathlib.Path) -> int:
    """OUT/generator.keras for the layer `encoder` of OUT/classifier.keras.

    With maps beside that layer OUT/coded.keras is the classifier with both as one more output.
    """
    import keras

    from tf_inverse import grammar
    from tf_inverse.layers import convolution, pixels  # noqa: F401, a teacher may have them
    from tf_inverse.training import appearance as maps
    from tf_inverse.training import data, perceptual, runs

    model = keras.saving.load_model(options.out / "classifier.keras", compile=False)
    compare = grammar.names(options.compare)
    features = perceptual.of_model(model, compare, options.encoder)
    about = {"encoder": options.encoder, "compare": list(compare)}
    about |= {"classifier": data.digest(*model.get_weights())}
    if options.teacher:
        teacher = keras.saving.load_model(options.teacher, compile=False)
        lessons = grammar.names(options.teacher_layers) or perceptual.lessons(teacher)
        features = perceptual.taught(features, teacher, lessons)
        about |= {"teacher": data.digest(*teacher.get_weights()), "lessons": list(lessons)}
    names = ("epochs", "seed", "width", "average", "augment", "disc_start", "precision")
    names += ("overwrite",)
    settings = {name: getattr(options, name) for name in names}
    settings |= {"batch": options.batch or 64, "rate": options.rate or 5e-4}
    given = options.appearance
    settings["appearance"] = maps.channels(parts.train.shape[1:]) if given is None else given
    made = runs.train_generator(features, parts.train, state, about, **settings)
    if isinstance(made, runs.Stopped):
        return made.exit_code
    if made.appearance is not None:
        h = model.get_layer(options.encoder).output
        coded, _ = maps.beside(model, model.outputs, h, made.appearance, options.encoder)
        runs.save(coded, options.out / "coded.keras")
    runs.save(made.G, options.out / "generator.keras")
    return 0


def read(arguments: list[str]) -> argparse.Namespace:
    """The flags, which mean what those of `tf-inverse train` mean."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=("classifier", "generator"))
    parser.add_argument("--backend", choices=BACKENDS, help="Keras's own by default")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--size", default="64")
    parser.add_argument("--encoder", default="relu6")
    for name in ("compare", "teacher", "teacher-layers", "augment"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--precision", default="auto")
    for name, value in NUMBERS.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in {"plain": 5, "seed": 0, "disc-start": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in {"rate": None, "epsilon": 0.25, "width": 1.0, "average": 0.0}.items():
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--overwrite", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """One training; returns the exit code, as those of `tf-inverse` are."""
    options = read(arguments)
    if options.backend:
        # Keras reads it once, when it is imported.
        os.environ["KERAS_BACKEND"] = options.backend
    from tf_inverse import grammar
    from tf_inverse.errors import InverseSetError
    from tf_inverse.training import data, work

    file = options.out / ("network" if options.kind == "classifier" else options.kind)
    state = work.beside(file)
    try:
        if file.with_suffix(".keras").exists() and not options.overwrite:
            raise FileExistsError(f"{file}.keras exists; give --overwrite, or another OUT")
        work.expect_ours(state)
        with work.alone(state):
            parts = data.load(options.data, grammar.sides("size", options.size), 3)
            kinds = {"classifier": classifier, "generator": generator}
            code = kinds[options.kind](options, parts, state)
            if not code:
                work.clear(state)
            return code
    except (InverseSetError, OSError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "exit_code", 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
