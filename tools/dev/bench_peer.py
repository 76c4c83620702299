"""The step of tools/dev/bench.py in PyTorch, as one would write it there: the peer to measure by.

CaffeNet and the fc6 generator in the shapes of their files, with PyTorch's own layers and random
weights; the gradient goes to the codes alone. PyTorch is no dependency: only the bench imports it.
"""

from __future__ import annotations

import contextlib

import torch
from torch import nn
from torch.nn.functional import leaky_relu, max_pool2d, relu

# Input and output channels, kernel and stride of the transposed convolutions; padding is 1.
UP = (
    (256, 256, 4, 2),
    (256, 512, 3, 1),
    (512, 256, 4, 2),
    (256, 256, 3, 1),
    (256, 128, 4, 2),
    (128, 128, 3, 1),
    (128, 64, 4, 2),
    (64, 32, 4, 2),
    (32, 3, 4, 2),
)
MEAN = (104.0, 117.0, 123.0)
UNIT, LOW, HIGH = 980, 50.0, 60.0


class Generator(nn.Module):
    """Codes [K, 4096] -> images [K, 3, 256, 256]."""

    def __init__(self):
        super().__init__()
        self.dense = nn.ModuleList(nn.Linear(4096, 4096) for _ in range(3))
        self.up = nn.ModuleList(nn.ConvTranspose2d(*one, padding=1) for one in UP)

    def forward(self, c):
        """Images of codes c."""
        for layer in self.dense:
            c = leaky_relu(layer(c), 0.3)
        h = c.view(-1, 256, 4, 4)
        for layer in self.up[:-1]:
            h = leaky_relu(layer(h), 0.3)
        return self.up[-1](h)


class CaffeNet(nn.Module):
    """Images [K, 3, 227, 227] -> encodings [K, 4096] and activations [K, 1000]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, 4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6, self.fc7 = nn.Linear(9216, 4096), nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 1000)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    def forward(self, x):
        """Encodings and activations of images x."""
        h = self.norm(max_pool2d(relu(self.conv1(x)), 3, 2))
        h = self.norm(max_pool2d(relu(self.conv2(h)), 3, 2))
        h = relu(self.conv4(relu(self.conv3(h))))
        h = max_pool2d(relu(self.conv5(h)), 3, 2)
        e = relu(self.fc6(h.flatten(1)))
        return e, self.fc8(relu(self.fc7(e)))


def networks(seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """Classifier and generator with random weights, in that order."""
    torch.manual_seed(seed)
    return CaffeNet(), Generator()


def step(classifier, generator, precision, channels_last, K, seed=0, compiled=False):
    """A function that takes one step from codes that it keeps.

    Args:
        classifier: From `networks`.
        generator: Likewise.
        precision: "float32", or "bfloat16" by autocast.
        channels_last: Whether images and kernels have their channels last in memory.
        K: Codes.
        seed: Of the first codes.
        compiled: By torch.compile.
    """
    for model in (classifier, generator):
        model.requires_grad_(False).eval()
        if channels_last:
            model.to(memory_format=torch.channels_last)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    codes = [torch.randn((K, 4096), generator=torch.Generator().manual_seed(seed))]
    cast = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else None

    def look(c):
        x = (generator(c) + mean)[:, :, 14:241, 14:241].float()
        x = x + (x.clamp(0.0, 255.0).round() - x).detach()
        return classifier(x - mean)

    if compiled:
        look = torch.compile(look)

    def go():
        c = codes[0].detach().requires_grad_()
        with cast or contextlib.nullcontext():
            e, z = look(c)
        e, z = e.float(), z[:, UNIT].float()
        diversity = 2 * K * e.square().sum() - 2 * e.sum(0).square().sum()
        short = relu(LOW - z).square().sum() + relu(z - HIGH).square().sum()
        (g,) = torch.autograd.grad(10 * short - diversity / e.shape[1], c)
        codes[0] = (c - 0.1 * g / g.abs().mean(1, keepdim=True)).detach()

    return go
