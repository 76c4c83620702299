"""tf-inverse units: layers of a network, and what is natural for their units."""


def units(
    network: str = "cifar10",
    layer: str | None = None,
    search: str | None = None,
    images: str | None = None,
    trust: bool = False,
) -> None:
    """Lists layers or, for one layer, its units with their labels and natural activations.

    Ranges of targets may be written in these terms: fc8:ship@p95:p99, fc8:ship@+2sd:+4sd.

    Examples:
        tf-inverse units
        tf-inverse units --layer=fc8 --search=ship

    Args:
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        layer: Layer whose units to list; the labelled one where only --search is given.
        search: List the units whose label contains this.
        images: Folder, .h5 or .npz of images to measure on, in place of the stored statistics.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
    """
    from tf_inverse.caffe import published
    from tf_inverse.networks import repeats, unit_statistics
    from tf_inverse.report import tables

    networks = published.load(network, trust)
    layer = unit_statistics.asked_layer(networks, layer, search)
    if layer is None:
        print(tables.layers(unit_statistics.layers(networks)))
        return
    repeats.expect_layers(networks, (layer,))
    chosen = unit_statistics.found(networks, layer, search)
    natural = unit_statistics.natural(networks, layer, images)
    random = unit_statistics.measure(
        networks, layer, unit_statistics.random_images(networks), "random codes"
    )
    of = f"over {natural.images}" if natural else "no natural statistics"
    print(f"{layer} of {networks.name}: {of}; random: over images of random codes")
    print(tables.units(chosen, unit_statistics.labels(networks, layer), natural, random))
