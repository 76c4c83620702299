"""tf-inverse experiment: the paper's table and figures on any pair, with the rivals beside."""

from __future__ import annotations


def experiment(
    name: str,
    out: str | None = None,
    network: str = "cifar10",
    targets: str | None = None,
    neurons: int | None = None,
    n: int = 100,
    K: int = 10,
    seed: int = 0,
    method: str = "renewal",
    beta: float | None = None,
    diversity: float | None = None,
    patience: int | None = None,
    judge: str | None = None,
    precision: str = "auto",
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Runs one of the paper's experiments and writes archives, a sheet and a page.

    Experiments: table1 and figure2, beside PPGN and other rivals; figure1, ranges; figure3, a
    hidden unit; figure4, figure5, intersections; figure6, another classifier; figure7, distances
    between codes; figure8, no diversity; figure9, the fast scheme; size, the time of the paper's
    networks.

    Stopped, the same command goes on after the last of its runs that ended.

    Examples:
        tf-inverse experiment table1 --network=caffenet
        tf-inverse experiment figure1 --n=50 --out=ranges

    Args:
        name: table1, figure1 to figure9, or size.
        out: Folder for archives and pages; named after the experiment by default.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: LAYER:UNIT@Z1:Z2, several separated by commas, in place of the recipe's neurons.
        neurons: Most neurons of the recipe; of named targets, all by default.
        n: Images of each run (the paper: 500).
        K: Codes at a time.
        seed: Of all random numbers.
        method: Of our runs where the recipe leaves it open, renewal or paper.
        beta: Step of our runs, as of `sample`; the method's own by default.
        diversity: Weight of diversity in our runs; the method's own by default.
        patience: Of our runs, as of `sample`; the method's own by default.
        judge: Another classifier of the same classes, a .keras file, to judge the images.
        precision: Of the search: float32, bfloat16, float16, auto.
        trust: Load a SavedModel in the network or the judge, where it is not one that you adopted.
        overwrite: Replace an earlier outcome in the folder.
        json: Print the outcome as JSON.
    """
    from tf_inverse.experiments import command

    options = dict(targets=targets, neurons=neurons, n=n, K=K, seed=seed, method=method)
    options |= dict(beta=beta, diversity=diversity, patience=patience)
    return command.run(name, out, network, judge, precision, overwrite, json, trust, **options)
