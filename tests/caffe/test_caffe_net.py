"""The prototxt reader, the upgrade of old versions, and every refusal before TensorFlow."""

import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from oracles import caffe_files
from oracles.caffe_text import INPUT, conv, layer, planned

from tf_inverse.caffe import prototxt
from tf_inverse.errors import ConversionError, RefusedInput


def test_text_format():
    message = prototxt.parse(
        """
        # a comment with { braces
        name: "a" 'b'  # strings side by side are one
        f: 1.5e-1; g: -3, h: [1, 2 3] on: true enum: MAX hex: 0x10 e: [] nan: nan
        m { x: 1 } m < x: 2 > m: { x: 3 } below: -0x10 eight: 010 f: 2 least: -inf off: False
        escaped: "\\303\\251 \\\\ \\"q\\" \\x41\\n"
        """
    )
    assert message.word("name") == "ab"
    assert message.numbers("f") == [0.15, 2] and message.all("least", float) == [-np.inf]
    assert message.integer("below", 0, -99) == -16 and message.integer("eight", 0) == 8
    assert not message.flag("off", True) and message.word("escaped") == 'é \\ "q" A\n'
    assert message.integer("g", 0, -5) == -3
    assert message.integers("h") == [1, 2, 3]
    assert message.flag("on", False) and message.flag("absent", True)
    assert message.word("enum") == "MAX" and message.integer("hex", 0) == 16
    assert [m.integer("x", 0) for m in message.messages("m")] == [1, 2, 3]
    assert message.all("e", str) == [] and message.message("none").fields == {}


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: ", "line 1: expected a value, got 'the end'"),
        ("a 3", "expected ':' or '{' after 'a'"),
        ("\n\na: 1 }", "line 3: expected a field, got '}'"),
        ("a { b: 1", "expected a field, got 'the end'"),
        ("a: { b: 1 >", "expected a field, got '>'"),
        ("a: @", "expected a prototxt, got '@'"),
        ("{" * 5, "expected a field"),
        ("a { " * 30, "at most 20 levels"),
        ("a: " + "9" * 50, "got 50 digits"),
        ('a: "unfinished', "expected a prototxt"),
    ],
)
def test_broken_text(text, message):
    with pytest.raises(RefusedInput) as caught:
        prototxt.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ['"a" ' * 200_000, "#" * 10**6 + "\n@", " " * 10**6 + "@"])
def test_long_texts_take_no_time(text):
    start = time.perf_counter()
    with pytest.raises(RefusedInput):
        prototxt.parse(text if text[0] != '"' else f"a: {text} @")
    assert time.perf_counter() - start < 2


def test_files_that_are_no_prototxt(tmp_path):
    path = tmp_path / "net.prototxt"
    for data, message in (
        (b"", "is empty"),
        (b"<html>", "web page"),
        (b"\x0a\x03net\x00\x00\x80\x3f", "is it the .caffemodel"),
        (b"name: \xff\xfe", "line 1: expected a prototxt"),
        (b"a" * 2_000_001, "at most 2000000 bytes"),
    ):
        path.write_bytes(data)
        with pytest.raises(RefusedInput, match=message):
            prototxt.read(path)
    with pytest.raises(FileNotFoundError):
        prototxt.read(tmp_path / "none")


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-8"])
def test_comments_may_be_of_any_encoding(tmp_path, encoding):
    path = tmp_path / "net.prototxt"
    path.write_bytes("name: 'a' # 卷积层".encode(encoding))
    assert prototxt.read(path).fields == {"name": ["a"]}


@pytest.mark.parametrize("version", [0, 1])
def test_old_versions_become_the_new_one(version):
    table = caffe_files.alexnet_table(205)
    inputs = {"data": (10, 3, 227, 227)}
    old, new = (planned(caffe_files.prototxt(table, inputs, v)) for v in (version, 2))
    for a, b in zip(old.steps, new.steps, strict=True):
        assert (a.layer[:4], a.options, a.outputs, a.weights) == (
            b.layer[:4],
            b.options,
            b.outputs,
            b.weights,
        )
    assert new.inputs == {"data": (3, 227, 227)}


def test_caffenets_shapes_are_the_published_ones():
    made = planned(caffe_files.prototxt(caffe_files.alexnet_table(), {"data": (1, 3, 227, 227)}))
    shapes = {step.layer.name: step.outputs[0] for step in made.steps}
    assert shapes["conv1"] == (96, 55, 55) and shapes["norm1"] == (96, 27, 27)
    assert shapes["pool2"] == (256, 13, 13) and shapes["pool5"] == (256, 6, 6)
    weights = made.weights()
    assert weights["fc6"] == ("InnerProduct", ((4096, 9216), (4096,)))
    assert weights["conv2"] == ("Convolution", ((256, 48, 5, 5), (256,)))


def test_padding_layers_of_v0_are_folded():
    made = planned(
        INPUT + 'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "p" }'
        'layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 5 }'
        ' bottom: "p" top: "c" }'
    )
    (step,) = made.steps
    assert step.options["pads"] == (2, 2, 2, 2) and step.layer.bottoms == ("data",)


def test_training_layers_are_dropped_and_phases_chosen():
    made = planned(
        'layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } '
        'transform_param { crop_size: 12 } data_param { source: "/etc/passwd" } }'
        'layer { name: "e" type: "Data" top: "data" top: "label" include { phase: TEST } '
        "transform_param { crop_size: 8 } }"
        + conv("num_output: 4 kernel_size: 3")
        + layer("Dropout", "include { phase: TRAIN }", "drop", "c", "c")
        + layer("SoftmaxWithLoss", "", "loss", "c label")
        + layer("Accuracy", "", "acc", "c label")
    )
    assert [step.layer.name for step in made.steps] == ["c"]
    assert made.inputs == {"data": (3, 8, 8)}


def test_settings_of_two_sides():
    made = planned(
        INPUT + conv("num_output: 2 kernel_h: 3 kernel_w: 5 stride: 2 stride: 1 pad_h: 1 pad_w: 2")
    )
    options = made.steps[0].options
    assert options["kernel"] == (3, 5) and options["strides"] == (2, 1)
    assert options["pads"] == (1, 1, 2, 2) and made.steps[0].outputs == ((2, 4, 8),)
    alone = planned(INPUT + conv("num_output: 2 kernel_h: 1 kernel_w: 5 pad_w: 2"))
    assert alone.steps[0].options["pads"] == (0, 0, 2, 2)


@pytest.mark.parametrize(
    "rules, kept",
    [
        ("", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: 1 }", True),
        ("include { phase: TRAIN } include { phase: TEST }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN }", True),
        ("exclude { }", False),
        ('exclude { phase: TRAIN stage: "x" not_stage: "y" min_level: 1 max_level: 2 }', True),
        ('include { stage: "deploy" }', False),
        ('include { phase: TEST stage: "deploy" }', False),
        ('include { not_stage: "deploy" }', True),
        ('exclude { stage: "deploy" }', True),
        ('exclude { not_stage: "deploy" }', False),
        ("include { min_level: 1 }", False),
        ("include { max_level: 1 }", True),
    ],
)
def test_rules_choose_layers_as_caffe_does(rules, kept):
    """Net::FilterNet of Caffe, for the state of phase TEST, level 0 and no stage."""
    made = planned(INPUT + layer("ReLU", name="a") + layer("TanH", rules, "b"))
    assert [step.layer.name for step in made.steps] == ["a", "b"][: 1 + kept]


def test_the_files_own_state_chooses_too():
    text = INPUT + layer("ReLU") + layer("TanH", 'include { stage: "deploy" min_level: 2 }', "b")
    assert len(planned('state { stage: "deploy" level: 2 } ' + text).steps) == 2
    assert len(planned('state { stage: "deploy" } ' + text).steps) == 1
    with pytest.raises(RefusedInput, match="expected state of phase TEST, got TRAIN"):
        planned("state { phase: TRAIN } " + text)
    with pytest.raises(RefusedInput, match="'l': expected include or exclude, got both"):
        planned(INPUT + layer("ReLU", "include { } exclude { }"))


ROWS = layer("Flatten", "flatten_param { axis: 2 }", "f")
MAPS = layer("Pooling", "pooling_param { global_pooling: true }", "p") + layer(
    "Flatten", name="v", bottom="p"
)
REFUSED = [
    *(
        (ROWS + layer(kind, bottom="f"), "expected an input (C,) or (C, H, W), got (3, 64)")
        for kind in ("BatchNorm", "Scale", "Bias", "PReLU")
    ),
    (ROWS + MAPS + layer("Scale", "scale_param { axis: 0 }", bottom="f v"), "(C,) or (C, H, W)"),
    (conv("num_output: 4 kernel_size: 3 kernel_h: 3 kernel_w: 3"), "or kernel_h and kernel_w"),
    (conv("num_output: 4 kernel_size: 3 pad: 1 pad_h: 0 pad_w: 0"), "or pad_h and pad_w"),
    (conv("num_output: 4 num_output: 5 kernel_size: 3"), "expected num_output once, got [4, 5]"),
    (layer("ReLU", "relu_param { } relu_param { negative_slope: 1 }"), "expected relu_param once"),
    (layer("LRN", "lrn_param { norm_region: 2 }"), "expected norm_region ACROSS_CHANNELS or"),
    (layer("Eltwise", "eltwise_param { operation: MEAN }"), "operation PROD, SUM or MAX, got MEAN"),
    (layer("Eltwise", "eltwise_param { operation: PROD coeff: 2 }"), "coeff for each bottom, with"),
    (layer("Pooling", "pooling_param { global_pooling: 1 stride: 2 }"), "stride 1 beside global"),
    (layer("Pooling", "pooling_param { global_pooling: 1 kernel_h: 2 }"), "kernel_h 0 beside"),
    (
        layer("Pooling", "pooling_param { kernel_size: 2 round_mode: FLOOR ceil_mode: true }"),
        "round_mode and ceil_mode to agree",
    ),
    (layer("Pooling", "pooling_param { kernel_size: 2 round_mode: ROUND }"), "CEIL or FLOOR"),
    (
        layer(
            "DepthwiseConvolution", "convolution_param { num_output: 3 kernel_size: 1 group: 1 }"
        ),
        "'l' (DepthwiseConvolution): expected group 3",
    ),
    (layer("Scale", "", bottom="data data"), "axis 0 and a second bottom (3,)"),
    (layer("Scale", "scale_param { axis: 0 bias_term: true }", bottom="data data"), "no bias_term"),
    (layer("Axpy", bottom="data data data"), "(C,) or (C, 1, 1), and twice (C, H, W)"),
    (layer("Permute", "permute_param { order: 1 }"), "order to begin with 0"),
    (layer("Permute", "permute_param { order: 0 order: 2 order: 2 }"), "order to begin with 0"),
    (layer("Permute", "permute_param { order: 0 order: 4 }"), "order from 0 to 3, got 4"),
    (layer("Tile", "tile_param { axis: 1 }"), "expected tiles, got none"),
    (layer("Tile", "tile_param { tiles: 2 axis: 0 }"), "axis from 1 to 3"),
    (layer("Clip", "clip_param { min: 0 }"), "expected min and max, got no max"),
    (layer("Clip", "clip_param { min: 2 max: 1 }"), "min not above max"),
    (layer("Interp"), "height and width, or zoom_factor or shrink_factor"),
    (layer("Interp", "interp_param { height: 9 zoom_factor: 2 }"), "height and width, or zoom"),
    (layer("Interp", "interp_param { height: 9 width: 9 zoom_factor: 2 }"), "not both"),
    (layer("Interp", "interp_param { zoom_factor: 2 pad_beg: -8 }"), "to keep some of (8, 8)"),
    (layer("Interp", "interp_param { zoom_factor: 2 pad_beg: 1 }"), "pad_beg from -4096 to 0"),
    (layer("ReLU") + 'layers { name: "old" type: RELU }', "one version, got both"),
    (conv("num_output: 4 kernel_size: 3 group: 0"), "'c': expected group from 1 to 65536, got 0"),
    (conv("num_output: 4 kernel_size: 3 stride: 0"), "expected stride from 1 to 4096, got 0"),
    (conv("num_output: 4 kernel_size: 0"), "expected kernel_size from 1"),
    (conv("num_output: 4"), "one or two values of kernel_size"),
    (conv("kernel_size: 3"), "expected num_output, got none"),
    (conv("num_output: 1000000000 kernel_size: 3"), "num_output from 1 to 65536, got 1000000000"),
    (conv("num_output: 4 kernel_size: 3 group: 2"), "channels to divide by group, got 2"),
    (conv("num_output: 4 kernel_size: 30"), "expected dimensions from 1"),
    (conv('num_output: "x" kernel_size: 3'), "expected an integer for num_output"),
    (conv("num_output: 4 kernel_size: 3 axis: 2"), "expected axis 1, got 2"),
    (conv("num_output: 4 kernel_size: 3 bias_term: maybe"), "true or false for bias_term"),
    (layer("Python", 'python_param { module: "os" layer: "x" }', "evil"), "'evil' (Python)"),
    (layer("HDF5Output", 'hdf5_output_param { file_name: "/x" }'), "'l' (HDF5Output)"),
    (layer("Convolution3D") + layer("Magic", name="m"), "2 layers: 'l' (Convolution3D)"),
    (layer("ReLU", bottom="nowhere"), "reads nowhere, which no layer makes"),
    (layer("ReLU", name="a", bottom="b") + layer("ReLU", name="b", bottom="a"), "'b']: a cycle"),
    (layer("ReLU", bottom="data data"), "1 to 1 bottoms, got 2"),
    (layer("ReLU") + layer("ReLU"), "got twice: ['l']"),
    (layer("Pooling", "pooling_param { kernel_size: 2 pool: STOCHASTIC }"), "pool MAX or AVE"),
    (layer("Pooling", "pooling_param { kernel_size: 2 pad: 2 }"), "pad smaller than the kernel"),
    (layer("LRN", "lrn_param { local_size: 4 }"), "odd local_size"),
    (layer("LRN", "lrn_param { alpha: inf }"), "finite alpha"),
    (layer("Reshape", "reshape_param { shape { dim: 1 dim: 7 } }"), "a shape of 192 numbers"),
    (layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: -1 } }"), "192 numbers"),
    (layer("Reshape", "reshape_param { }"), "a shape for all axes"),
    (layer("Slice", "slice_param { slice_point: 3 }", top="a b"), "2 parts of 3"),
    (layer("Concat", "concat_param { axis: 0 }"), "axis from 1 to 3, got 0"),
    (layer("Flatten", "flatten_param { axis: 3 end_axis: 2 }"), "end_axis not before axis"),
    (layer("Flatten", "flatten_param { axis: 0 }"), "axis from 1 to 3, got 0"),
    (conv("num_output: 4 kernel_h: 3"), "kernel_h and kernel_w, got (3, None)"),
    (layer("Pooling", "pooling_param { kernel_size: 3 pad_h: 1 }"), "or pad_h and pad_w"),
    (layer("Scale", "scale_param { axis: 2 }"), "one value a channel"),
    (layer("BatchNorm", "batch_norm_param { use_global_stats: false }"), "use_global_stats: true"),
    (layer("InnerProduct", "inner_product_param { num_output: 2 transpose: true }"), "transpose"),
    (layer("Crop", "crop_param { offset: 3 }", bottom="data data"), "a part of (3, 8, 8)"),
    (layer("Log", "log_param { base: 1 }"), "positive base"),
    (layer("ReLU", "relu_param { negative_slope: -1 }"), "negative_slope of at least 0, got -1"),
    (layer("ReLU6", "relu_param { negative_slope: -1 }"), "negative_slope of at least 0, got -1"),
    (layer("Dropout", "dropout_param { dropout_ratio: 2 }"), "ratio from 0 to 1, got 2"),
    (layer("BatchNorm", "batch_norm_param { eps: -1 }"), "eps of at least 0, got -1"),
    (
        layer("Pooling", "pooling_param { kernel_size: 2 }", "p")
        + layer("Eltwise", bottom="data p", name="e"),
        "bottoms of one shape",
    ),
]


@pytest.mark.parametrize("text, message", REFUSED)
def test_refusals_name_layer_expected_and_found(text, message):
    with pytest.raises((ConversionError, RefusedInput)) as caught:
        planned(INPUT + text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusals_of_inputs():
    body = conv("num_output: 4 kernel_size: 3")
    with pytest.raises(ConversionError, match="--size=ROWS,COLUMNS,CHANNELS"):
        planned(body)
    assert planned(body, (3, 8, 8)).steps[0].outputs == ((4, 6, 6),)
    with pytest.raises(ConversionError, match="four values of input_dim, for each input"):
        planned(INPUT + "input_dim: 1 " + body)
    with pytest.raises(ConversionError, match="got 1 shapes and 4 values"):
        planned(INPUT + "input_shape { dim: 1 dim: 3 dim: 8 dim: 8 } " + body)
    with pytest.raises(RefusedInput, match="input_dim from 1 to 65536, got 1000000000"):
        planned(INPUT.replace("8", "1000000000") + body)
    with pytest.raises(ConversionError, match="at most"):
        planned(INPUT.replace("8", "65536") + body)
    with pytest.raises(ConversionError, match="found no layer; is this a solver's"):
        planned('net: "train_val.prototxt" base_lr: 0.01')
    for text in (layer("Accuracy"), layer("ReLU", 'include { stage: "deploy" }')):
        with pytest.raises(ConversionError, match="layers of the phase TEST .* found none"):
            planned(INPUT + text)
    with pytest.raises(ConversionError, match="at most 5000 layers"):
        planned("layer { } " * 5001)


def test_reading_needs_no_tensorflow():
    code = (
        "import sys; from tf_inverse.caffe import caffemodel, net_parameter, shape_inference;"
        "from tf_inverse.caffe import weight_check;"
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    root = pathlib.Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_thousand_damaged_files(shared_data):
    import fuzz_caffe

    result = fuzz_caffe.in_child(shared_data / "caffe", 1000)
    assert result["faults"] == []
    assert result["read"] + result["refused"] == 1000
    assert result["read"] > 20 and result["refused"] > 200
