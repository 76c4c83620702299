"""A user's program, for mypy alone: right uses pass, and a wrong one is an error on its line.

The comment `E: CODE` tells the error that mypy is to report there. Nothing runs this file.
"""

import numpy as np

import tf_inverse
from tf_inverse import Band, Bands, Codes, Networks, Neuron, Settings, archive, domains, metrics


def right(path: str) -> int:
    networks: Networks = tf_inverse.load("cifar10")
    bands = tf_inverse.parse("fc8:ship@8:10, fc8:cat@1:2", networks)
    first: Band = bands[0]
    ends = first.z1 + float(bands.z2.max())
    layer: str = bands.layers[0]
    names = networks.names(layer) or ()
    shape: tuple[int, ...] = networks.layer_shape(layer)
    images: list[np.ndarray] = []
    for batch in tf_inverse.sample(networks, bands, Settings(n=20, K=10, precision="float32")):
        images.append(batch.samples.images)
    single = tf_inverse.sample(networks, [Band(Neuron("fc8", 3), 8.0, 10.0)])
    next(single)
    everything = Bands([*bands, Band(Neuron("conv5", 196, (6, 6)), 170, 200)])
    e, z = networks.score(np.concatenate(images), everything.neurons)
    with archive.open(path) as opened:
        found = len(opened) + len(opened.images)
    one = domains.vectors(networks.classifier, low=-1.0, labels=("species", ["a", "b"]))
    one.labels = ("species", ["a", "b", "c"])
    within = metrics.in_range(z, bands.z1, bands.z2)
    tf_inverse.save("folder", name=one.name, codes=Codes("normal", 6, (0.0, None)))
    try:
        tf_inverse.draw("cifar10", "fc8:ship@8:10", n=5)
    except tf_inverse.Unreachable as error:
        found += error.found
    return found + len(names) + len(shape) + int(within.sum()) + int(ends) + len(e)


def wrong(networks: Networks, bands: Bands, text: str) -> None:
    tf_inverse.nonsense_name  # E: attr-defined
    tf_inverse.archive.opens(text)  # E: attr-defined
    tf_inverse.metrics.vend  # E: attr-defined
    from tf_inverse import nothing_at_all  # E: attr-defined

    tf_inverse.load(3)  # E: arg-type
    tf_inverse.load("cifar10", trusted=True)  # E: call-arg
    tf_inverse.parse(8, networks)  # E: arg-type
    tf_inverse.parse(text, "cifar10")  # E: arg-type
    tf_inverse.parse(text)  # E: call-arg
    Band("fc8:3", 0, 1)  # E: arg-type
    Band(Neuron("fc8", 3), "p95", "p99")  # E: arg-type
    Neuron(layer="fc8", units=3)  # E: call-arg
    Settings(n="twenty")  # E: arg-type
    Settings(samples=20)  # E: call-arg
    Codes("normal", "128")  # E: arg-type
    bands.z3  # E: attr-defined
    bands.neurons[0].row  # E: attr-defined
    tf_inverse.sample(networks, text)  # E: arg-type
    tf_inverse.sample(networks, bands, settings={"n": 3})  # E: arg-type
    networks.layer_shape(3)  # E: arg-type
    networks.look(bands)  # E: call-arg
    networks.labels.name  # E: union-attr
    networks.labels = ("fc8", 10)  # E: assignment
    archive.open(3)  # E: arg-type
    archive.open(text, untrusted="no")  # E: arg-type
    tf_inverse.save("folder", name="x", classifer=None)  # E: call-arg
    domains.pixels("model.keras")  # E: call-arg
    return bands  # E: return-value
