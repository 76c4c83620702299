"""The names of Caffe's format: of the types of layers in its three versions, and of their fields.

V2 names are the ones used everywhere else: "InnerProduct" is INNER_PRODUCT or 14 in V1, and
"innerproduct" in V0.
"""

_V1 = """
1 ACCURACY Accuracy
2 BNLL BNLL
3 CONCAT Concat
4 CONVOLUTION Convolution
5 DATA Data
6 DROPOUT Dropout
7 EUCLIDEAN_LOSS EuclideanLoss
8 FLATTEN Flatten
9 HDF5_DATA HDF5Data
10 HDF5_OUTPUT HDF5Output
11 IM2COL Im2col
12 IMAGE_DATA ImageData
13 INFOGAIN_LOSS InfogainLoss
14 INNER_PRODUCT InnerProduct
15 LRN LRN
16 MULTINOMIAL_LOGISTIC_LOSS MultinomialLogisticLoss
17 POOLING Pooling
18 RELU ReLU
19 SIGMOID Sigmoid
20 SOFTMAX Softmax
21 SOFTMAX_LOSS SoftmaxWithLoss
22 SPLIT Split
23 TANH TanH
24 WINDOW_DATA WindowData
25 ELTWISE Eltwise
26 POWER Power
27 SIGMOID_CROSS_ENTROPY_LOSS SigmoidCrossEntropyLoss
28 HINGE_LOSS HingeLoss
29 MEMORY_DATA MemoryData
30 ARGMAX ArgMax
31 THRESHOLD Threshold
32 DUMMY_DATA DummyData
33 SLICE Slice
34 MVN MVN
35 ABSVAL AbsVal
36 SILENCE Silence
37 CONTRASTIVE_LOSS ContrastiveLoss
38 EXP Exp
39 DECONVOLUTION Deconvolution
"""

_V0 = """
accuracy Accuracy
bnll BNLL
concat Concat
conv Convolution
data Data
dropout Dropout
euclidean_loss EuclideanLoss
flatten Flatten
hdf5_data HDF5Data
hdf5_output HDF5Output
im2col Im2col
images ImageData
infogain_loss InfogainLoss
innerproduct InnerProduct
lrn LRN
multinomial_logistic_loss MultinomialLogisticLoss
padding Padding
pool Pooling
relu ReLU
sigmoid Sigmoid
softmax Softmax
softmax_loss SoftmaxWithLoss
split Split
tanh TanH
window_data WindowData
"""

# Fields that steer training or choose a way to compute, and change nothing of what a trained
# network answers.
HARMLESS = frozenset(
    """blobs blobs_lr weight_decay loss_weight loss_param propagate_down lr_mult decay_mult phase
    debug_info force_backward weight_filler bias_filler filler engine force_nd_im2col
    moving_average_fraction stable_prod_grad share_mode blob_share_mode""".split()
)

# The messages of caffe.proto with the settings of one type of layer. In a layer of another type
# Caffe does not look at them.
SETTINGS = frozenset(
    f"{name}_param"
    for name in """accuracy argmax batch_norm bias clip concat contrastive_loss convolution crop
    data dropout dummy_data eltwise elu embed exp flatten hdf5_data hdf5_output hinge_loss
    image_data infogain_loss inner_product input log lrn memory_data mvn parameter pooling power
    prelu python recurrent reduction relu reshape scale sigmoid slice softmax spp swish tanh
    threshold tile transform window_data""".split()
)

# Types of layer whose settings stand in the message of another type.
BORROWED = {
    "Deconvolution": "convolution_param",
    "DepthwiseConvolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "ReLU6": "relu_param",
}

# Forks of Caffe store the weights of these types as Convolution does.
DEPTHWISE = ("DepthwiseConvolution", "ConvolutionDepthwise")

_rows = [line.split() for line in _V1.split("\n") if line]

V1_NUMBERS = {int(number): name for number, _, name in _rows}
V1_WORDS = {word: name for _, word, name in _rows}
V0 = dict(line.split() for line in _V0.split("\n") if line)


def settings_of(kind: str) -> str:
    """The field that holds a type's settings: InnerProduct -> inner_product_param."""
    if kind in BORROWED:
        return BORROWED[kind]
    names = {"ReLU": "relu", "PReLU": "prelu", "ELU": "elu", "LRN": "lrn", "TanH": "tanh"}
    snake = "".join("_" + c.lower() if c.isupper() else c for c in kind).lstrip("_")
    return names.get(kind, snake) + "_param"


def stored_as(kind: str) -> str:
    """The type whose blobs a type has in a weight file."""
    return "Convolution" if kind in DEPTHWISE else kind
