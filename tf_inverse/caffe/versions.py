"""The names that the three versions of Caffe's format give to the same type of layer.

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

_rows = [line.split() for line in _V1.split("\n") if line]

V1_NUMBERS = {int(number): name for number, _, name in _rows}
V1_WORDS = {word: name for _, word, name in _rows}
V0 = dict(line.split() for line in _V0.split("\n") if line)
