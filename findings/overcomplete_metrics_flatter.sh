#!/usr/bin/env bash
# Four metrics of overcomplete, the package for sparse autoencoders of vision networks, are not what their
# docstrings tell, without a word:
#
# - r2_score is said to be 0 where a reconstruction is as good as the mean. It is that only where all features
#   have the same mean. Where their means spread as their values do it tells 0.49 of the mean alone, where
#   they spread ten times as far 0.99, of a reconstruction that tells one image from no other.
# - codes_correlation_matrix depends on the codes' unit: of two codes of which one is twice the other it
#   tells 0.66 where their deviations are 0.001 and 0.002, and 0.02 at a tenth of that. It is 1.
# - kappa_4, a measure of sparsity that no scale changes (Hurley and Rickard 2009), tells 1e-6 of the
#   sparsest codes there are where their value is 0.001. It is 1.
# - energy_of_codes is said to be a squared norm and is its root, so that energies do not add up.
#
# Why: the mean is that of all numbers in place of each feature's; 1e-6 is added to denominators that are
# variances or fourth powers, whatever their size.
# What helps: r2_score(x - x.mean(0), x_hat - x.mean(0)), scikit-learn's r2_score with
# multioutput="variance_weighted", or NumPy's corrcoef; codes divided by their largest; a square.
# With matplotlib 3.11, which pip takes by itself, the package does not import (plt.cm.get_cmap is gone).
# Upstream: no report of the four was found.
#
# Seen with overcomplete 0.3.0, torch 2.13.0, scikit-learn 1.9.1, NumPy 2.4.6 and matplotlib 3.10.8
# on Python 3.11:
#   r2_score of the mean, features' means spread by 0: 0.00, scikit-learn's 0.00, centred first 0.00
#   r2_score of the mean, features' means spread by 1: 0.49, scikit-learn's 0.00, centred first 0.00
#   r2_score of the mean, features' means spread by 10: 0.99, scikit-learn's 0.00, centred first 0.00
#   correlation of codes with deviations 1 and 2: 1.00, NumPy's 1.00
#   correlation of codes with deviations 0.001 and 0.002: 0.66, NumPy's 1.00
#   correlation of codes with deviations 0.0001 and 0.0002: 0.02, NumPy's 1.00
#   kappa_4 of one code of 1 among zeros: 1, by definition 1
#   kappa_4 of one code of 0.01 among zeros: 0.0099, by definition 1
#   kappa_4 of one code of 0.001 among zeros: 1e-06, by definition 1
#   energy_of_codes of 3 times an atom of length 4: 12, by its docstring 144
#
# On Linux pip takes torch's build for GPUs, some gigabytes; a build of 2.13.0 for CPUs serves as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q overcomplete==0.3.0 torch==2.13.0 torchvision==0.28.0 \
    scikit-learn==1.9.1 numpy==2.4.6 matplotlib==3.10.8
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # Its build for GPUs beside torch's for CPUs lacks these two operators, which nothing here calls.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from overcomplete import metrics
from sklearn.metrics import r2_score

print(*(f"{name} {importlib.metadata.version(name)}" for name in
        ("overcomplete", "torch", "scikit-learn", "numpy", "matplotlib")))
rng = np.random.default_rng(0)

for spread, told in ((0, 0.0), (1, 0.49), (10, 0.99)):
    x = rng.normal(size=(1000, 64)) + rng.normal(size=64) * spread
    mean = np.broadcast_to(x.mean(0), x.shape).copy()
    found = metrics.r2_score(torch.tensor(x), torch.tensor(mean)).item()
    expected = r2_score(x, mean, multioutput="variance_weighted")
    centred = metrics.r2_score(torch.tensor(x - mean), torch.tensor(mean - mean)).item()
    print(f"r2_score of the mean, features' means spread by {spread}: {found:.2f}, "
          f"scikit-learn's {abs(expected):.2f}, centred first {abs(centred):.2f}")
    assert abs(found - told) < 0.03 and abs(expected) < 1e-9 and abs(centred) < 1e-4, \
        "r2_score has changed"

z = rng.normal(size=1000)
for scale, told in ((1, 1.0), (1e-3, 0.66), (1e-4, 0.02)):
    codes = np.stack([z, 2 * z], 1) * scale
    found, _ = metrics.codes_correlation_matrix(torch.tensor(codes))
    expected = np.corrcoef(codes.T)[0, 1]
    print(f"correlation of codes with deviations {scale:g} and {2 * scale:g}: {found:.2f}, "
          f"NumPy's {expected:.2f}")
    assert abs(found - told) < 0.02 and expected > 0.999, "codes_correlation_matrix has changed"

for scale, told in ((1, 1.0), (1e-2, 1e-2), (1e-3, 1e-6)):
    code = np.array([[scale, 0.0, 0.0, 0.0]])
    found = metrics.kappa_4(torch.tensor(code)).item()
    expected = ((code**4).sum() / (code**2).sum() ** 2).item()
    print(f"kappa_4 of one code of {scale:g} among zeros: {found:.2g}, by definition {expected:.2g}")
    assert abs(found / told - 1) < 0.02 and abs(expected - 1) < 1e-9, "kappa_4 has changed"

codes, dictionary = torch.full((10, 1), 3.0), torch.tensor([[0.0, 4.0]])
found = metrics.energy_of_codes(codes, dictionary).item()
print(f"energy_of_codes of 3 times an atom of length 4: {found:.0f}, by its docstring {(3 * 4) ** 2}")
assert abs(found - 12) < 1e-4, "energy_of_codes has changed"
PYTHON
