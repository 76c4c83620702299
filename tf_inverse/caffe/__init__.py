"""Caffe's and MatConvNet's files, and their way into Keras.

`prototxt` and `caffemodel` read, `net_parameter` and `shape_inference` understand, `keras_model`
builds; none but `keras_model` imports TensorFlow.
"""
