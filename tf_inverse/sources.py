"""Where the public weight files are, with their licences and published checksums."""

from typing import NamedTuple


class Source(NamedTuple):
    """A public file.

    Attributes:
        urls: Mirrors, tried in order.
        file: Name in the cache.
        checksum: (algorithm, hexadecimal digest), or None where none is published.
        licence: Shown before the download.
        member: End of the path inside an archive that holds the file; "" for a plain file.
    """

    urls: tuple[str, ...]
    file: str
    checksum: tuple[str, str] | None
    licence: str
    member: str = ""


_BVLC = "Released by BVLC for unrestricted use."
_DEEPSIM = "DeePSiM generators: for research purposes only; commercial use requires consent."
_DEEPSIM_URLS = (
    "https://lmb.informatik.uni-freiburg.de/resources/binaries/"
    "arxiv2016_alexnet_inversion_with_gans/release_deepsim_v0.zip",
    "http://s.anhnguyen.me/release_deepsim_v0.zip",
)

SOURCES = {
    "caffenet": Source(
        (
            "http://dl.caffe.berkeleyvision.org/bvlc_reference_caffenet.caffemodel",
            "https://dl.caffe.berkeleyvision.org/bvlc_reference_caffenet.caffemodel",
        ),
        "bvlc_reference_caffenet.caffemodel",
        ("sha1", "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46"),
        _BVLC,
    ),
    "alexnet": Source(
        (
            "http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
            "https://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
        ),
        "bvlc_alexnet.caffemodel",
        ("sha1", "9116a64c0fbe4459d18f4bb6b56d647b63920377"),
        _BVLC,
    ),
    "generator": Source(
        (
            "http://s.anhnguyen.me/181007__generator.caffemodel",
            "http://www.cs.uwyo.edu/~anguyen8/share/generator.caffemodel",
        ),
        "generator.caffemodel",
        None,
        "PPGN's fc6 generator, after DeePSiM: for research purposes only.",
    ),
    "generator-fc6": Source(
        _DEEPSIM_URLS, "deepsim_fc6.caffemodel", None, _DEEPSIM, "fc6/generator.caffemodel"
    ),
    "generator-fc7": Source(
        _DEEPSIM_URLS, "deepsim_fc7.caffemodel", None, _DEEPSIM, "fc7/generator.caffemodel"
    ),
    "generator-pool5": Source(
        _DEEPSIM_URLS, "deepsim_pool5.caffemodel", None, _DEEPSIM, "pool5/generator.caffemodel"
    ),
    "places205": Source(
        ("http://places.csail.mit.edu/model/placesCNN.tar.gz",),
        "places205CNN_iter_300000.caffemodel",
        None,
        "Places205-CNN of MIT: see http://places.csail.mit.edu for its terms; cite its paper.",
        "places205CNN_iter_300000.caffemodel",
    ),
    "matconvnet": Source(
        (
            "https://www.vlfeat.org/matconvnet/models/imagenet-caffe-ref.mat",
            "http://www.vlfeat.org/matconvnet/models/imagenet-caffe-ref.mat",
        ),
        "imagenet-caffe-ref.mat",
        ("md5", "675dd47906d34f4d9a70fc44210d3804"),
        "Imported by MatConvNet from BVLC's reference CaffeNet, which is free of restrictions.",
    ),
    "mean": Source(
        ("http://dl.caffe.berkeleyvision.org/caffe_ilsvrc12.tar.gz",),
        "imagenet_mean.binaryproto",
        None,
        "Mean of the images of ILSVRC 2012, distributed with Caffe.",
        "imagenet_mean.binaryproto",
    ),
}
