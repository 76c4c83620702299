"""tf-inverse sample: the main job."""

from __future__ import annotations


def sample(
    out: str = "samples.h5",
    network: str = "cifar10",
    targets: str | None = None,
    n: int = 200,
    K: int | str = 10,
    seed: int = 0,
    method: str = "renewal",
    samples_per_seed: int = 1,
    bound: str = "both",
    beta: float | None = None,
    mu0: float = 10.0,
    a: float = 10.0,
    diversity: float | None = None,
    patience: int | None = None,
    optimizer: str | None = None,
    precision: str = "auto",
    distance: str = "encodings",
    chunk: int | None = None,
    store: str = "images",
    volume: bool = False,
    device: str = "auto",
    xla: bool | None = None,
    tensorboard: str | None = None,
    profile: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Draws images that excite a neuron to a chosen range, into an archive and a contact sheet.

    Examples:
        tf-inverse sample truck.h5 --targets="fc8:truck@p99:p99.8" --n=100
        tf-inverse sample both.h5 --targets="fc8:ship@p90:p99, fc8:airplane@p90:p99" --n=50

    Args:
        out: Archive to write; the contact sheet stands beside it as a PNG.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: LAYER:UNIT@Z1:Z2, several of them separated by commas for their intersection; left
            out, the first label at its high natural range.
        n: Images to draw.
        K: Codes at a time, or auto for what pays and fits in the device's memory.
        seed: Of all random numbers.
        method: renewal, paper (section 3.4's seeds and walk), or langevin (rows with a law: the
            codes' own, conditioned on the range).
        samples_per_seed: Images a row of the pool gives before it starts again.
        bound: both ends of the range, or paper (the lower one alone).
        beta: Step in standard deviations of codes; a default for each method and size of codes.
        mu0: First penalty weight.
        a: Factor of the penalty weight after a round of the paper's method.
        diversity: Weight of the diversity terms; a default for each method.
        patience: Steps (paper: rounds) after which a search is given up; likewise.
        optimizer: Name of a Keras optimizer in place of the normalised gradient step, as adam.
        precision: Of the search, float32, bfloat16, float16, or auto for what suits the machine;
            what is stored is decided in float32.
        distance: What is kept apart: encodings (eq. 5), images (eqs. 3-4), codes (eq. 13), none
            (eq. 14).
        chunk: Codes in memory at a time, a divisor of K; with K = n, eq. 15 for any n.
        store: images, or codes (with thumbnails; a tenth of the size).
        volume: Tell how probable the range is, too: about one in how many images.
        device: auto, cpu, gpu, or gpu:1 and the like; auto is the first GPU where there is one.
        xla: Compile the loop with XLA; left out, on a GPU only.
        tensorboard: Folder for live curves of the run; needs the extra [tensorboard].
        profile: Folder for a trace of some steps, for TensorBoard; the end tells of peak memory,
            of tracing and compiling, and of a step.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an archive that exists.
        json: Print one JSON object instead of a table.
    """
    from tf_inverse.run import job

    return job.sample(
        out,
        network,
        targets,
        dict(
            n=n,
            K=K,
            seed=seed,
            method=method,
            samples_per_seed=samples_per_seed,
            bound=bound,
            beta=beta,
            mu0=mu0,
            a=a,
            diversity=diversity,
            patience=patience,
            optimizer=optimizer,
            precision=precision,
            distance=distance,
            chunk=chunk,
        ),
        store=store,
        volume=volume,
        how={"name": device, "xla": xla},
        tensorboard=tensorboard,
        profile=profile,
        trust=trust,
        overwrite=overwrite,
        as_json=json,
    )
