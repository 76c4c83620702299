"""Gradients and compiled steps on whichever backend Keras runs: TensorFlow, JAX or PyTorch.

A training says in `keras.ops` what one step does, and this module alone knows how each backend
differentiates and compiles it. JAX wants functions without side effects. So there a step runs
inside `keras.StatelessScope`: variables read what was handed in, and what the step assigns is
handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from tf_inverse.tensors import Tensor

Batch = dict[str, Any]
"""What one step is given, by name: arrays of numbers."""
Step = Callable[[Batch], dict[str, Tensor]]
Differentiated = Callable[[], tuple[Tensor, Any]]
"""A function without arguments: a loss, and whatever else its caller wants to have."""


def engine(changing: Sequence[keras.Variable], fixed: Sequence[keras.Variable] = ()) -> Engine:
    """The engine of the backend that Keras runs on.

    Args:
        changing: Every variable that a step may assign, those of optimizers too.
        fixed: Variables that a step only reads, such as those of a network that is not trained.
    """
    name = keras.backend.backend()
    return {"tensorflow": _TensorFlow, "jax": _Jax, "torch": _Torch}[name](changing, fixed)


class Engine:
    """What a training asks of a backend.

    Args:
        changing: As of `engine`.
        fixed: As of `engine`.
    """

    def __init__(
        self, changing: Sequence[keras.Variable], fixed: Sequence[keras.Variable] = ()
    ) -> None:
        self.changing, self.fixed = list(changing), list(fixed)
        self._values: list[Tensor] = []

    def compiled(self, step: Step) -> Step:
        """The step as one program; it is compiled anew for each set of names and shapes.

        Variables must not be read between steps before `settle`.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Gives the variables the values that the steps so far have left."""

    def gradients(
        self, function: Differentiated, variables: Sequence[keras.Variable]
    ) -> tuple[Any, list[Tensor]]:
        """What a function gives besides its loss, and the gradients of the loss.

        Args:
            function: Its loss is differentiated; what it assigns to variables stays assigned.
            variables: That the gradients are for.
        """
        raise NotImplementedError

    def slope(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The gradient of a function's number at x; the function must assign nothing."""
        raise NotImplementedError

    def apply(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
    ) -> None:
        """One step of an optimizer."""
        optimizer.apply(gradients, variables)


class _TensorFlow(Engine):
    def compiled(self, step: Step) -> Step:
        import tensorflow as tf

        graph = tf.function(step, autograph=False)
        return lambda batch: graph({name: tf.constant(one) for name, one in batch.items()})

    def gradients(
        self, function: Differentiated, variables: Sequence[keras.Variable]
    ) -> tuple[Any, list[Tensor]]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, more = function()
        return more, tape.gradient(loss, [variable.value for variable in variables])

    def slope(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)


class _Jax(Engine):
    def compiled(self, step: Step) -> Step:
        import jax

        def pure(
            changing: list[Tensor], fixed: list[Tensor], batch: Batch
        ) -> tuple[list[Tensor], dict[str, Tensor]]:
            with self._scope(zip(self.changing + self.fixed, changing + fixed, strict=True)):
                logs = step(batch)
                # Inside the scope a variable's value is what was assigned last.
                return [variable.value for variable in self.changing], logs

        program = jax.jit(pure, donate_argnums=0)
        fixed = [variable.value for variable in self.fixed]

        def run(batch: Batch) -> dict[str, Tensor]:
            # To assign hundreds of variables takes as long as a small step on a GPU.
            values = self._values or [variable.value for variable in self.changing]
            self._values, logs = program(values, fixed, batch)
            return logs

        return run

    def settle(self) -> None:
        if self._values:
            for variable, value in zip(self.changing, self._values, strict=True):
                variable.assign(value)
        self._values = []

    def gradients(
        self, function: Differentiated, variables: Sequence[keras.Variable]
    ) -> tuple[Any, list[Tensor]]:
        import jax

        chosen = {id(variable) for variable in variables}
        others = [one for one in self.changing + self.fixed if id(one) not in chosen]
        # A scope within a scope knows nothing of the outer one, so that it is told everything.
        known = [(variable, variable.value) for variable in others]

        def pure(values: list[Tensor]) -> tuple[Tensor, Any]:
            with self._scope([*zip(variables, values, strict=True), *known]):
                loss, more = function()
                return loss, (more, [variable.value for variable in others])

        values = [variable.value for variable in variables]
        gradients, (more, assigned) = jax.grad(pure, has_aux=True)(values)
        for (variable, before), value in zip(known, assigned, strict=True):
            if value is not before:
                variable.assign(value)
        return more, gradients

    def slope(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        import jax

        return jax.grad(function)(x)

    @staticmethod
    def _scope(pairs: Iterable[tuple[keras.Variable, Tensor]]) -> keras.StatelessScope:
        return keras.StatelessScope(state_mapping=list(pairs))


class _Torch(Engine):
    def compiled(self, step: Step) -> Step:
        # PyTorch runs as it reads; Keras moves the arrays to its device.
        return lambda batch: step(
            {name: keras.ops.convert_to_tensor(one) for name, one in batch.items()}
        )

    def gradients(
        self, function: Differentiated, variables: Sequence[keras.Variable]
    ) -> tuple[Any, list[Tensor]]:
        import torch

        loss, more = function()
        values = [variable.value for variable in variables]
        return more, list(torch.autograd.grad(loss, values))

    def slope(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        import torch

        x = x.detach().requires_grad_()
        return torch.autograd.grad(function(x), [x])[0]

    def apply(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
    ) -> None:
        import torch

        with torch.no_grad():  # else PyTorch keeps a record of every step
            optimizer.apply(gradients, variables)
