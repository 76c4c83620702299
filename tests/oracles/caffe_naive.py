"""Caffe's layers as loops over (C, H, W) in float64, written from their definition."""

import math

import numpy as np


def convolution(x, weights, bias, stride, pad, dilation, groups):
    """Sum over the window of each output pixel; weights (O, I/g, kh, kw), pad (top, left)."""
    filters, _, kh, kw = weights.shape
    channels, height, width = x.shape
    rows = (height + 2 * pad[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (width + 2 * pad[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((filters, rows, columns))
    ins, outs = channels // groups, filters // groups
    for o, r, c in np.ndindex(y.shape):
        for i, a, b in np.ndindex(ins, kh, kw):
            h = r * stride[0] - pad[0] + a * dilation[0]
            w = c * stride[1] - pad[1] + b * dilation[1]
            if 0 <= h < height and 0 <= w < width:
                y[o, r, c] += weights[o, i, a, b] * x[o // outs * ins + i, h, w]
        y[o, r, c] += bias[o]
    return y


def deconvolution(x, weights, bias, stride, pad, groups):
    """Each input pixel spreads its kernel; weights (I, O/g, kh, kw), pad (top, left)."""
    channels, outs, kh, kw = weights.shape
    height = stride[0] * (x.shape[1] - 1) + kh - 2 * pad[0]
    width = stride[1] * (x.shape[2] - 1) + kw - 2 * pad[1]
    y = np.zeros((outs * groups, height, width)) + np.asarray(bias)[:, None, None]
    ins = channels // groups
    for i, r, c in np.ndindex(x.shape):
        for o, a, b in np.ndindex(outs, kh, kw):
            h, w = r * stride[0] + a - pad[0], c * stride[1] + b - pad[1]
            if 0 <= h < height and 0 <= w < width:
                y[i // ins * outs + o, h, w] += x[i, r, c] * weights[i, o, a, b]
    return y


def pooling(x, mode, kernel, stride, pad, rounded=math.ceil):
    """Rounded up; the average divides by the window's part of the padded input."""
    sizes = []
    for n, k, s, p in zip(x.shape[1:], kernel, stride, pad, strict=True):
        count = rounded((n + 2 * p - k) / s) + 1
        if p and (count - 1) * s >= n + p:
            count -= 1
        sizes.append(count)
    y = np.zeros((x.shape[0], *sizes))
    for channel, r, c in np.ndindex(y.shape):
        top, left = r * stride[0] - pad[0], c * stride[1] - pad[1]
        bottom = min(top + kernel[0], x.shape[1] + pad[0])
        right = min(left + kernel[1], x.shape[2] + pad[1])
        area = (bottom - top) * (right - left)
        part = x[channel, max(top, 0) : min(bottom, x.shape[1]), max(left, 0) : right]
        y[channel, r, c] = part.max() if mode == "max" else part.sum() / area
    return y


def lrn_across(x, size, alpha, beta, k):
    """Squares summed over `size` channels around each."""
    y = np.empty_like(x)
    for c in range(len(x)):
        low, high = max(0, c - size // 2), min(len(x), c + size // 2 + 1)
        y[c] = x[c] / (k + alpha / size * (x[low:high] ** 2).sum(0)) ** beta
    return y


def lrn_within(x, size, alpha, beta):
    """Squares averaged over a window of pixels, the border counted as zeros."""
    half = (size - 1) // 2
    mean = pooling(x**2, "average", (size, size), (1, 1), (half, half))
    return x * (1 + alpha * mean) ** -beta


def interpolation(x, height, width):
    """Each pixel between four others; the first and last of a side stay where they are."""
    y = np.zeros((x.shape[0], height, width))
    for channel, r, c in np.ndindex(y.shape):
        v = r * (x.shape[1] - 1) / (height - 1) if height > 1 else 0.0
        h = c * (x.shape[2] - 1) / (width - 1) if width > 1 else 0.0
        for i in {math.floor(v), math.ceil(v)}:
            for j in {math.floor(h), math.ceil(h)}:
                y[channel, r, c] += x[channel, i, j] * (1 - abs(v - i)) * (1 - abs(h - j))
    return y


def permuted(x, order):
    """Axis i of the result is axis order[i] of x; both have the batch first."""
    y = np.zeros([x.shape[axis] for axis in order])
    for place in np.ndindex(x.shape):
        y[tuple(place[axis] for axis in order)] = x[place]
    return y


def bilinear(side):
    """Caffe's BilinearFiller, number by number."""
    kernel, half = np.zeros((side, side)), math.ceil(side / 2.0)
    centre = (side - 1) / (2.0 * half)
    for y, x in np.ndindex(side, side):
        kernel[y, x] = (1 - abs(x / half - centre)) * (1 - abs(y / half - centre))
    return kernel
