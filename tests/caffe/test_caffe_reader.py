"""The weight reader against bytes that the protobuf package writes, and against damage."""

import contextlib

import numpy as np
import pytest
from oracles import caffe_cv2, caffe_files
from oracles.caffe_proto import BlobProto, NetParameter

from tf_inverse.caffe import caffemodel, means
from tf_inverse.errors import RefusedInput

W = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 7
B = np.array([0.5, -1.0], np.float32)


def net(version, doubles=False):
    """A convolution with two blobs, then a ReLU, as each version of Caffe would store them."""
    message = NetParameter(name="tiny")
    if version == 2:
        layer = inner = message.layer.add(name="conv1", type="Convolution")
        message.layer.add(name="relu1", type="ReLU", bottom=["conv1"], top=["conv1"])
    elif version == 1:
        layer = inner = message.layers.add(name="conv1", type=4, blobs_lr=[1, 2])
        message.layers.add(name="relu1", type=18, bottom=["conv1"], top=["conv1"])
    else:
        layer = message.layers.add()
        inner = layer.layer
        inner.name, inner.type, inner.num_output = "conv1", "conv", 2
        relu = message.layers.add(bottom=["conv1"], top=["conv1"])
        relu.layer.name, relu.layer.type = "relu1", "relu"
    layer.bottom.append("data")
    layer.top.append("conv1")
    for array in (W, B):
        blob = inner.blobs.add()
        if version == 2:
            blob.shape.dim.extend(array.shape)
        else:
            shape = (1,) * (4 - array.ndim) + array.shape
            blob.num, blob.channels, blob.height, blob.width = shape
        getattr(blob, "double_data" if doubles else "data").extend(array.ravel().tolist())
        blob.diff.extend([0.0] * 3)
    return message


@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_reads_what_protobuf_writes(tmp_path, version, doubles):
    path = tmp_path / "tiny.caffemodel"
    path.write_bytes(net(version, doubles).SerializeToString())
    read = caffemodel.read(path)
    assert read.name == "tiny"
    assert [(x.name, x.type) for x in read.layers] == [("conv1", "Convolution"), ("relu1", "ReLU")]
    assert read.layers[0].bottoms == ("data",) and read.layers[1].tops == ("conv1",)
    weights, bias = read.weights()["conv1"].blobs
    np.testing.assert_array_equal(weights.array(), W)
    np.testing.assert_array_equal(bias.array((2,)), B)
    assert weights.fits((2, 3, 2, 2)) and bias.fits((2,))
    assert not weights.fits((3, 2, 2, 2)) and not bias.fits((3,))
    assert bias.legacy == (version < 2)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_test_writer_equals_protobuf(tmp_path, version):
    row = ("conv1", "Convolution", "data", "conv1", {}, [W.shape, B.shape])
    caffe_files.write(tmp_path / "a", [row], [("conv1", [W, B])], version, name="tiny")
    message = NetParameter.FromString((tmp_path / "a").read_bytes())
    expected = net(version)
    layers = expected.layer if version == 2 else expected.layers
    del layers[1]
    inner = layers[0].layer if version == 0 else layers[0]
    for blob in inner.blobs:
        blob.ClearField("diff")
    inner.ClearField("num_output") if version == 0 else layers[0]
    if version == 1:
        layers[0].ClearField("blobs_lr")
    assert message == expected


def test_blobs_in_several_pieces_and_unknown_fields_are_read(tmp_path):
    path = tmp_path / "m"
    data, shape = B.tobytes(), b"\x3a\x03\x0a\x01\x02"
    blob = shape + caffe_files.field(5, data[:4]) + caffe_files.field(5, data[4:])
    layer = caffe_files.field(1, b"l") + caffe_files.field(7, blob) + caffe_files.field(999, b"??")
    path.write_bytes(caffe_files.field(100, layer))
    (found,) = caffemodel.read(path).layers
    np.testing.assert_array_equal(found.blobs[0].array(), B)


@pytest.mark.parametrize("number, dtype", [(0, "<f8"), (1, "<f4"), (2, "<f2")])
def test_raw_data_is_read_in_every_precision(tmp_path, number, dtype):
    message = net(2)
    for blob, array in zip(message.layer[0].blobs, (W, B), strict=True):
        blob.ClearField("data")
        blob.raw_data, blob.raw_data_type = array.astype(dtype).tobytes(), number
    (tmp_path / "m").write_bytes(message.SerializeToString())
    weights, bias = caffemodel.read(tmp_path / "m").weights()["conv1"].blobs
    np.testing.assert_array_equal(weights.array(), W.astype(dtype).astype("f4"))
    assert bias.array().dtype == np.float32 and bias.values.dtype == dtype


def test_halves_are_read_as_opencv_writes_them(tmp_path):
    if not caffe_cv2.available():
        pytest.skip("OpenCV with readNetFromCaffe is not installed")
    import cv2

    (tmp_path / "m").write_bytes(net(2).SerializeToString())
    cv2.dnn.shrinkCaffeModel(str(tmp_path / "m"), str(tmp_path / "half"))
    weights, bias = caffemodel.read(tmp_path / "half").weights()["conv1"].blobs
    assert weights.values.dtype == "<f2" and weights.shape == W.shape
    np.testing.assert_array_equal(weights.array(), W.astype("f2").astype("f4"))
    np.testing.assert_array_equal(bias.array(), B)


def test_means(tmp_path):
    image = np.random.default_rng(0).uniform(90, 130, (3, 4, 5)).astype("f4")
    blob = BlobProto(num=1, channels=3, height=4, width=5, data=image.ravel().tolist())
    (tmp_path / "m.binaryproto").write_bytes(blob.SerializeToString())
    np.save(tmp_path / "m.npy", image.astype("f8"))
    np.save(tmp_path / "blob.npy", image[None])
    names = ["m.binaryproto", "m.npy", "blob.npy"]
    with contextlib.suppress(ImportError):
        import scipy.io

        # ppgn's is (H, W, C); MatCaffe's has the axes of a blob in MATLAB, (W, H, C).
        scipy.io.savemat(tmp_path / "p.mat", {"image_mean": image.transpose(1, 2, 0)})
        scipy.io.savemat(tmp_path / "c.mat", {"mean_data": image.transpose(2, 1, 0)})
        names += ["p.mat", "c.mat"]
    for name in names:
        np.testing.assert_array_equal(means.read(tmp_path / name), image.transpose(1, 2, 0))


@pytest.mark.parametrize("text", ["a", "1,2", "nan", "1,2,3,4", ""])
def test_mean_values_are_one_or_three_numbers(text):
    with pytest.raises(ValueError, match="one or three numbers"):
        means.parse(text)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((2, 2)), r"expected \(C, H, W\)"),
        (np.zeros((2, 3, 2, 2)), r"expected \(C, H, W\)"),
        (np.zeros((5, 2, 2)), "1 or 3 channels"),
        (np.full((3, 2, 2), np.nan), "1 or 3 channels"),
        (np.zeros((3, 2, 2), "O"), "holds Python objects"),
    ],
)
def test_bad_mean_arrays(tmp_path, array, message):
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(RefusedInput, match=message):
        means.read(tmp_path / "m.npy")


def test_a_mean_image_is_no_larger_than_images_are(tmp_path):
    side = 4097
    sides = b"".join(map(caffe_files.varint, (1, 1, side, side)))
    head = caffe_files.field(7, caffe_files.field(1, sides))
    with open(tmp_path / "m.binaryproto", "wb") as file:
        size = 4 * side * side
        file.write(head + caffe_files.varint(5 << 3 | 2) + caffe_files.varint(size))
        file.truncate(file.tell() + size)
    with pytest.raises(RefusedInput, match=r"expected a mean image .* got \(1, 1, 4097, 4097\)"):
        means.read(tmp_path / "m.binaryproto")


def test_real_means(shared_data):
    folder = shared_data / "caffe" / "means"
    mean = means.read(folder / "ilsvrc_2012_mean.npy")
    assert mean.shape == (256, 256, 3)
    np.testing.assert_allclose(mean.mean((0, 1)), [104.008, 116.670, 122.676], atol=0.02)
    assert means.read(folder / "cifar100_32x32_mean.binaryproto").shape == (32, 32, 3)
    with pytest.raises(RefusedInput, match="damaged or truncated.*download the file again"):
        means.read(folder / "TRUNCATED_imagenet_mean.binaryproto")


HEADS = {
    b"": "is empty",
    b"<!DOCTYPE html><html>": "is a web page",
    b"\n <html>": "is a web page",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:1": "git-LFS pointer",
    b"\x89HDF\r\n\x1a\n": "HDF5 file",
    b"PK\x03\x04zip": "zip archive",
    b"\x1f\x8b\x08": "gzip archive",
    b"MATLAB 5.0 MAT-file": "convert matconvnet",
    b"\x0a\x03abc": "found no layer",
    b"\xff" * 40: "damaged or truncated",
    b'name: "LeNet"\nlayer {\n}\n': "is text; is it the prototxt",
}


@pytest.mark.parametrize("head", HEADS)
def test_files_that_are_no_caffemodel_are_named(tmp_path, head):
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(head)
    with pytest.raises(RefusedInput, match=HEADS[head]):
        caffemodel.read(path)


def test_every_truncation_is_refused_or_ends_between_layers(tmp_path):
    whole, path = net(2).SerializeToString(), tmp_path / "m"
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        try:
            assert len(caffemodel.read(path).layers) == 1
        except RefusedInput as error:
            assert str(path) in str(error)


def test_missing_file_and_double_layers(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a file"):
        caffemodel.read(tmp_path / "none")
    message = net(2)
    message.layer.append(message.layer[0])
    (tmp_path / "m").write_bytes(message.SerializeToString())
    with pytest.raises(RefusedInput, match="holds weights twice for conv1"):
        caffemodel.read(tmp_path / "m")


def refusal(tmp_path, blob):
    layer = caffe_files.field(1, b"conv1") + caffe_files.field(7, blob)
    (tmp_path / "m").write_bytes(caffe_files.field(100, layer))
    with pytest.raises(RefusedInput) as caught:
        caffemodel.read(tmp_path / "m")
    return str(caught.value)


def test_blobs_whose_numbers_do_not_fit_their_shape(tmp_path):
    def shape(*n):
        return caffe_files.field(7, caffe_files.field(1, b"".join(map(caffe_files.varint, n))))

    floats = caffe_files.field(5, B.tobytes())
    assert "shape (1000000000, 4) holds 2 numbers" in refusal(tmp_path, shape(10**9, 4) + floats)
    assert "holds 0 numbers" in refusal(tmp_path, shape(2))
    assert "ends within a number" in refusal(tmp_path, caffe_files.field(5, b"abc"))
    both = floats + caffe_files.field(8, b"12345678")
    assert "several types, such as floats and doubles" in refusal(tmp_path, shape(2) + both)
    raw = caffe_files.varint(10 << 3) + caffe_files.varint(3) + caffe_files.field(12, b"1234")
    assert "doubles, floats or halves, got type 3" in refusal(tmp_path, shape(1) + raw)
    assert "at most 64 integers" in refusal(tmp_path, shape(*[1] * 100) + floats)


def test_millions_of_fields_are_refused_at_once(tmp_path):
    (tmp_path / "m").write_bytes(b"\x20\x01" * 1_000_000)
    with pytest.raises(RefusedInput, match="expected at most 500000 fields"):
        caffemodel.read(tmp_path / "m")
