"""The types of what is known of a layer before anything is built; see `layer_types`."""

from __future__ import annotations

from typing import Any, TypeAlias

BlobShape: TypeAlias = tuple[int, ...]
"""Sides of a blob in Caffe's order without the batch, (C, H, W) or (N,); of weights, all sides."""

Options: TypeAlias = dict[str, Any]
"""The settings of one layer by name, complete: where its file is silent, Caffe's defaults."""

Needs: TypeAlias = dict[str, tuple[str, tuple[BlobShape, ...]]]
"""What a network needs of a weight file: (type, shapes of its blobs) of each layer, by name."""

Inferred: TypeAlias = tuple[list[BlobShape], list[BlobShape]]
"""(shapes of the tops, shapes of the blobs that hold the layer's weights)."""
