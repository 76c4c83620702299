#!/usr/bin/env bash
# keras.layers.SpectralNormalization is two different layers, by the backend. The same model with the
# same weights gets other gradients on TensorFlow than on JAX; and after fit() on JAX it answers with
# its kernel W as it is, not with W / sigma, by which it was trained:
#
# - TensorFlow: the gradient stops at W / sigma; the factor 1 / sigma and the term through sigma are
#   missing. fit() keeps W / sigma as the layer's kernel and takes its steps from there.
# - JAX: the gradient goes through the normalisation, as in the paper (Miyato et al. 2018). fit()
#   keeps W, and predict(), evaluate() and save() take W, whose spectral norm may be of any size.
#
# Why: call() assigns W / sigma to the kernel where training is true. GradientTape follows no assigned
# value back. On JAX a StatelessScope holds the value, which a gradient does follow; but of the
# variables stateless_call() returns only those that are not trained, so the kernel's value is lost.
# What helps: on JAX call the model once on any batch with training=True after fit() and before
# predict() or save(). For one gradient on both, write a layer that computes with kernel / sigma and
# assigns to the vector u alone.
#
# Seen with keras 3.15.1 on tensorflow 2.21.0 and on jax 0.10.2, numpy 2.4.6. The gradient is compared
# with closed forms by its largest difference; a step of fit has a learning rate of 0:
#   spectral norm of W 3.464; largest gradient 0.494 at W / sigma, 0.152 through the normalisation
#   tensorflow: gradient 8.9e-08 from that at W / sigma, 3.5e-01 from that through the normalisation
#   tensorflow: after fit the kernel's spectral norm is 1.000, predict uses W / sigma
#   jax: gradient 3.5e-01 from that at W / sigma, 2.2e-08 from that through the normalisation
#   jax: after fit the kernel's spectral norm is 3.464, predict uses W
#   jax: after a call with training=True the kernel's spectral norm is 1.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 jax==0.10.2 keras==3.15.1 numpy==2.4.6
cat > "$folder/compare.py" <<'PYTHON'
import keras
import numpy as np

rng = np.random.default_rng(0)
x, target = rng.standard_normal((8, 5)).astype("f4"), rng.standard_normal((8, 3)).astype("f4")
W = rng.standard_normal((5, 3)).astype("f4")
backend = keras.backend.backend()


def made():
    """A model of one Dense layer with the kernel W, and its wrapper."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(3, use_bias=False)
    layer = keras.layers.SpectralNormalization(dense, power_iterations=50)
    model = keras.Sequential([keras.Input((5,)), layer])
    layer.kernel.assign(W)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model, layer


def loss_of(answer):
    return keras.ops.mean((answer - target) ** 2)


def gradient():
    """The gradient of the loss in training with respect to the kernel."""
    model, layer = made()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = loss_of(model(x, training=True))
        return np.asarray(tape.gradient(loss, layer.kernel.value))
    import jax

    others = [variable.value for variable in model.non_trainable_variables]
    return np.asarray(
        jax.grad(lambda w: loss_of(model.stateless_call([w], others, x, training=True)[0]))(
            layer.kernel.value
        )
    )


def apart(a, b):
    return float(np.abs(a - b).max())


def norm(kernel):
    """The spectral norm, which is the largest singular value."""
    return float(np.linalg.norm(np.asarray(kernel), 2))


left, singular, right = np.linalg.svd(W)
sigma = singular[0]
at_normal = 2 * x.T @ (x @ W / sigma - target) / target.size
through_sigma = (at_normal * W).sum() / sigma**2 * np.outer(left[:, 0], right[0])
through = at_normal / sigma - through_sigma
if backend == "tensorflow":
    print("keras", keras.__version__, "numpy", np.__version__)
    print(
        f"spectral norm of W {sigma:.3f}; largest gradient {np.abs(at_normal).max():.3f} at W / sigma, "
        f"{np.abs(through).max():.3f} through the normalisation"
    )
found = gradient()
differences = [apart(found, at_normal), apart(found, through)]
print(
    f"{backend}: gradient {differences[0]:.1e} from that at W / sigma, "
    f"{differences[1]:.1e} from that through the normalisation"
)
model, layer = made()
model.fit(x, target, batch_size=8, verbose=0)
kept, answer = norm(layer.kernel), model.predict(x, verbose=0)
kernels = {"W": W, "W / sigma": W / sigma}
used = [name for name, kernel in kernels.items() if apart(answer, x @ kernel) < 1e-5]
print(f"{backend}: after fit the kernel's spectral norm is {kept:.3f}, predict uses {' and '.join(used)}")
if backend == "tensorflow":
    assert differences[0] < 1e-5 < 0.1 < differences[1], "TensorFlow's gradient has changed"
    assert abs(kept - 1) < 1e-4 and used == ["W / sigma"], "what fit keeps has changed"
else:
    assert differences[1] < 1e-5 < 0.1 < differences[0], "JAX's gradient has changed"
    assert abs(kept - sigma) < 1e-4 and used == ["W"], "what fit keeps has changed"
    model(x, training=True)
    called = norm(layer.kernel)
    print(f"{backend}: after a call with training=True the kernel's spectral norm is {called:.3f}")
    assert abs(called - 1) < 1e-4, "the call has changed"
PYTHON
export TF_CPP_MIN_LOG_LEVEL=3 JAX_PLATFORMS=cpu
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/compare.py"
done
