"""Times the sampler at the paper's size, beside PyTorch, and how time and memory grow with n.

    python tools/dev/bench.py step      a gradient step of both networks, ours and PyTorch's
    python tools/dev/bench.py run       whole runs of both methods; the shipped pair by command line
    python tools/dev/bench.py layers    single layers, plain and in their quick forms
    python tools/dev/bench.py softmax   steps to probabilities beside those to the neurons' logits
    python tools/dev/bench.py scaling   n = 500 against 5,000; all n at once (eq. 15) against K = 10
    python tools/dev/bench.py atlas     an atlas beside a loop of the command and calls in turn

Weights are random, in the true shapes: times are those of the real files. What is compared runs in
processes of its own that take turns, and what counts are ratios within one run, for the speed of a
machine changes from minute to minute. PyTorch is measured where it is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json as json_module
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

from tf_inverse.tools import flags, quiet

from tf_inverse.errors import InverseSetError, UsageError

HERE = pathlib.Path(__file__).parent
# Multiply-adds of an image there, CaffeNet and generator; as many again for the gradient.
MULTIPLY_ADDS = 1.72e9
SIDE = 4096
PEERS = {
    "pytorch_float32": {"precision": "float32", "channels_last": False},
    "pytorch_float32_channels_last": {"precision": "float32", "channels_last": True},
    "pytorch_bf16": {"precision": "bfloat16", "channels_last": False},
    "pytorch_bf16_channels_last": {"precision": "bfloat16", "channels_last": True},
}
SHORT = {"bfloat16": "bf16", "float32": "float32"}


class Worker:
    """A process of bench_worker.py that does its work when it is told to."""

    def __init__(self, kind: str, **spec):
        text = json_module.dumps({"kind": kind} | spec)
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "bench_worker.py"), text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.told = self._read()
        self.seconds: list[float] = []

    def once(self) -> None:
        """Have it done once more; `told` and `seconds` have what came."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.told |= self._read()
        self.seconds.append(self.told["seconds"])

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            last = self.errors.read().strip().splitlines()[-1:]
            raise InverseSetError(f"a process of the bench ended: {' '.join(last)}")
        return json_module.loads(line)

    def __enter__(self):
        """Itself; the process ends with the block."""
        return self

    def __exit__(self, *_):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()

    @property
    def median(self) -> float:
        """Of the seconds so far."""
        return statistics.median(self.seconds)


def step(K: int = 10, repeats: int = 7, json: bool = False) -> None:
    """Times a gradient step of CaffeNet x fc6 generator: forward, gradient, update.

    Args:
        K: Codes at a time.
        repeats: Rounds; in each, every program takes two steps, of which the second counts. A step
            after a second of rest can take nearly twice as long, and those of a run have no rest.
        json: Print one JSON object instead of a table.
    """
    specs = {
        f"ours_{short}": ("step", {"precision": name, "K": K}) for name, short in SHORT.items()
    }
    specs |= {f"product_{short}": ("product", {"precision": n}) for n, short in SHORT.items()}
    if importlib.util.find_spec("torch"):
        specs |= {name: ("peer", options | {"K": K}) for name, options in PEERS.items()}
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(kind, **options))
            for name, (kind, options) in specs.items()
        }
        for _ in range(repeats):
            for worker in workers.values():
                worker.once()
                worker.seconds.pop()
                worker.once()
    rows = {
        f"{name}_seconds": worker.median
        for name, worker in workers.items()
        if not name.startswith("product")
    }
    figures = machine() | {"K": K, "repeats": repeats} | rows
    for name, short in SHORT.items():
        ours, peak = workers[f"ours_{short}"], 2 * SIDE**3 / workers[f"product_{short}"].median
        figures[f"first_step_{short}_seconds"] = ours.told["first"]
        figures[f"peak_{short}_gflops"] = peak / 1e9
        figures[f"step_{short}_share_of_peak"] = work(K) / ours.median / peak
        # bfloat16 has to beat whatever is best there; float32 what does the same arithmetic.
        peers = [
            worker
            for peer, worker in workers.items()
            if peer in PEERS and name in ("bfloat16", PEERS[peer]["precision"])
        ]
        if peers:
            best = min(peers, key=lambda worker: worker.median)
            pairs = zip(ours.seconds, best.seconds, strict=True)
            figures[f"step_{short}_ratio"] = statistics.median(a / b for a, b in pairs)
    tell(figures, json)


def run(n: int = 500, K: int | str = "auto", precision: str = "auto", json: bool = False) -> None:
    """Times whole runs: CaffeNet x fc6 generator by both methods, and the shipped pair's default.

    Args:
        n: Images of a run at the paper's size.
        K: Codes at a time; auto as of tf-inverse sample.
        precision: As of tf-inverse sample.
        json: Print one JSON object instead of a table.
    """
    figures = machine() | {"n": n}
    for method in ("renewal", "paper"):
        options = {"method": method, "n": n, "K": K, "precision": precision}
        with Worker("run", network="caffenet", **options) as worker:
            told = worker.told
        with Worker("product", precision=told["precision"]) as product:
            for _ in range(3):
                product.once()
        peak = 2 * SIDE**3 / product.median
        figures |= {f"{method}_{name}": value for name, value in told.items()}
        figures[f"{method}_images_per_second"] = told["found"] / told["first"]
        figures[f"{method}_share_of_peak"] = work(told["K"]) / told["seconds_per_step"] / peak
    with tempfile.TemporaryDirectory() as folder:
        figures["default_run_seconds"] = command(folder, "all.h5")
        figures["start_up_seconds"] = command(folder, "one.h5", "--n=1")
    tell(figures, json)


def layers(K: int = 10, repeats: int = 9, json: bool = False) -> None:
    """Times single layers, forward and gradient, as Keras has them and in their quick forms.

    Args:
        K: Codes at a time.
        repeats: Of each, in turns.
        json: Print one JSON object instead of a table.
    """
    quiet.start()
    import bench_layers

    tell(machine() | {"K": K} | bench_layers.measure(K, repeats), json)


def softmax(n: int = 50, json: bool = False) -> None:
    """Steps to samples of a softmax's units over those to samples of the same neurons' logits.

    Args:
        n: Samples of a run; there are some sixty runs.
        json: Print one JSON object instead of a table.
    """
    quiet.start()
    import bench_softmax

    tell(bench_softmax.measure(n), json)


def scaling(
    n: int = 500,
    times: int = 10,
    together: int = 500,
    network: str = "cifar10",
    K: int = 10,
    json: bool = False,
) -> None:
    """How cost and memory grow: with the number of images, and with all n at once (eq. 15).

    Args:
        n: Images of the smaller run.
        times: How many times as many the larger run draws.
        together: Codes at once of eq. 15, which is timed at the paper's size.
        network: Of the runs.
        K: Codes at a time; also eq. 15's chunk, so a divisor of half of `together`.
        json: Print one JSON object instead of a table.
    """
    told = {}
    for name, count in (("small", n), ("large", n * times)):
        with Worker("run", network=network, n=count, K=K) as worker:
            told[name] = worker.told
    small, large = told["small"], told["large"]
    figures = machine() | {f"{a}_{b}": v for a, row in told.items() for b, v in row.items()}
    figures["cost_ratio"] = (large["first"] / large["found"]) / (small["first"] / small["found"])
    figures["steps_ratio"] = (large["steps"] / large["found"]) / (small["steps"] / small["found"])
    figures["memory_ratio"] = large["peak_mb"] / small["peak_mb"]
    sizes = {"K": (K, None), "half": (together // 2, K), "all": (together, K)}
    for name, (codes, chunk) in sizes.items():
        with Worker("step", precision="float32", K=codes, chunk=chunk) as worker:
            worker.once()
            figures[f"eq15_{name}_seconds"], figures[f"eq15_{name}_peak_mb"] = (
                worker.median,
                worker.told["peak_mb"],
            )
    figures["eq15_memory_ratio"] = figures["eq15_all_peak_mb"] / figures["eq15_K_peak_mb"]
    figures["eq15_linear_ratio"] = figures["eq15_all_seconds"] / figures["eq15_half_seconds"] / 2
    tell(figures, json)


def atlas(
    n: int = 50,
    neurons: int = 30,
    network: str = "cifar10",
    layers: str = "fc8,fc6,conv3_2",
    precision: str = "auto",
    json: bool = False,
) -> None:
    """Times an atlas beside a loop of `sample` and calls of `draw`, and looks at its memory.

    Args:
        n: Samples of each neuron.
        neurons: How many, as many of each layer.
        network: A name or a folder.
        layers: Of the neurons.
        precision: Of all three; auto is what the command takes where nobody names one.
        json: Print one JSON object instead of a table.
    """
    import bench_atlas

    told = bench_atlas.measure(n, neurons, network, tuple(layers.split(",")), precision)
    tell(machine() | told, json)


def work(K: int) -> float:
    """Floating-point operations of a step: a multiply-add is two, there and back."""
    return 4 * MULTIPLY_ADDS * K


def command(folder: str, out: str, *arguments: str) -> float:
    """Seconds of tf-inverse sample as a user runs it, start-up included."""
    began = time.perf_counter()
    call = [sys.executable, "-m", "tf_inverse.tools.cli", "sample", out, *arguments]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise InverseSetError(f"tf-inverse sample ended: {done.stderr.strip()[-400:]}")
    return time.perf_counter() - began


def machine() -> dict:
    """The processor, and which of its instructions matter."""
    text = pathlib.Path("/proc/cpuinfo")
    lines = text.read_text().splitlines() if text.exists() else []
    named = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {name.strip(): value.strip() for name, value in named.items()}
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    there = named.get("flags", "").split()
    return {
        "processor": named.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "instructions": " ".join(name for name in known if name in there),
    }


def tell(figures: dict, as_json: bool) -> None:
    """Print the figures, one a line or as one object."""
    if as_json:
        print(json_module.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<46}{value:.3g}" if isinstance(value, float) else f"{name:<46}{value}")


COMMANDS = {"step": step, "run": run, "scaling": scaling, "layers": layers, "softmax": softmax}
COMMANDS["atlas"] = atlas


def main() -> None:
    """Run a command of the bench with the flags given."""
    import fire

    name, *arguments = sys.argv[1:] or ["--help"]
    try:
        if name not in COMMANDS:
            print(__doc__)
            sys.exit(0 if name in ("--help", "-h") else UsageError.exit_code)
        if "--help" not in arguments:
            arguments = flags.check(name, COMMANDS[name], arguments)
        flags.typed(fire, COMMANDS[name])
        fire.Fire({name: COMMANDS[name]}, [name, *arguments], "bench.py")
    except InverseSetError as error:
        print(f"bench.py: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
