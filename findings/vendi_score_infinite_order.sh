#!/usr/bin/env bash
# The package vendi-score 0.0.3 documents its order q as a number, and takes infinity as a text alone:
# score_K(K, q="inf") is the score of that order, score_K(K, q=float("inf")) is not a number, after a
# warning about a division. Whoever loops over orders as NumPy has them (np.inf) gets nan, or, where
# nans are skipped in a mean, a figure without that order. score_X, the quick form for a few features,
# takes q as well and leaves it unused: every order gives the score of order 1.
#
# Seen with vendi-score 0.0.3, NumPy 2.4.6 and SciPy 1.17.1 on Python 3.11. The closed form for two
# samples of similarity s: the eigenvalues are (1 + s) / 2 and (1 - s) / 2; order infinity is one over
# the larger of them, order 2 one over the sum of their squares.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vendi-score==0.0.3" "numpy==2.4.6" "scipy==1.17.1"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import numpy as np
from vendi_score import vendi

s = 0.5
K = np.array([[1.0, s], [s, 1.0]])
large, small = (1 + s) / 2, (1 - s) / 2
text, number = vendi.score_K(K, q="inf"), vendi.score_K(K, q=float("inf"))
print(f"score_K of order infinity: {text:.4f} as a text, {number} as a number; 1/{large} is {1/large:.4f}")
X = np.array([[1.0, 0.0], [s, math.sqrt(1 - s * s)]])
first, second = vendi.score_X(X, q=1), vendi.score_X(X, q=2)
print(f"score_X of orders 1 and 2: {first:.4f}, {second:.4f}; "
      f"order 2 is {1 / (large**2 + small**2):.4f}, as score_K says: {vendi.score_K(K, q=2):.4f}")
assert abs(text - 1 / large) < 1e-9 and math.isnan(number), "order infinity has changed"
assert first == second != vendi.score_K(K, q=2), "score_X of other orders has changed"
PYTHON
