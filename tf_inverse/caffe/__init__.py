"""Caffe's and MatConvNet's files, and their way into Keras.

`prototxt` and `caffemodel` read, `net` and `plan` understand, `port` builds; none but `port`
imports TensorFlow.
"""
