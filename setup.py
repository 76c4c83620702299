"""Package tf_inverse; the folder tools/ is installed as tf_inverse.tools."""

import pathlib
import re

from setuptools import find_packages, setup

here = pathlib.Path(__file__).parent
version = re.search(
    r'^__version__ = "(.+)"$', (here / "tf_inverse" / "version.py").read_text(), re.MULTILINE
).group(1)

tensorboard = ["tensorboard>=2.20"]
matconvnet = ["scipy>=1.12"]
safetensors = ["safetensors>=0.5"]
# CMA-MEGA, another way to fill a plane of two neurons.
rivals = ["ribs==0.12.0"]
# The workers of an atlas; before 2.52 its ports asked nobody for a token.
atlas = ["ray>=2.52"]
publish = ["pyarrow>=17", *safetensors]
hub = ["huggingface_hub>=0.30"]
# Classifiers of KerasHub.
kerashub = ["keras-hub>=0.32"]
# Files of PyTorch and others; ONNX Runtime tells whether they are computed rightly.
onnx = ["onnx>=1.20", "onnxruntime>=1.23"]
# Other people's readers of what `publish` writes, for tests alone; 600 MB.
foreign = [
    *publish,
    *hub,
    "datasets>=4",
    "mlcroissant>=1.1.1",
    "pandas>=2.2",
    "webdataset>=1",
]
# What builds the site of docs/: python -m sphinx -W docs docs/_build.
docs = ["sphinx>=9", "myst-parser>=5.1", "furo>=2025.12"]
test = [
    "pytest>=8",
    "pytest-xdist>=3.7",
    "ruff>=0.12",
    "mypy>=2.4,<2.5",
    "opencv-python-headless>=4.10,<5",
    "selenium>=4",
    "nbclient",
    "nbformat",
    "ipykernel",
    'arviz-stats>=0.8; python_version >= "3.11"',
    "vendi-score==0.0.3",
    *tensorboard,
    *matconvnet,
    *safetensors,
]

setup(
    name="tf_inverse",
    version=version,
    description="Sample the inverse set of a neuron: the natural-looking inputs that excite it to "
    "a chosen range.",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[*find_packages(include=["tf_inverse", "tf_inverse.*"]), "tf_inverse.tools"],
    package_dir={"tf_inverse.tools": "tools"},
    package_data={"tf_inverse": ["py.typed", "zoo/pairs/*/*", "zoo/labels/*", "report/page/*"]},
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15.1",
        "numpy",
        "pillow>=10.3",
        "fire>=0.7.1",
        "h5py<3.15",
        "ml_dtypes",
    ],
    extras_require={
        "test": test,
        "gpu": ["tensorflow[and-cuda]>=2.21"],
        "tensorboard": tensorboard,
        "matconvnet": matconvnet,
        "safetensors": safetensors,
        "hub": hub,
        "kerashub": kerashub,
        "onnx": onnx,
        "publish": publish,
        "rivals": rivals,
        "atlas": atlas,
        "foreign": foreign,
        "docs": docs,
    },
    entry_points={"console_scripts": ["tf-inverse = tf_inverse.tools.cli:main"]},
    keywords="interpretability, feature visualization, inverse set, neuron, TensorFlow, Keras",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        # TensorFlow 2.21 has wheels for them, and Keras 3.15 takes them; tried by try_package.py.
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
