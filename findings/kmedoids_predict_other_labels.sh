#!/usr/bin/env bash
# KMedoids of the package kmedoids has scikit-learn's interface, and predict() has other labels than
# fit(): labels_ and fit_predict() number the clusters from 0 to k - 1, predict() gives for each sample
# the row that the cluster's medoid had in the data of fit(). The docstring names both a cluster's
# index. So no sample need agree with itself, cluster_centers_[predict(x)] raises IndexError or takes
# the centre of another cluster where a medoid's row is below k, and counts by cluster go wrong.
#
# Why: predict() ends with medoid_indices_[nearest]; labels_ is `nearest`.
# What helps: scikit-learn's pairwise_distances_argmin(x, model.cluster_centers_).
#
# Seen with kmedoids 0.5.5, scikit-learn 1.7.2, NumPy 2.3.5 and SciPy 1.15.3 on Python 3.11; two groups
# of 20 points each, far from each other:
#   labels_ are [0, 1], fit_predict's [0, 1], predict's of the same points [14, 32]
#   samples whose two labels agree: 0 of 40
#   the nearest of cluster_centers_ agrees with labels_: 40 of 40
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q kmedoids==0.5.5 scikit-learn==1.7.2 numpy==2.3.5 scipy==1.15.3
"$folder/venv/bin/python" - <<'PYTHON'
import kmedoids
import numpy as np
from sklearn.metrics import pairwise_distances_argmin

rng = np.random.default_rng(0)
x = np.concatenate([rng.standard_normal((20, 2)), rng.standard_normal((20, 2)) + 50])
group = np.repeat([0, 1], 20)


def made():
    return kmedoids.KMedoids(2, method="fasterpam", metric="euclidean", random_state=0)


def names(labels):
    return sorted({int(label) for label in labels})


model = made().fit(x)
fitted, again, predicted = model.labels_, made().fit_predict(x), model.predict(x)
print(f"labels_ are {names(fitted)}, fit_predict's {names(again)}, "
      f"predict's of the same points {names(predicted)}")
agree = int((fitted == predicted).sum())
nearest = int((pairwise_distances_argmin(x, model.cluster_centers_) == fitted).sum())
print(f"samples whose two labels agree: {agree} of {len(x)}")
print(f"the nearest of cluster_centers_ agrees with labels_: {nearest} of {len(x)}")
# The clusters are the two groups, by whichever names.
assert all(len(set(fitted[group == one])) == 1 for one in (0, 1)) and names(fitted) == [0, 1]
assert names(again) == [0, 1] and nearest == len(x), "what fit gives has changed"
assert names(predicted) == sorted(int(row) for row in model.medoid_indices_), "predict has changed"
assert agree == 0, "predict has changed"
PYTHON
