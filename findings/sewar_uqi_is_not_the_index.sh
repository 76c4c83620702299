#!/usr/bin/env bash
# Two of the image metrics of the package sewar are not the ones that they are named after, and nothing
# tells:
#
# - uqi, the universal image quality index of Wang and Bovik (2002), is far too high. Two images of
#   independent noise have about 0 by definition and 0.74 by sewar, an image and its negative -0.99 and
#   0.48. So samples that have nothing in common look alike.
# - msssim of a colour image depends on the order of its channels, and is not the mean of its channels'
#   scores, as ssim of the same package is.
#
# Why: the index has N * sum(x y) - sum(x) * sum(y) over a window of N pixels, and _uqi_single puts
# the window's means (uniform_filter) in place of the sums, so that N - 1 parts of mean(x y) stay beside
# the covariance. msssim halves an image by uniform_filter(image, 2), which averages each channel with
# the one before it as well.
# What helps: scikit-image's structural_similarity with K1=K2=0, use_sample_covariance=False and
# win_size=7 is that index; give msssim one channel at a time and take the mean.
# Upstream: no report was found; a reader of the repository lanha/DSen2 (issue 11, 2019) met values
# higher than a paper's by it.
#
# Seen with sewar 0.4.10 (October 2026), NumPy 2.4.6 and SciPy 1.17.1 on Python 3.11:
#   uqi of noise and other noise: 0.737, by definition -0.009
#   uqi of noise and its negative: 0.483, by definition -0.990
#   uqi of noise and itself: 1.000, by definition 1.000
#   msssim of RGB 0.908, of BGR 0.767; the mean of its channels' 0.833
#   ssim of RGB 0.574, of BGR 0.574
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sewar==0.4.10 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import sewar
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("sewar", "numpy", "scipy")))


def defined(x, y, size=8):
    """Wang and Bovik's index: the mean over all windows of size x size pixels, in float64."""
    x, y = (sliding_window_view(image.astype("float64"), (size, size)).reshape(-1, size * size)
            for image in (x, y))
    mean_x, mean_y = x.mean(1), y.mean(1)
    both = ((x - mean_x[:, None]) * (y - mean_y[:, None])).mean(1)
    return np.mean(4 * both * mean_x * mean_y
                   / ((x.var(1) + y.var(1)) * (mean_x**2 + mean_y**2)))


rng = np.random.default_rng(0)
noise, other = rng.integers(0, 256, (2, 64, 64)).astype("uint8")
for name, image, off in (("other noise", other, 0.5), ("its negative", 255 - noise, 1),
                         ("itself", noise, 0)):
    found, expected = sewar.uqi(noise, image), defined(noise, image)
    print(f"uqi of noise and {name}: {found:.3f}, by definition {expected:.3f}")
    assert found - expected > off if off else abs(found - expected) < 1e-9, "uqi has changed"

photo = gaussian_filter(rng.random((192, 192, 3)), (2, 2, 0))
photo = (photo - photo.min()) / np.ptp(photo)
noisy = np.clip(photo + rng.normal(0, [0.02, 0.1, 0.3], photo.shape), 0, 1)
rgb, bgr = sewar.msssim(photo, noisy), sewar.msssim(photo[..., ::-1], noisy[..., ::-1])
mean = np.mean([sewar.msssim(photo[..., i], noisy[..., i]) for i in range(3)])
print(f"msssim of RGB {rgb:.3f}, of BGR {bgr:.3f}; the mean of its channels' {mean:.3f}")
assert rgb - mean > 0.05 < mean - bgr, "msssim has changed"
rgb, bgr = sewar.ssim(photo, noisy)[0], sewar.ssim(photo[..., ::-1], noisy[..., ::-1])[0]
print(f"ssim of RGB {rgb:.3f}, of BGR {bgr:.3f}")
assert abs(rgb - bgr) < 1e-12, "ssim has changed"
PYTHON
