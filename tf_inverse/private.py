"""Every use of what Keras and TensorFlow keep private, so that a new version is tried in one place.

Tried with Keras 3.15.1 and TensorFlow 2.21.0. Neither library has a public word for these things;
`tests/test_private.py` refuses a use of them anywhere else. Imports are inside the functions: the
command line asks for names of this module before it waits for TensorFlow.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import inspect
import io
import math
import os
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tf_inverse.tensors import Model, Tensor

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

FUNCTIONAL = "keras.src.models.functional"
"""Module by which a file of Keras names the class of functional models."""

OPERATIONS = "keras.src.ops"
"""Package by which a file of Keras names the modules of its plain operations."""


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """While open, Keras names what has no name as a new process does: `dense`, then `dense_1`.

    It counts all layers that a process ever made. A layer that another one makes for itself, as the
    softmax within attention, would have another name in every process that loads its file.

    Afterwards names are as they were before, after an error too: Keras leaves the scope of a layer
    open whose name TensorFlow refuses, and every later layer of the process would be named in it.
    """
    from keras.src.backend.common import global_state

    counts, scopes = "object_name_uids", "name_scope_stack"
    before = global_state.get_global_attribute(counts)
    opened = list(global_state.get_global_attribute(scopes) or [])
    global_state.set_global_attribute(counts, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(counts, before)
        global_state.set_global_attribute(scopes, opened)


def is_functional(model: keras.layers.Layer) -> bool:
    """Whether a model was made of the tensors between its inputs and outputs, or of a list."""
    import keras
    from keras.src.models import Functional

    return isinstance(model, Functional | keras.Sequential)


def functional(model: Model) -> Model:
    """The functional model inside a sequential one; any other model is its own."""
    return getattr(model, "_functional", model)


def layers(model: keras.layers.Layer, deep: bool = True, own: bool = False) -> Iterator[Any]:
    """The layers within a layer, those too that a subclassed model holds as attributes.

    Args:
        model: A model or another layer.
        deep: Whether layers within those layers come as well.
        own: Whether the layer itself comes first.
    """
    return model._flatten_layers(include_self=own, recursive=deep)


def calls(layer: keras.layers.Layer) -> list[Any]:
    """The calls of a layer on symbolic tensors, in order, by whatever model."""
    return layer._inbound_nodes


def nodes(model: Model) -> list[Any]:
    """The calls of layers that make up a functional or sequential model, in the order it runs."""
    depths = functional(model)._nodes_by_depth
    return [node for depth in sorted(depths, reverse=True) for node in depths[depth]]


def history(tensor: keras.KerasTensor) -> Any:
    """Where a symbolic tensor comes from: `operation`, `node_index` and `tensor_index`."""
    return tensor._keras_history


def untold(function: Any) -> Any:
    """The same `tf.function`, of which TensorFlow does not warn that it is traced often.

    It counts graphs by the line of the source that makes them. One graph for each set of layers is
    what we want, and a warning of a page for the fifth of them tells the user of no fault.
    """
    function._omit_frequent_tracing_warning = True
    return function


def tie_gradients() -> None:
    """Has the gradients of `tf.custom_gradient` live no longer than the graphs that they are of.

    TensorFlow registers each of them by a name and keeps it for ever, and with it the whole graph.
    Here the graph keeps its gradients, and the register only knows where they are.
    """
    import tensorflow as tf
    from tensorflow.python.framework import ops

    registered = ops.gradient_registry._registry

    def graph_of(gradient: Any) -> Any:
        # What TensorFlow registers calls a function, which knows the results it is a gradient of.
        for name in ("tape_grad_fn", "result"):
            code = getattr(gradient, "__code__", None)
            cells = zip(code.co_freevars, gradient.__closure__ or (), strict=True) if code else ()
            gradient = {cell: value.cell_contents for cell, value in cells}.get(name)
        tensors = tf.nest.flatten(gradient)
        return next((one.graph for one in tensors if tf.is_symbolic_tensor(one)), None)

    def tied(name: str, gradient: Any) -> functools.partial[Any]:
        def gone(_: Any) -> None:
            registered.pop(name, None)

        return functools.partial(called, weakref.ref(gradient, gone))

    def called(gradient: weakref.ref[Any], *given: Any) -> Any:
        found = gradient()
        assert found is not None  # the graph that asks for it keeps it
        return found(*given)

    # Names alone are listed at once; with pairs Python may tidy up meanwhile, and `gone` be called.
    for name in list(registered):
        entry = registered.get(name, {"type": None})
        graph = graph_of(entry["type"]) if name.startswith("CustomGradient-") else None
        if graph is not None:
            graph.tied_gradients = [*getattr(graph, "tied_gradients", ()), entry["type"]]
            entry["type"] = tied(name, entry["type"])


def is_bound(name: str) -> bool:
    """Whether a gradient that a program gave an operation works in one graph alone.

    Args:
        name: Under which TensorFlow registers it. One that a SavedModel brings is a function; where
            it takes tensors of the graph that it was traced in, no other graph has them. Of one
            that the SavedModel lacks, the name is unknown, or that of somebody else's gradient.
    """
    import tensorflow as tf
    from tensorflow.python.framework import ops

    try:
        gradient = ops.gradient_registry.lookup(name)
    except LookupError:
        return True
    brought = inspect.isfunction(gradient) and inspect.getclosurevars(gradient).nonlocals
    taken = brought.get("func") if brought else None
    return taken is None or any(map(tf.is_symbolic_tensor, taken.captured_inputs))


def is_cast(weight: keras.Variable) -> bool:
    """Whether layers cast a variable to the precision that they compute in."""
    return weight._autocast


@contextlib.contextmanager
def unfilled(allow: Callable[[int], None]) -> Iterator[list[keras.Variable]]:
    """While open, variables that start at an initializer's numbers take no memory: see `fill`.

    Keras's own `StatelessScope` refuses variables that start at an array, as some layers have them.
    Only one thread may be in it at a time; models that others make are made as ever.

    Args:
        allow: Is called with all numbers that the variables have together, whenever there is one
            more; what it raises ends the making of the model.

    Yields:
        The variables without memory, to which others are added.
    """
    from keras.src import backend

    kind, owner, waiting = backend.Variable, threading.get_ident(), []
    numbers = 0
    initialize = kind._initialize_with_initializer

    def defer(variable: keras.Variable, initializer: Callable[..., Any]) -> None:
        nonlocal numbers
        if threading.get_ident() != owner:
            return initialize(variable, initializer)
        numbers += math.prod(variable.shape)
        allow(numbers)
        waiting.append(variable)
        variable._value, variable._initializer = None, initializer

    kind._initialize_with_initializer = defer
    try:
        yield waiting
    finally:
        kind._initialize_with_initializer = initialize


def fill(waiting: Iterable[keras.Variable]) -> None:
    """Gives memory to variables that were made in `unfilled`.

    Where a variable starts at random numbers it gets zeros: they are as good for whoever reads its
    weights from a file, and drawing them takes longer than reading.
    """
    import keras
    from keras.src.initializers.random_initializers import RandomInitializer

    for variable in waiting:
        if isinstance(variable._initializer, RandomInitializer):
            variable._initializer = keras.initializers.Zeros()
        variable._deferred_initialize()


def load_weights(model: Model, weights: io.RawIOBase) -> None:
    """Give a model the weights of a `.keras` file.

    Keras's own `load_weights` has `zipfile` open them, which goes back by reading from the start
    again, as HDF5 asks of it for every layer: most of the time that a large model takes to load.

    Args:
        model: Built, as the file has it.
        weights: The file's member of HDF5, which may be read in any order.

    Raises:
        ValueError: They are not the weights of this model.
    """
    from keras.src.saving import saving_lib

    # Of an archive, Keras asks for nothing but the member.
    archive = types.SimpleNamespace(open=lambda *_: weights)
    failed: set[int] = set()
    errors: dict[int, Any] = {}
    store = saving_lib.H5IOStore("model.weights.h5", archive=archive, mode="r")
    with contextlib.closing(store):
        saving_lib._load_state(
            model,
            weights_store=store,
            assets_store=None,
            inner_path="",
            visited_saveables=set(),
            failed_saveables=failed,
            error_msgs=errors,
        )
    if failed:
        saving_lib._raise_loading_failure(errors)


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in a file of weights: `Conv2D` as `conv2d`."""
    from keras.src.utils.naming import to_snake_case

    return to_snake_case(name)


def operation(name: str) -> type[keras.Operation] | None:
    """The class of a plain operation of Keras's, as `Add`; None where it has none so called."""
    import keras
    from keras.src import ops

    found = [getattr(home, name, None) for home in (ops.numpy, ops.nn, ops.core, ops.math)]
    classes = [one for one in found if isinstance(one, type) and issubclass(one, keras.Operation)]
    return classes[0] if classes else None


def layer(name: str) -> type[keras.layers.Layer] | None:
    """The class of a layer of Keras's own that its `layers` does not hold; None for all others."""
    from keras.src.applications.convnext import LayerScale

    return LayerScale if name == "LayerScale" else None


def default_graph() -> tf.Graph:
    """The graph that operations are added to at this moment; one of its own for each loop."""
    import tensorflow as tf

    return tf.compat.v1.get_default_graph()


def called(op: tf.Operation) -> tf.Graph | None:
    """The graph of the function that an operation calls by its attribute `f`, None if unknown."""
    function = op.graph._get_function(op.get_attr("f").name)
    return function and function.graph


def inlined(function: Any) -> Any:
    """A concrete function with all calls of functions in place of their names, and no variables."""
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(
        function, lower_control_flow=False
    )


def unsized(tensor: Tensor, shape: tuple[int | None, ...]) -> Tensor:
    """The same tensor, of which the graph knows no more than this shape."""
    import tensorflow as tf

    return tf.compat.v1.placeholder_with_default(tensor, shape)


def gpu_memory() -> int:
    """Bytes of memory of the largest GPU that TensorFlow may use."""
    from tensorflow.python.client import device_lib

    gpus = [one for one in device_lib.list_local_devices() if one.device_type == "GPU"]
    return max(gpu.memory_limit for gpu in gpus)


def write_fingerprint(folder: str | os.PathLike[str]) -> None:
    """Write the fingerprint of a SavedModel anew, after its graph was changed on disk."""
    from tensorflow.python.saved_model import fingerprinting_utils

    fingerprinting_utils.write_fingerprint(os.fspath(folder))
