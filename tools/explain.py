"""tf-inverse explain: which parts of each image drive the neuron."""

import sys


def explain(
    archive: str,
    methods: str = "integrated_gradients,smoothgrad,occlusion",
    baseline: str = "grey",
    network: str | None = None,
    seed: int = 0,
    trust: bool = False,
) -> int:
    """Computes attribution maps of every image, into the file beside the archive.

    The report then shows them as overlays, and `tf-inverse sheet --maps=METHOD` as rows. Ctrl-C
    keeps what is done; the same command goes on.

    Examples:
        tf-inverse explain truck.h5
        tf-inverse explain both.h5 --methods=occlusion --baseline=black

    Args:
        archive: A finished archive, A.h5.
        methods: Methods, with commas between them.
        baseline: What stands for nothing: grey, black or white.
        network: The network it was drawn with, a shipped name or a folder; found again where it was
            by default.
        seed: Of SmoothGrad's noise.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
    """
    from tf_inverse import archive as archives

    opened = archives.open(archive)

    from tf_inverse.compute.progress import Counted
    from tf_inverse.explain import maps
    from tf_inverse.networks import storage
    from tf_inverse.run import origin, signals, verify

    networks = storage.load(origin.find(opened, network), trust)
    opened = opened.rendered(lambda codes: verify.render(networks, codes))
    neurons = verify.bands(opened, networks).neurons
    names = [name.strip() for name in methods.split(",") if name.strip()]
    say = lambda text: print(text, file=sys.stderr)  # noqa: E731
    with Counted("images") as progress, signals.deferred(say) as stop:
        found = maps.explain(
            opened, networks, neurons, names, baseline, seed, lambda: bool(stop), progress.show
        )
    print(f"{found.path}: maps of {found.done} of {found.samples} images")
    if found.residual is not None:
        share = f"{100 * found.residual:.2g} %"
        print(f"integrated gradients sum to f(image) - f(baseline) within {share}")
    if found.incomplete:
        print(f"{found.incomplete} of the sums are off by more than 1 %", file=sys.stderr)
    return stop.exit_code
