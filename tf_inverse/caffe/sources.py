"""The public weight files: where they are, how large, under which licence, with which checksum.

A file that is published in several forms (Caffe's and PyTorch's), each at several homes, is one
source. DeePSiM's fc6 generator and PPGN's noiseless one have the same layers and shapes: their
names here, and where it is known their checksum, keep them apart.
"""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """A file that holds the weights.

    Attributes:
        file: Name in the cache.
        urls: Its homes, tried in order.
        checksum: (algorithm, hexadecimal digest), or None where none is published.
        size: Bytes, about; 0 where it is not known.
        member: End of the path inside an archive that holds the file; "" for a plain file. Then
            size and checksum are the archive's.
    """

    file: str
    urls: tuple[str, ...]
    checksum: tuple[str, str] | None = None
    size: int = 0
    member: str = ""


class Source(NamedTuple):
    """Public weights.

    Attributes:
        what: What they are, in a few words.
        licence: Shown before the download, the strictest of those that are named anywhere.
        forms: Files that hold them, the best first.
        network: (kind of `convert.NETWORKS`, codes of a generator or "") whose layers a file has,
            or None for a file of another sort.
    """

    what: str
    licence: str
    forms: tuple[Form, ...]
    network: tuple[str, str] | None = None


class Pair(NamedTuple):
    """A classifier and a generator that are one network to sample from, by name.

    Attributes:
        classifier: Key of `SOURCES`.
        generator: Key of `SOURCES`.
        code: Whose codes the generator takes: a key of `generator.ARCHITECTURES`.
        default: Targets of a run that names none, or None.
    """

    classifier: str
    generator: str
    code: str
    default: str | None = None


BVLC = "Released by BVLC for unrestricted use."
DEEPSIM = (
    "For research purposes only; commercial use requires the consent of the Computer Vision Group, "
    "University of Freiburg (DeePSiM, arXiv 1602.02644)."
)
PPGN = "PPGN's fc6 generator, after DeePSiM: for research purposes only."
PLACES = "Places205-CNN of MIT: see http://places.csail.mit.edu for its terms; cite its paper."

MB = 1_000_000
_HUB = "https://huggingface.co/binxu/DeePSim_DosovitskiyBrox2016/resolve/main/"
_DEEPSIM_URLS = (
    "https://lmb.informatik.uni-freiburg.de/resources/binaries/"
    "arxiv2016_alexnet_inversion_with_gans/release_deepsim_v0.zip",
    "http://s.anhnguyen.me/release_deepsim_v0.zip",
)
_BERKELEY = "dl.caffe.berkeleyvision.org/"

# sha256 of the PyTorch files as their pages give it, and megabytes.
_HUB_FILES = {
    "fc6": ("d92b0897c56bf8d8d082dc9ea9f0a806490d3da064a7929e4ff813fa95623875", 224),
    "fc6_eucl": ("068ee1ad67ce0a6c033bd4af704a01dbf8780f88ec919c526902b95a7f443179", 224),
    "fc7": ("b2c70c0ebfd060e13594556eb37d76c288a4c37431e3ec5307316758cf2b1ec2", 224),
    "fc8": ("b49d115d8252bdb2a20605e1491f380c3d6c4f1dd24113f2a9f6353069a40421", 174),
    "pool5": ("", 51),
    "conv4": ("6650b46fb82f3c6d4b1cdbd25a211ca45696be6f7e1a33f95fbc5790c46250df", 32),
    "conv3": ("c99f69897e4911df63fbb353904f0039faef5eec5af671d6249bb4fcf8be850f", 32),
    "norm2": ("02f595f8980224f4fddb25bb359e3988141b6868ecddbb73604cba90305fa469", 7),
    "norm1": ("c221ea2e0fd370dbd9942f13a606822269f34f176f841b1e89ee52c90c393d95", 4),
}
# What the authors' own release is known to hold.
_RELEASED = ("fc6", "fc7", "pool5")


def _hub(file: str, digest: str, megabytes: int) -> Form:
    return Form(file, (_HUB + file,), ("sha256", digest) if digest else None, megabytes * MB)


def _deepsim(code: str) -> Source:
    forms: tuple[Form, ...] = (_hub(f"upconvGAN_{code}.pt", *_HUB_FILES[code]),)
    if code in _RELEASED:
        member = f"{code}/generator.caffemodel"
        forms += (Form(f"deepsim_{code}.caffemodel", _DEEPSIM_URLS, member=member),)
    layer, _, variant = code.partition("_")
    kind = f", the variant {variant}" if variant else ""
    what = f"DeePSiM's generator of {layer} codes{kind}"
    return Source(what, DEEPSIM, forms, ("generator", code))


def _berkeley(file: str, sha1: str) -> Form:
    urls = (f"http://{_BERKELEY}{file}", f"https://{_BERKELEY}{file}")
    return Form(file, urls, ("sha1", sha1), 244 * MB)


SOURCES = {
    "caffenet": Source(
        "CaffeNet, the classifier",
        BVLC,
        (
            _berkeley(
                "bvlc_reference_caffenet.caffemodel", "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46"
            ),
            _hub("caffenet.pt", "", 244),
        ),
        ("caffenet", ""),
    ),
    "places205": Source(
        "Places205-CNN, the classifier of scenes",
        PLACES,
        (
            Form(
                "places205CNN_iter_300000.caffemodel",
                ("http://places.csail.mit.edu/model/placesCNN.tar.gz",),
                member="places205CNN_iter_300000.caffemodel",
            ),
        ),
        ("places205", ""),
    ),
    **{f"deepsim-{code}".replace("_", "-"): _deepsim(code) for code in _HUB_FILES},
    "ppgn-fc6": Source(
        "PPGN's noiseless generator of fc6 codes",
        PPGN,
        (
            Form(
                "generator.caffemodel",
                (
                    "http://s.anhnguyen.me/181007__generator.caffemodel",
                    "http://www.cs.uwyo.edu/~anguyen8/share/generator.caffemodel",
                ),
                size=224 * MB,
            ),
        ),
        ("generator", "fc6"),
    ),
    "alexnet": Source(
        "BVLC AlexNet, a classifier",
        BVLC,
        (_berkeley("bvlc_alexnet.caffemodel", "9116a64c0fbe4459d18f4bb6b56d647b63920377"),),
        ("alexnet", ""),
    ),
    "matconvnet": Source(
        "CaffeNet as MatConvNet imported it",
        "Imported by MatConvNet from BVLC's reference CaffeNet, which is free of restrictions.",
        (
            Form(
                "imagenet-caffe-ref.mat",
                (
                    "https://www.vlfeat.org/matconvnet/models/imagenet-caffe-ref.mat",
                    "http://www.vlfeat.org/matconvnet/models/imagenet-caffe-ref.mat",
                ),
                ("md5", "675dd47906d34f4d9a70fc44210d3804"),
            ),
        ),
    ),
    "mean": Source(
        "mean image of ILSVRC 2012",
        "Mean of the images of ILSVRC 2012, distributed with Caffe.",
        (
            Form(
                "imagenet_mean.binaryproto",
                ("http://dl.caffe.berkeleyvision.org/caffe_ilsvrc12.tar.gz",),
                member="imagenet_mean.binaryproto",
            ),
        ),
    ),
}

VOLCANO = "fc8:volcano@50:60"
PAIRS = {
    # The paper has PPGN's generator; DeePSiM's has a living home and a published checksum.
    "caffenet": Pair("caffenet", "deepsim-fc6", "fc6", VOLCANO),
    "caffenet-ppgn": Pair("caffenet", "ppgn-fc6", "fc6", VOLCANO),
    "places205": Pair("places205", "deepsim-fc6", "fc6"),
    "places205-ppgn": Pair("places205", "ppgn-fc6", "fc6"),
    **{
        f"caffenet-{code}".replace("_", "-"): Pair(
            "caffenet", f"deepsim-{code}".replace("_", "-"), code, VOLCANO
        )
        for code in _HUB_FILES
        if code != "fc6"
    },
}


def named(digest: str) -> str | None:
    """The source that has a file with this checksum, or None."""
    for name, source in SOURCES.items():
        if any(form.checksum and form.checksum[1] == digest for form in source.forms):
            return name
    return None
