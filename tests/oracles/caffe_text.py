"""Layers of a prototxt as text, and the plan of a network written so."""

from tf_inverse.caffe import net_parameter, prototxt, shape_inference

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 '


def conv(settings, name="c", bottom="data"):
    ends = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"'
    return f"layer {{ {ends} convolution_param {{ {settings} }} }} "


def layer(kind, settings="", name="l", bottom="data", top=None):
    bottoms = " ".join(f'bottom: "{b}"' for b in bottom.split())
    tops = " ".join(f'top: "{t}"' for t in (top or name).split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} {tops} {settings} }} '


def planned(text, shape=None):
    return shape_inference.make(net_parameter.understand(prototxt.parse(text)), shape)
