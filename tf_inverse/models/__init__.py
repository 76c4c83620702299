"""Networks of the paper, and the layers that Keras lacks.

Importing this package registers the layers, so that `keras.models.load_model` reads our files
with safe_mode on.
"""

from tf_inverse.models import convolution as convolution
from tf_inverse.models import fork_layers as fork_layers
from tf_inverse.models import layers as layers
from tf_inverse.models import pixels as pixels
