"""What every method has in common: one look with its gradient, one test, one move."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from tf_inverse.errors import UsageError
from tf_inverse.networks.networks import View
from tf_inverse.networks.odds import log_odds

if TYPE_CHECKING:
    from tf_inverse.tensors import Tensor

STEP_FLOOR = 1e-30
# So that a range narrower than float32 tells apart does not divide by zero.
LEAST_WIDTH = 1e-6


class Target(NamedTuple):
    """The bands as tensors, so that one graph serves every neuron and range.

    Attributes:
        index: Where the p neurons are, [p, 3] int32.
        z1: Lower ends, [p].
        z2: Upper ends, [p].
        sd: Standard deviations of what the search goes by, [p]: natural ones of the activation, or
            those of its log-odds.
        likely: Which activations are probabilities, [p] booleans; None where none is.
    """

    index: Any
    z1: Any
    z2: Any
    sd: Any
    likely: Any = None

    def along(self, z: Tensor) -> Tensor:
        """Activations [p] or [K, p] as the search measures them: log-odds of probabilities."""
        return z if self.likely is None else tf.where(self.likely, log_odds(z), z)

    def beyond(self, z: Tensor) -> Tensor:
        """How far beyond its range each activation of z [K, p] lies, [K, p]; 0 within it."""
        return tf.nn.relu(self.z1 - z) + tf.nn.relu(z - self.z2)

    def nearest(self, z: Tensor) -> Tensor:
        """The activation of each target that is nearest to its range, [p]: see `nearest`."""
        return nearest(z, self.beyond(z))

    def short(self, s: Tensor, aim: Tensor, w: Tensor) -> Tensor:
        """How far short of an aim a row is as the search measures it, [K, p].

        Args:
            s: What the search goes by, [K, p].
            aim: Activations, [p] or [K, p].
            w: The unit, a distance of activations, [p].
        """
        middle = self.along(aim)
        # The way w on the side of the even odds: on the other there may be no end to it.
        unit = tf.where(aim > 0.5, middle - self.along(aim - w), self.along(aim + w) - middle)
        return (middle - s) / tf.maximum(unit, LEAST_WIDTH)


class Optimizer(NamedTuple):
    """A Keras optimizer whose variables come in and go out as tensors.

    Attributes:
        keras: The optimizer, built for `codes`.
        codes: Variable of the shape [K, d] of codes.
    """

    keras: Any
    codes: Any

    def apply(self, c: Tensor, g: Tensor, slots: tuple) -> tuple[Tensor, tuple]:
        """One step from codes c with gradient g: the codes and the slots after it."""
        for variable, slot in zip(self.keras.variables, slots, strict=True):
            variable.assign(slot)
        self.codes.assign(c)
        self.keras.apply([g], [self.codes])
        return tf.identity(self.codes.value), self.slots()

    def slots(self) -> tuple:
        """The optimizer's variables as they are."""
        return tuple(tf.identity(v.value) for v in self.keras.variables)


def optimizer(name: str | None, rate: float, shape: tuple[int, int]) -> Optimizer | None:
    """A Keras optimizer for codes [K, d] with a learning rate; None for no name.

    Raises:
        UsageError: Keras has none of that name.
    """
    if name is None:
        return None
    try:
        made = keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})
    except (ValueError, TypeError, KeyError):  # KeyError: one that is made of other optimizers
        raise UsageError(f"expected the name of a Keras optimizer, as adam, got {name!r}") from None
    codes = keras.Variable(tf.zeros(shape))
    made.build([codes])
    return Optimizer(made, codes)


Lagrangian: TypeAlias = "Callable[[Tensor, View], Tensor]"
"""(scaled encodings, what a look saw) -> the scalar that a step goes down."""


class Problem(NamedTuple):
    """What a step needs to know of the networks.

    Attributes:
        look: (c [K, d], index [p, 3]) -> View, differentiable; its e is what distances are between.
        image: Shape (H, W, C) of an image.
        c_sd: Standard deviation of starting codes: the unit of beta.
        e_sd: Standard deviation of what distances are between, over all entries.
        low: Smallest value of a code's entry.
        high: Largest value of a code's entry.
        bound: "both" or "paper"; see `lagrangian.margins`.
        optimizer: From `optimizer`, or None for the normalised gradient step.
        chunk: Codes in memory at a time, a divisor of K; None for all K.
        stored: Type in which an image is stored.
    """

    look: Callable[[Any, Any], View]
    image: tuple[int, ...]
    c_sd: float
    e_sd: float
    low: float
    high: float
    bound: str
    optimizer: Optimizer | None = None
    chunk: int | None = None
    stored: Any = tf.uint8

    def descend(
        self, c: Tensor, target: Target, lagrangian: Lagrangian
    ) -> tuple[View, Tensor, Tensor]:
        """One look, and the gradient of a Lagrangian of it.

        Args:
            c: Codes, [K, d].
            target: The bands.
            lagrangian: (e, view) -> scalar; e comes scaled, so that squared distances are per
                dimension and 2 on average between starting codes. Its gradient is taken with
                respect to e and view.s alone.

        Returns:
            View, gradient [K, d], and which rows [K] had a finite one (the others get zero).
        """
        if self.chunk is None:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(c)
                view = self.look(c, target.index)
                cost = lagrangian(self.scaled(view.e), view)
            g = tape.gradient(cost, c)
        else:
            view, g = self._descend_in_chunks(c, target, lagrangian)
        finite = tf.reduce_all(tf.math.is_finite(g), axis=1)
        return view, tf.where(finite[:, tf.newaxis], g, 0.0), finite

    def _descend_in_chunks(
        self, c: Tensor, target: Target, lagrangian: Lagrangian
    ) -> tuple[View, Tensor]:
        """The same view and gradient in two passes over chunks, so that activations fit in memory.

        The first pass looks; the gradient of the Lagrangian with respect to all e and s is small;
        the second looks again and sends each row's share back to its code.
        """
        split = tf.reshape(c, (-1, self.chunk, c.shape[1]))
        one_by_one = {"parallel_iterations": 1, "fn_output_signature": View(*(tf.float32,) * 4)}
        views = tf.map_fn(lambda part: self.look(part, target.index), split, **one_by_one)
        view = View(*(tf.reshape(a, (-1, *a.shape[2:])) for a in views))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((view.e, view.s))
            cost = lagrangian(self.scaled(view.e), view)
        zero = tf.UnconnectedGradients.ZERO
        shares = tape.gradient(cost, (view.e, view.s), unconnected_gradients=zero)

        def send_back(part: tuple[Tensor, ...]) -> Tensor:
            codes, *share = part
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(codes)
                seen = self.look(codes, target.index)
            return tape.gradient((seen.e, seen.s), codes, share, unconnected_gradients=zero)

        share_e, share_s = shares
        parts = (
            split,
            tf.reshape(share_e, tf.shape(views.e)),
            tf.reshape(share_s, tf.shape(views.s)),
        )
        one_by_one["fn_output_signature"] = tf.float32
        return view, tf.reshape(tf.map_fn(send_back, parts, **one_by_one), tf.shape(c))

    def scaled(self, e: Tensor) -> Tensor:
        """Encodings per dimension and per natural standard deviation.

        A row that is not finite gets zeros: its numbers would reach all other rows through the sums
        over pairs, and all later ones through the mean of the samples.
        """
        sound = tf.reduce_all(tf.math.is_finite(e), axis=-1, keepdims=True)
        e = tf.where(sound, e, 0.0)
        return e / (self.e_sd * tf.sqrt(tf.cast(tf.shape(e)[-1], e.dtype)))

    def feasible(self, z: Tensor, target: Target) -> Tensor:
        """Which rows [K] lie in every band, each end included."""
        inside = z >= target.z1
        if self.bound == "both":
            inside &= z <= target.z2
        return tf.reduce_all(inside, axis=1)

    def move(self, c: Tensor, g: Tensor, beta: Tensor, slots: tuple) -> tuple[Tensor, tuple]:
        """Codes after a step: c - beta g / mean|g| a row at a time, kept within their bounds.

        A Keras optimizer, where there is one, says the direction instead.

        Args:
            c: Codes, [K, d].
            g: Gradient, [K, d].
            beta: Step in units of the codes' standard deviation: a scalar or [K, 1].
            slots: Variables of the optimizer, from `slots` or an earlier call.

        Returns:
            The codes, and the slots of the next call.
        """
        if self.optimizer is None:
            size = tf.reduce_mean(tf.abs(g), axis=1, keepdims=True)
            step = -self.c_sd * g / tf.maximum(size, STEP_FLOOR)
        else:
            to, slots = self.optimizer.apply(c, g, slots)
            step = to - c
        return self.bounded(c + beta * step), tuple(slots)

    def slots(self) -> tuple:
        """The optimizer's variables at the start; none for the normalised gradient step."""
        return () if self.optimizer is None else self.optimizer.slots()

    def bounded(self, c: Tensor) -> Tensor:
        """The nearest codes within the bounds."""
        return tf.clip_by_value(c, self.low, self.high)


def nearest(z: Tensor, beyond: Tensor) -> Tensor:
    """The activation of each target that is nearest to its range, [p], out of z [K, p].

    Rows that are no numbers are left out; minus infinity where no row is one.

    Args:
        z: Activations, [K, p].
        beyond: How far beyond its range each is: `Target.beyond`; [K, p] or [K, 1].
    """
    sound = tf.math.is_finite(z)
    row = tf.argmin(tf.where(sound, beyond, float("inf")), axis=0)
    found = tf.gather(tf.transpose(z), row, batch_dims=1)
    return tf.where(tf.reduce_any(sound, axis=0), found, -float("inf"))
