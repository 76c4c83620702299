"""The paper's networks with their layers' names and kernels but few channels, and files of them.

Conversion of 117 million weights takes half a minute; of these, nothing.
"""

import functools
import hashlib
import io
import pathlib
import tarfile
import tempfile

import keras
import numpy as np
from oracles import caffe_files, deepsim_torch, torch_files

from tf_inverse.caffe import convert, sources
from tf_inverse.experiments import runner
from tf_inverse.method import normalization
from tf_inverse.networks import yardstick
from tf_inverse.zoo import caffenet, generator

NARROWER = 16
# conv5 stays whole: the paper's hidden unit is its 197th.
WIDTHS = (6, 16, 24, 24, 256, 256, 256)


def architectures(thin=NARROWER):
    """Those of `registered.generator`, all channels divided but those of images and whole codes."""
    return {code: _thin(one, code, thin) for code, one in generator.ARCHITECTURES.items()}


def _thin(one, code, thin):
    layers = tuple(
        layer._replace(filters=layer.filters // (1 if layer.filters == 3 else thin))
        for layer in one.layers
    )
    *sides, channels = one.shape
    height, width, depth = one.grid or (0, 0, 0)
    return one._replace(
        shape=(*sides, channels // (1 if code in deepsim_torch.WHOLE else thin)),
        layers=layers,
        dense=tuple(units // thin for units in one.dense),
        grid=one.grid and (height, width, depth // thin),
    )


def apply(monkeypatch):
    """Make the package's tables thin while a test runs, and the codes few that units come from."""
    monkeypatch.setattr(generator, "ARCHITECTURES", architectures())
    monkeypatch.setattr(caffenet, "WIDTHS", WIDTHS)
    # Each is the encoding of noise of 227 x 227 pixels, which stays as large.
    for module, count in ((runner, "USUAL"), (normalization, "COUNT"), (yardstick, "COUNT")):
        monkeypatch.setattr(module, count, 20)


def caffenet_shapes(classes=1000, widths=WIDTHS):
    """{tensor: shape} of CaffeNet's state dict."""
    conv = [(11, 3, 1), (5, widths[0], 2), (3, widths[1], 1), (3, widths[2], 2), (3, widths[3], 2)]
    shapes = {}
    for i, (kernel, inputs, groups) in enumerate(conv, 1):
        shapes[f"conv{i}.weight"] = (widths[i - 1], inputs // groups, kernel, kernel)
        shapes[f"conv{i}.bias"] = (widths[i - 1],)
    sizes = (36 * widths[4], *widths[5:], classes)
    for i in (6, 7, 8):
        shapes[f"fc{i}.weight"] = (sizes[i - 5], sizes[i - 6])
        shapes[f"fc{i}.bias"] = (sizes[i - 5],)
    return shapes


def caffenet_weights(classes=1000, widths=WIDTHS):
    """Random weights of CaffeNet by name."""
    return deepsim_torch.random(caffenet_shapes(classes, widths), seed=0)


def generator_weights(code="fc6", narrower=NARROWER, contrast=60.0):
    """Random weights of a generator by name; images have contrast."""
    arrays = deepsim_torch.random(deepsim_torch.shapes(code, narrower), seed=1)
    last = "conv1_1.weight" if "conv1_1.weight" in arrays else "deconv0.weight"
    arrays[last] *= np.float32(contrast if last.startswith("deconv") else 1.0)
    return arrays


def activations(f, G, layer, seed=5):
    """What a layer of a classifier gives for the images of random codes, [50, ...]."""
    c = np.random.default_rng(seed).uniform(0, 2, (50, G.input_shape[-1])).astype("f4")
    images = np.asarray(G(c)).clip(0, 255).round()
    first = (images.shape[1] - caffenet.SIZE) // 2
    images = images[:, first : first + caffenet.SIZE, first : first + caffenet.SIZE]
    return np.asarray(keras.Model(f.input, f.get_layer(layer).output)(images))


def calibrated(where, classes=1000, widths=WIDTHS, narrower=NARROWER):
    """Weights of CaffeNet and a generator whose neurons reach the paper's ranges.

    Random weights know nothing of 50 to 60: unit 196 of conv5 and all of fc8 are moved and
    stretched until the ranges are usual for the images of random codes.
    """
    f_weights = caffenet_weights(classes, widths)
    g_weights = generator_weights("fc6", narrower)
    torch_files.write(where / "g.pt", g_weights)
    G = convert.network("generator", where / "g.pt").model
    for layer, unit, mean, sd in (("conv5", 196, 200.0, 60.0), ("fc8", ..., 50.0, 10.0)):
        torch_files.write(where / "f.pt", f_weights)
        f = convert.network("caffenet" if classes == 1000 else "places205", where / "f.pt").model
        z = activations(f, G, layer)
        z = z[:, 6, 6, unit] if layer == "conv5" else z
        w, b = f_weights[f"{layer}.weight"], f_weights[f"{layer}.bias"]
        factor = np.float32(sd) / z.std(axis=0)
        b[unit] = factor * (b[unit] - z.mean(axis=0)) + np.float32(mean)
        w[unit] = (factor * w[unit].T).T
    return f_weights, g_weights


def caffemodel(path, weights, classes=1000):
    """Write weights of CaffeNet as Caffe would."""
    table = caffe_files.alexnet_table(classes)
    blobs = [
        (row[0], [weights[f"{row[0]}.{kind}"] for kind in ("weight", "bias") if row[5]])
        for row in table
    ]
    caffe_files.write(path, table, blobs, 1, "CaffeNet")
    return path.read_bytes()


def places_archive(path, weights):
    """The archive of Places205-CNN."""
    data, out = caffemodel(path, weights, 205), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("placesCNN/places205CNN_iter_300000.caffemodel")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@functools.cache
def files():
    """{name of a public file: bytes}: CaffeNet, DeePSiM's fc6 generator and Places205-CNN, thin."""
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        f_weights, g_weights = calibrated(where)
        places, _ = calibrated(where, 205)
        torch_files.write(where / "g.pt", g_weights)
        return {
            "bvlc_reference_caffenet.caffemodel": caffemodel(where / "f", f_weights),
            "upconvGAN_fc6.pt": (where / "g.pt").read_bytes(),
            "placesCNN.tar.gz": places_archive(where / "p", places),
        }


def serve(server, monkeypatch):
    """Have a local server offer the thin files, with their checksums in the table of sources."""
    apply(monkeypatch)
    monkeypatch.setenv("TF_INVERSE_MIRROR", server.address)
    server.files |= {f"/{name}": data for name, data in files().items()}
    for name, source in list(sources.SOURCES.items()):
        forms = []
        for form in source.forms:
            urls = tuple(f"http://127.0.0.1:9/{url.rsplit('/', 1)[1]}" for url in form.urls)
            data = files().get(form.file)
            if form.checksum and data:
                algorithm = form.checksum[0]
                form = form._replace(checksum=(algorithm, hashlib.new(algorithm, data).hexdigest()))
            forms.append(form._replace(urls=urls))
        monkeypatch.setitem(sources.SOURCES, name, source._replace(forms=tuple(forms)))
