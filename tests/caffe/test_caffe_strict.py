"""Nothing that a prototxt says is dropped: what nothing reads is refused by name and line."""

import pytest
from oracles import caffe_files
from oracles.caffe_text import INPUT, conv, layer, planned

from tf_inverse.caffe import net_parameter
from tf_inverse.errors import ConversionError, RefusedInput

V1 = 'layers {{ name: "l" type: {} bottom: "data" top: "l" {} }}'
V0 = 'layers {{ layer {{ name: "l" type: "{}" {} }} bottom: "data" top: "l" }}'

UNKNOWN = [
    (
        layer("ReLU", "\nrelu_param {\n negative_slop: 0.3 }"),
        "layer 'l': line 3: negative_slop is no setting of relu_param that can be converted; "
        "did you mean negative_slope?",
    ),
    (layer("ReLU", "relu_parm { negative_slope: 0.3 }"), "relu_parm is no setting of layer"),
    (layer("ReLU", "includ { phase: TRAIN }"), "did you mean include?"),
    (layer("ReLU", "include { phas: TRAIN }"), "did you mean phase?"),
    (layer("ReLU", "quantization_param { bw_params: 8 }"), "quantization_param is no setting"),
    (layer("Sigmoid", "sigmoid_param { negative_slope: 0.3 }"), "negative_slope is no setting of"),
    (conv("num_output: 1 kernel_size: 1 dilaton: 2"), "did you mean dilation?"),
    (conv("num_output: 1 kernel_size: 1 fuse_type: FUSED_CONV_RELU"), "fuse_type is no setting of"),
    (
        conv("num_output: 1 kernel_size: 1", "c")
        + layer("BatchNorm", "batch_norm_param { fused_relu: true }"),
        "fused_relu is no setting of batch_norm_param",
    ),
    (layer("Pooling", "pooling_param { kernel_size: 2 ceil: false }"), "ceil is no setting"),
    (layer("Concat", "concat_param { axis: 1 concat_dim: 1 }"), "axis is no setting"),
    (layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 dims: 2 } }"), "did you mean dim?"),
    (layer("Input", "input_param { shap { dim: 1 } }"), "did you mean shape?"),
    (V1.format("RELU", "relu_param { negative_slop: 0.3 }"), "did you mean negative_slope?"),
    (V1.format("RELU", "negative_slope: 0.3"), "negative_slope is no setting of layers"),
    (V0.format("relu", "negativeslope: 0.3"), "layer 'l': line 1: negativeslope is no setting"),
    (V0.format("lrn", "local_size: 5 alhpa: 1"), "did you mean alpha?"),
    (V0.format("conv", "num_output: 1 kernelsize: 1 pool: MAX"), "pool is no setting of layer"),
    ("inputs: 3 " + layer("ReLU"), "the network: line 1: inputs is no setting of a network"),
]


@pytest.mark.parametrize("text, message", UNKNOWN)
def test_fields_that_nothing_reads_are_refused_by_name_and_line(text, message):
    with pytest.raises((RefusedInput, ConversionError)) as caught:
        planned(INPUT + text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_all_such_fields_are_named_at_once_and_the_file_too(tmp_path):
    slopes = [layer("ReLU", "relu_param { slope: 1 }", f"r{i}", "data") for i in range(3)]
    with pytest.raises(ConversionError) as caught:
        planned(INPUT + "".join(slopes))
    assert all(f"layer 'r{i}'" in str(caught.value) for i in range(3))
    (tmp_path / "n.prototxt").write_text(INPUT + layer("ReLU", "include_ { }"))
    with pytest.raises(RefusedInput, match=r"n\.prototxt: layer 'l': line 1: include_ is no"):
        net_parameter.read(tmp_path / "n.prototxt")


HARMLESS = [
    conv(
        'num_output: 1 kernel_size: 1 engine: CUDNN weight_filler { type: "msra" odd: 1 } '
        'bias_filler { type: "constant" } force_nd_im2col: true axis: 1'
    ),
    layer("ReLU", "param { lr_mult: 1 decay_mult: 0 } loss_weight: 1 propagate_down: true"),
    layer("ReLU", "phase: TEST relu_param { engine: CAFFE } dropout_param { dropout_ratio: 0.1 }"),
    layer("Eltwise", "eltwise_param { stable_prod_grad: true }"),
    layer("BatchNorm", "batch_norm_param { moving_average_fraction: 0.9 use_global_stats: true }"),
    layer("Scale", "scale_param { filler { value: 1 } bias_term: true bias_filler { } }"),
    layer("Pooling", "pooling_param { global_pooling: true stride: 1 pad: 0 kernel_size: 0 }"),
    layer("ReLU") + layer("Accuracy", "accuracy_param { top_k: 5 unheard_of: 1 }", "a"),
    layer("ReLU") + layer("SoftmaxWithLoss", "loss_param { normalise: 1 } odd_param { }", "a"),
    V1.format(
        "CONVOLUTION",
        "blobs_lr: 1 weight_decay: 1 convolution_param { num_output: 1 kernel_size: 1 }",
    ),
    V0.format("conv", "num_output: 1 kernelsize: 1 biasterm: false blobs_lr: 1 weight_decay: 0"),
    "force_backward: true debug_info: false " + layer("ReLU"),
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_training_reads_is_left_out_without_a_word(text):
    assert planned(INPUT + text).steps


def test_the_papers_networks_say_nothing_unknown():
    for version in (0, 1, 2):
        text = caffe_files.prototxt(
            caffe_files.alexnet_table(), {"data": (1, 3, 227, 227)}, version
        )
        assert len(planned(text).steps) == 23
