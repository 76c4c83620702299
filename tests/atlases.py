"""Small atlases for tests: folders of archives of discs, with an index."""

import json

import specimen


def target(layer="fc8", unit=8, label="ship", z1=8.0, z2=10.0, at=None):
    text = f"{layer}:{unit}@{z1}:{z2}"
    names = ("text", "layer", "unit", "at", "label", "z1", "z2")
    return dict(zip(names, (text, layer, unit, at, label, z1, z2), strict=True))


def entry(of, archive=None, state="done", reason=None, rung=0, found=12):
    """The index's entry of a target."""
    told = {"archive": archive, "state": state, "reason": reason, "rung": rung, "levels": None}
    return of | told | {"asked": 12, "found": found, "steps": 3, "seconds": None, "vendi": None}


def index(folder, units):
    about = {"format": "tf_inverse atlas", "version": 1, "network": "discs", "layers": []}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "atlas.json").write_text(json.dumps(about | {"units": units}), encoding="utf-8")


def write(folder):
    """Two layers: a unit with a ladder, one of two facets, a partial one, a dead one.

    Unit fc8:9 is of the same kind as fc8:8, and fc6:3 of another.
    """
    ship, lower = target(), target(z1=4.0, z2=8.0)
    truck, both, dead = (
        target(unit=9, label="truck"),
        target("fc6", 3, None),
        target("fc6", 5, None),
    )
    for path in ("fc8", "fc6"):
        (folder / path).mkdir(parents=True)
    specimen.write(folder / "fc8/8.h5", 12, targets=[ship], groups=[12])
    specimen.write(folder / "fc8/8-2.h5", 12, targets=[lower], groups=[12], seed=1)
    specimen.write(folder / "fc8/9.h5", 12, targets=[truck], groups=[12], seed=2, asked=20)
    specimen.write(folder / "fc6/3.h5", 12, targets=[both], groups=[0, 8, 4], seed=3)
    units = [
        entry(ship, "fc8/8.h5") | {"levels": ["p99", "p99.8"]},
        entry(truck, "fc8/9.h5", "partial", "no sample for 300 steps"),
        entry(lower, "fc8/8-2.h5", rung=1),
        entry(both, "fc6/3.h5"),
        entry(dead, state="dead", reason="the same for all natural images", found=0),
    ]
    index(folder, units)
    return units
