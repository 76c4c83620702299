"""The real pair of the tests: SqueezeNet v1.0 (Caffe's file) and a GAN of 64 px faces."""

import keras
import numpy as np

from tf_inverse.caffe import caffemodel, keras_model, net_parameter, shape_inference, weights
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks

SIDE = 115
SUNGLASS = 836


def generator(data):
    """The DCGAN as a Keras model: N(0, 1) codes [B, 100] -> RGB 0..255 [B, 64, 64, 3]."""
    arrays = np.load(data / "faces_dcgan" / "generator.npz", allow_pickle=False)
    codes = keras.Input((100,), name="code")
    x = keras.layers.Reshape((1, 1, 100))(codes)
    values = {}
    for i in range(1, 6):
        kernel = arrays[f"deconv{i}/kernel_iohw"]
        options = {"strides": 2, "padding": "same"} if i > 1 else {"padding": "valid"}
        name = f"deconv{i}"
        deconv = keras.layers.Conv2DTranspose(
            kernel.shape[1], 4, use_bias=False, name=name, **options
        )
        x = deconv(x)
        values[name] = [kernel.transpose(2, 3, 1, 0)]
        if i < 5:
            x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"bn{i}")(x)
            x = keras.layers.ReLU(name=f"relu{i}")(x)
            parts = ("gamma", "beta", "mean", "variance")
            values[f"bn{i}"] = [arrays[f"bn{i}/{part}"] for part in parts]
    x = keras.layers.Activation("tanh", name="tanh")(x)
    model = keras.Model(codes, keras.layers.Rescaling(127.5, offset=127.5)(x), name="faces")
    for name, arrays in values.items():
        model.get_layer(name).set_weights(arrays)
    return model


def classifier(data, side=SIDE):
    """SqueezeNet for images of side x side; `pool_final` holds its logits."""
    folder = data / "caffe" / "squeezenet_v1.0"
    declared = net_parameter.read(folder / "deploy.prototxt")
    declared = declared._replace(inputs=dict.fromkeys(declared.inputs, (3, side, side)))
    planned = shape_inference.make(declared)
    model = keras_model.classifier(planned, mean=(104.0, 117.0, 123.0))
    file = caffemodel.read(folder / "squeezenet_v1.0.caffemodel")
    names = {keras_name: name for name, keras_name in keras_model.keras_names(planned).items()}
    weights.load(model, file, names)
    return model


def pair(data, side=SIDE):
    """The pair as the sampler takes it."""
    return Networks(
        name="faces",
        classifier=classifier(data, side),
        generator=generator(data),
        encoder="fire9_concat",
        codes=Codes("normal", 100),
    )
