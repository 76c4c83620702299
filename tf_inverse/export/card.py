"""The model card of an export: what it holds, each endpoint's inputs and outputs, how to call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import tensorflow as tf

from tf_inverse.method.pool import FIELDS

if TYPE_CHECKING:
    from tf_inverse.export.addressed import Exported


STARTS = "starts.npy"
MEANING = {
    "codes": "codes c; of step and sample, fresh ones to start (again) from, drawn as below",
    "images": "RGB 0..255 as stored",
    "neurons": "a row [layer, unit, row, column] each; layer counts from zero in the table below; "
    "row, column 0 without a map; of a row of tokens row 0, and the token as column; row -1 the "
    "mean over the map, -2 the maximum",
    "ranges": "[z1, z2] of each neuron's activation",
    "sd": "natural deviation of each neuron (of a probability, of its log-odds), the unit of its "
    "margins; 0 for the stored one",
    "aims": "uniform numbers in [0, 1), one row a fresh code, one column a neuron",
    "rows": "K, codes at a time",
    "count": "n, samples to find",
    "limit": "gradient steps after which to stop, in tens",
    "seed": "of the random numbers: the same seed, the same answer",
    "encodings": "encodings e",
    "activations": "activations z of the neurons",
    "done": "rows whose code came in as a sample: images[done] are samples",
    "used": "fresh rows taken",
    "steps": "gradient step at which each was found",
    "chain": "row of the pool that found it",
    "taken": "gradient steps in all",
    "best": "activation met that is nearest to its range, a neuron",
}
MEANING |= {name: field.meaning for name, field in FIELDS.items()}
MEANING["found"] += "; of sample, how many there are"
SUMMARY = {
    "generate": "codes to images",
    "encode": "images to encodings",
    "activations": "images to activations of neurons",
    "look": "codes to images, encodings and activations",
    "step": "one step of the pool: state in, state out",
    "sample": "the whole search: neurons, ranges and random numbers to samples",
    "starts": "natural codes near the ranges, with noise, and aims: for sample and step",
    "draw": "starts and then sample: neurons, ranges and a seed to samples",
}
START = {
    "normal": "independent N(0, 1)",
    "uniform": "uniform on [-1, 1]",
    "noise": "encode(images) of noise: N(127.5, 64) clipped to 0..255",
    "gaussian": f"a Gaussian fitted to codes of natural images: any rows of {STARTS}",
    "bank": f"encode(images) of natural images: any rows of {STARTS}, or of images of your own",
}


class Figures(TypedDict):
    """What an export takes, in bytes.

    Attributes:
        weights: Of the weights that the endpoints use.
        variables: Of the model's files of weights.
        deck: Of the natural codes in its graph, and of what they excite.
        files: Of all its files.
    """

    weights: int
    variables: int
    deck: int
    files: int


def facts(
    exported: Exported,
    functions: Mapping[str, tf.types.experimental.ConcreteFunction],
    figures: Figures,
    versions: dict[str, str],
) -> dict[str, Any]:
    """Everything about an export, as JSON can say it."""
    networks, settings = exported.networks, exported.settings
    labels = {layer: list(networks.names(layer) or ()) for layer in exported.layers}
    layers = [
        {
            "layer": i,
            "name": layer,
            "shape": list(networks.layer_shape(layer)),
            "labels": labels[layer] or None,
            "directions": [str(one.direction) for one in along],
        }
        for i, (layer, along) in enumerate(zip(exported.layers, exported.directions, strict=True))
    ]
    return {
        "name": networks.name,
        "checksums": networks.checksums,
        "versions": versions,
        "layers": layers,
        "image": list(networks.image_shape),
        "codes": {
            "size": networks.codes.size,
            "kind": networks.codes.kind,
            "drawn": START[networks.codes.kind],
            "bounds": networks.codes.bounds,
        },
        "settings": {
            name: getattr(settings, name)
            for name in ("beta", "diversity", "mu0", "patience", "samples_per_seed", "bound")
        },
        "scale": {"codes": exported.scale.c_sd, "encodings": exported.scale.e_sd},
        "bytes": figures,
        "endpoints": {name: _endpoint(name, one) for name, one in functions.items()},
    }


def _endpoint(name: str, function: tf.types.experimental.ConcreteFunction) -> dict[str, Any]:
    inputs = function.structured_input_signature[0] + tuple(
        function.structured_input_signature[1].values()
    )
    outputs = function.structured_outputs
    return {
        "summary": SUMMARY[name],
        "inputs": [_tensor(one.name, one) for one in inputs],
        "outputs": [_tensor(key, outputs[key]) for key in outputs],
    }


def _tensor(name: str, spec: tf.TensorSpec) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": spec.dtype.name,
        "shape": list(spec.shape),
        "meaning": MEANING[name],
    }


def text(facts: dict[str, Any]) -> str:
    """The card as Markdown."""
    return "\n".join([*_head(facts), *_layers(facts), *_endpoints(facts), ""])


def _head(facts: dict[str, Any]) -> list[str]:
    codes, settings = facts["codes"], facts["settings"]
    lines = [
        f"# {facts['name']}: sampler of inverse sets",
        "",
        "A SavedModel (folders named by version, as TF Serving wants them) that draws images which "
        "excite a neuron to a chosen range. It needs TensorFlow alone. `serving_default` is "
        "`sample`. `card.json` says the same for programs.",
        "",
        f"- Codes: {codes['size']} numbers, {codes['drawn']}; bounds {codes['bounds'] or 'none'}. "
        f"The first `rows` codes start the pool, the others replace rows that are finished; give "
        f"at least `rows` + `count`, better four times as many.",
        *_near(facts),
        f"- Images: {' x '.join(map(str, facts['image']))}, uint8.",
        f"- Method: {', '.join(f'{k} {v}' for k, v in settings.items())}.",
        f"- Weights: {facts['bytes']['weights']:,} bytes, stored once; all files "
        f"{facts['bytes']['files']:,} bytes.",
        f"- Made with {', '.join(f'{k} {v}' for k, v in facts['versions'].items())}.",
    ]
    return lines + [f"- From {name}, sha256 {value}." for name, value in facts["checksums"].items()]


def _near(facts: dict[str, Any]) -> list[str]:
    """What the card says of starts near natural codes, where the export has them."""
    if "draw" not in facts["endpoints"]:
        return []
    return [
        "- Begin near natural codes, which give truer images than others: ask `draw`, with a seed "
        "in place of codes and aims, or `starts` for codes and aims to give to `sample` and `step`."
        f" Natural codes take {facts['bytes']['deck']:,} bytes of the graph."
    ]


def _layers(facts: dict[str, Any]) -> list[str]:
    lines = ["", "## Layers", "", "| layer | name | shape | labels |", "|---|---|---|---|"]
    for one in facts["layers"]:
        labels = "; ".join((one["labels"] or [])[:10])
        labels += " ... (card.json)" if len(one["labels"] or []) > 10 else ""
        lines.append(f"| {one['layer']} | `{one['name']}` | {_shape(one['shape'])} | {labels} |")
    for one in facts["layers"]:
        lines += [
            f"- Unit {unit} of `{one['name']}` is its direction `{name}`."
            for unit, name in enumerate(one["directions"], one["shape"][-1])
        ]
    return lines


def _endpoints(facts: dict[str, Any]) -> list[str]:
    lines = ["", "## Endpoints"]
    for name, one in facts["endpoints"].items():
        lines += ["", f"### {name}: {one['summary']}", "", "| | name | type | shape | |"]
        lines.append("|---|---|---|---|---|")
        for way in ("inputs", "outputs"):
            for t in one[way]:
                shape = _shape(t["shape"])
                lines.append(
                    f"| {way[:-1]} | `{t['name']}` | {t['dtype']} | {shape} | {t['meaning']} |"
                )
    return lines


def _shape(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
