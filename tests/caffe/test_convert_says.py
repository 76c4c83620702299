"""What `convert` says beside the layers: heads, means, empty windows, and what is not its flag."""

import json

import pytest
from oracles import caffe_files
from oracles.caffe_text import layer
from tf_inverse.tools import cli

DATA = (
    'layer { name: "data" type: "Data" top: "data" top: "label" '
    "transform_param { crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 } } "
)
HEADS = layer("InnerProduct", "inner_product_param { num_output: 2 }", "a/box", "pool") + layer(
    "InnerProduct", "inner_product_param { num_output: 205 }", "b", "pool"
)
SIZES = {"a/box": [(2, 27), (2,)], "b": [(205, 27), (205,)]}
FIFTEEN = 'input: "x" input_dim: 1 input_dim: 15 input_dim: 8 input_dim: 8 ' + layer(
    "InnerProduct", "inner_product_param { num_output: 2 }", "p", "x"
)


def pool(mode, stride):
    settings = f"pool: {mode} kernel_size: 1 stride: {stride}"
    return layer("Pooling", f"pooling_param {{ {settings} }}", "pool")


def convert(where, capsys, text, sizes, *flags, kind="caffe"):
    """(exit code, stdout, stderr) of `convert`, for random weights of some sizes."""
    (where / "n.prototxt").write_text(text)
    rows = [(name, "InnerProduct", "x", "x", {}, shapes) for name, shapes in sizes.items()]
    caffe_files.write(where / "n.caffemodel", rows, caffe_files.weights(rows))
    files = (str(where / "n.caffemodel"), f"--prototxt={where / 'n.prototxt'}")
    with pytest.raises(SystemExit) as caught:
        cli.main(["convert", kind, *files, f"--out={where / 'out'}", *flags])
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


def test_the_report_names_every_head_the_mean_and_empty_windows(tmp_path, capsys):
    """Of 8 pixels windows of 1 begin at 0, 5 and, rounded up, at 10: beyond the border."""
    text = DATA + pool("AVE", 5) + HEADS
    code, out, error = convert(tmp_path, capsys, text, SIZES)
    assert code == 0, error
    assert "self-check: forward pass finite, output a_box [2], b [205]\n" in out
    assert "mean: 104,117,123, from the prototxt\n" in out
    assert (
        "pool: its last window holds no pixel (kernel (1, 1), stride (5, 5), input (8, 8))" in out
    )
    source = json.loads((tmp_path / "out" / "network.json").read_text())["source"]
    assert "mean: 104,117,123, from the prototxt" in source["notes"]


@pytest.mark.parametrize(
    "text, sizes, flags, code, message",
    [
        (
            FIFTEEN,
            {"p": [(2, 960), (2,)]},
            (),
            4,
            "got input (15, 8, 8) and outputs (2,): no image",
        ),
        (
            FIFTEEN,
            {"p": [(2, 960), (2,)]},
            ("--role=classifier",),
            4,
            "expected a classifier's input (1 or 3, H, W), got (15, 8, 8)",
        ),
        (
            DATA.replace("mean_value: 104 mean_value: 117 mean_value: 123", 'mean_file: "m.bin"')
            + pool("MAX", 5)
            + HEADS,
            SIZES,
            (),
            2,
            "expected --mean=FILE: the prototxt takes the mean image m.bin off its pixels",
        ),
    ],
)
def test_what_cannot_be_converted_says_why_in_one_line(
    tmp_path, capsys, text, sizes, flags, code, message
):
    got, _, error = convert(tmp_path, capsys, text, sizes, *flags)
    assert (got, error.count("\n")) == (code, 1) and message in error


def test_an_average_over_no_pixel_is_the_reason_that_is_given(tmp_path, capsys):
    """Of 8 pixels windows of 1 begin at 0, 4 and, rounded up, at 8, where 0 is divided by 0."""
    code, _, error = convert(tmp_path, capsys, DATA + pool("AVE", 4) + HEADS, SIZES)
    assert code == 4 and error.count("\n") == 1
    assert "gives numbers that are not finite; pool: its last window holds no pixel" in error


@pytest.mark.parametrize(
    "kind, flags, said",
    [
        ("caffenet", ["--scale=0.5"], "expected no --scale for caffenet, which has its own"),
        ("alexnet", ["--input=3,8,8"], "expected no --input for alexnet, which has its own"),
        ("generator", ["--channels=rgb"], "expected no --channels for generator, which has its"),
        ("matconvnet", ["--mean=104,117,123"], "expected no --mean for matconvnet, which has its"),
        (
            "matconvnet",
            ["--ignore=fc8"],
            "expected no --prototxt for matconvnet, which has its own",
        ),
        ("caffe", ["--code=fc7"], "expected no --code for caffe: it tells which generator"),
        ("places205", ["--code=fc7"], "expected no --code for places205: it tells which generator"),
        ("caffe", ["--caffemodel=other"], "expected one file of weights, got "),
    ],
)
def test_flags_that_a_kind_would_drop_are_refused(tmp_path, capsys, kind, flags, said):
    code, _, error = convert(tmp_path, capsys, FIFTEEN, {}, *flags, kind=kind)
    assert code == 2 and said in error
