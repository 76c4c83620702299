"""DeePSiM's generators and CaffeNet as PyTorch's users build them, in words; for parity tests.

A word is NAME:KIND:OUT:KERNEL:STRIDE:PAD, KIND being L (linear), C (convolution), T (transposed);
a trailing "-" means that no leaky ReLU follows. Facts from public code (lucent's gan.py,
Neuro-ActMax-GAN-comparison's GAN_utils.py, XDream's net_torch); no code of ours is shared.
"""

from collections import OrderedDict

FROM_4 = (
    "deconv5:T:256:4:2:1 conv5_1:T:512:3:1:1 deconv4:T:256:4:2:1 conv4_1:T:256:3:1:1 "
    "deconv3:T:128:4:2:1 conv3_1:T:128:3:1:1 deconv2:T:64:4:2:1 deconv1:T:32:4:2:1 "
    "deconv0:T:3:4:2:1-"
)
FROM_13 = (
    "Rconv6:C:384:3:1:0 Rconv7:C:512:3:1:0 Rconv8:C:512:2:1:0 deconv5:T:256:4:2:1 "
    "conv5_1:T:256:3:1:1 deconv4:T:128:4:2:1 conv4_1:T:128:3:1:1 deconv3:T:128:4:2:1 "
    "conv3_1:T:128:3:1:1 deconv2:T:64:4:2:1 conv2_1:C:32:3:1:1 deconv1:T:16:4:2:1 "
    "conv1_1:C:3:3:1:1-"
)
FROM_NORM = (
    "Rconv7:C:128:3:1:1 Rconv8:C:128:3:1:1 deconv4:T:128:4:2:1 conv4_1:C:128:3:1:1 "
    "deconv3:T:64:4:2:1 conv3_1:C:64:3:1:1 deconv2:T:32:4:2:1 conv2_1:C:32:3:1:1 "
    "deconv1:T:16:4:2:1- conv1_1:C:3:3:1:1-"
)
DENSE = "defc7:L:4096 defc6:L:4096 defc5:L:4096 " + FROM_4
# Shape of the code in PyTorch's order, words, and whether the end is tanh times 255.
GENERATORS = {
    "fc6": ((4096,), DENSE, False),
    "fc6_eucl": ((4096,), DENSE, False),
    "fc7": ((4096,), DENSE, False),
    "fc8": ((1000,), DENSE, False),
    "pool5": (
        (256, 6, 6),
        "Rconv6:C:512:3:1:1 Rconv7:C:512:3:1:1 Rconv8:C:512:3:1:0 " + FROM_4,
        False,
    ),
    "conv4": ((384, 13, 13), FROM_13, True),
    "conv3": ((384, 13, 13), FROM_13, True),
    "norm2": ((256, 13, 13), "Rconv6:C:256:3:1:2 " + FROM_NORM, True),
    "norm1": ((96, 27, 27), "Rconv6:C:128:3:2:2 " + FROM_NORM, True),
}


# Codes that keep their size in narrower generators: layers of the classifier that stay whole.
WHOLE = ("fc8", "pool5")


def shapes(code, thin=1):
    """{tensor: shape} of a generator's state dict, all but its ends `thin` times narrower."""
    (inputs, *_), words, _ = GENERATORS[code]
    inputs //= 1 if code in WHOLE else thin
    found = OrderedDict()
    for word in words.split():
        name, kind, out, *rest = word.rstrip("-").split(":")
        out = int(out) // (1 if out == "3" else thin)
        if kind != "L" and name == "deconv5" and "defc5" in words:
            inputs = 256 // thin
        kernel = (int(rest[0]),) * 2 if rest else ()
        ends = (inputs, out) if kind == "T" else (out, inputs)
        found[f"{name}.weight"], found[f"{name}.bias"] = (*ends, *kernel), (out,)
        inputs = out
    return found


def generate(torch, code, weights, c):
    """The image of codes c, before channels are reversed and the mean is added.

    Args:
        torch: The package.
        code: Key of `GENERATORS`.
        weights: Tensors by name.
        c: [B, d] or [B, C, H, W].
    """
    _, words, bounded = GENERATORS[code]
    F = torch.nn.functional
    for word in words.split():
        name, kind, _, *rest = word.rstrip("-").split(":")
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if kind == "L":
            c = F.linear(c, w, b)
        else:
            _, stride, pad = map(int, rest)
            if c.ndim == 2:
                c = c.reshape(len(c), -1, 4, 4)
            convolve = F.conv_transpose2d if kind == "T" else F.conv2d
            c = convolve(c, w, b, stride=stride, padding=pad)
        c = c if word.endswith("-") else F.leaky_relu(c, 0.3)
    return torch.tanh(c) * 255 if bounded else c


CAFFENET = {"conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3)}
CAFFENET |= {"conv4": (384, 192, 3, 3), "conv5": (256, 192, 3, 3)}
CAFFENET |= {"fc6": (4096, 9216), "fc7": (4096, 4096), "fc8": (1000, 4096)}


def caffenet(torch, weights, x):
    """Logits of CaffeNet for x [B, 3, 227, 227], blue first, the mean taken off."""
    F = torch.nn.functional

    def layer(name, **options):
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.relu(F.conv2d(x, w, b, **options))

    for i in (1, 2):
        x = layer(f"conv{i}", **({"stride": 4} if i == 1 else {"padding": 2, "groups": 2}))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        x = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)
    x = layer("conv3", padding=1)
    x = layer("conv4", padding=1, groups=2)
    x = F.max_pool2d(layer("conv5", padding=1, groups=2), 3, 2, ceil_mode=True).flatten(1)
    for i in (6, 7):
        x = F.relu(F.linear(x, weights[f"fc{i}.weight"], weights[f"fc{i}.bias"]))
    return F.linear(x, weights["fc8.weight"], weights["fc8.bias"])


def random(shapes, seed=0):
    """Random weights by name and shape; activations keep their size from layer to layer."""
    import numpy as np

    rng, arrays = np.random.default_rng(seed), OrderedDict()
    for name, shape in shapes.items():
        spread = 0.1
        if len(shape) > 1:
            turned = name.startswith(("deconv", "conv5_1", "conv4_1", "conv3_1")) and shape[-1] == 4
            inputs = shape[0] * shape[2] * shape[3] / 4 if turned else np.prod(shape[1:])
            # What tanh follows is kept small: where it is flat, images would be nothing but ends.
            spread = np.sqrt(2 / inputs) * (0.1 if name.startswith("conv1_1") else 1)
        arrays[name] = np.float32(spread) * rng.standard_normal(shape, np.float32)
    return arrays
