"""Importing this module registers our layers, so that Keras reads our files with safe_mode on.

Keras finds a layer by its registered name, `tf_inverse>LRN`, wherever its module is now.
"""

from tf_inverse.layers import caffe_layers as caffe_layers
from tf_inverse.layers import convolution as convolution
from tf_inverse.layers import fork_layers as fork_layers
from tf_inverse.layers import frozen_inputs as frozen_inputs
from tf_inverse.layers import pixels as pixels
