"""The state of renewal's pool, and what is made from the table of its fields.

The annotations of `PoolState` are the one table. The initial state, the open shapes of the compiled
loop, the inputs of an export and its card, and the reading of a checkpoint all follow from it.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, get_type_hints

import tensorflow as tf

from tf_inverse import private
from tf_inverse.method.problem import Target
from tf_inverse.tensors import Tensor


class Field(NamedTuple):
    """One field of the state.

    Attributes:
        dtype: Name of its type.
        axes: What each axis counts: K rows, d entries of a code, d_E of an encoding, p neurons,
            m margins; or a fixed size.
        meaning: What the field holds, as the card of an export says it.
    """

    dtype: str
    axes: tuple[str | int, ...]
    meaning: str

    def shape(self, **sizes: Any) -> tuple[Any, ...]:
        """The sizes of the axes; None where the caller gives none."""
        return tuple(sizes.get(axis) if isinstance(axis, str) else axis for axis in self.axes)


class PoolState(NamedTuple):
    """What the next step needs. The annotation of each field says its type, axes and meaning.

    Attributes:
        slots: Variables of a Keras optimizer; empty for the normalised gradient step.
        start: (Codes that the rows began at, [K, d]), or () where nobody asks how far they went.
    """

    c: Annotated[Any, Field("float32", ("K", "d"), "codes of the pool")]
    lam: Annotated[
        Any,
        Field("float32", ("K", "m"), "multipliers, zero at first; one column a neuron and side"),
    ]
    mu: Annotated[Any, Field("float32", ("K", 1), "penalty weights, mu0 at first")]
    t: Annotated[Any, Field("float32", ("K", "p"), "aims as shares of the range")]
    age: Annotated[Any, Field("int32", ("K",), "steps since the row started, zero at first")]
    given: Annotated[Any, Field("int32", ("K",), "samples since the row started, zero at first")]
    short: Annotated[
        Any,
        Field(
            "float32",
            ("K", "p"),
            "how far short of its aims a row was at its last look, in bands; any at age 0",
        ),
    ]
    stride: Annotated[
        Any, Field("float32", ("K",), "its last step as a share of beta; any at age 0")
    ]
    nearest: Annotated[
        Any, Field("float32", ("K",), "how near to its aim it came, in bands; any at age 0")
    ]
    since: Annotated[Any, Field("int32", ("K",), "steps since it came that near; any at age 0")]
    total: Annotated[
        Any, Field("float32", ("d_E",), "sum of the scaled encodings of all samples, zero at first")
    ]
    found: Annotated[Any, Field("int64", (), "samples so far, zero at first")]
    step: Annotated[Any, Field("int64", (), "gradient steps so far, zero at first")]
    slots: tuple = ()
    start: tuple = ()


def fields(state: type[Any] = PoolState) -> dict[str, Field]:
    """Name -> field of a state whose annotations are a table, in order."""
    hints = get_type_hints(state, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


FIELDS = fields()
# Fields that have a row for each code.
ROWS = tuple(name for name, field in FIELDS.items() if field.axes[:1] == ("K",))


class Fresh(NamedTuple):
    """Random numbers for restarts, drawn outside the graph: codes c [R, d] and aims t [R, p]."""

    c: Any
    t: Any


def init(
    c: Tensor,
    t: Tensor,
    m: int | Tensor,
    d_E: int,
    mu0: float,
    slots: tuple = (),
    tracked: bool = False,
    state: type[Any] = PoolState,
    G: int | None = None,
) -> Any:
    """A pool of fresh rows. Fields that the arguments do not give are zero.

    Args:
        c: Codes, [K, d].
        t: Aims as shares of the band, [K, p].
        m: Margins a row.
        d_E: Numbers of an encoding.
        mu0: First penalty weight.
        slots: Variables of an optimizer.
        tracked: Whether the pool remembers the codes that its rows began at.
        state: Class of the state, whose annotations are its table.
        G: Neurons that the rows serve, of a state that counts for each of them.
    """
    c, t = (tf.convert_to_tensor(rows, tf.float32) for rows in (c, t))
    K = tf.shape(c)[0]
    first = {"c": c, "t": t, "mu": tf.fill((K, 1), tf.constant(mu0, tf.float32))}
    sizes = {"K": K, "d": c.shape[1], "p": tf.shape(t)[1], "m": m, "d_E": d_E, "G": G}
    for name, field in fields(state).items():
        if name not in first:
            first[name] = tf.zeros(field.shape(**sizes), field.dtype)
    return state(**first, slots=slots, start=(c,) if tracked else ())


def unsized(pool: Any, target: Target, fresh: Any) -> tuple[Any, Target, Any]:
    """The same tensors, of which the graph does not know how many rows and neurons they have.

    Otherwise the graph would fold these numbers into its constants, and round otherwise than an
    export does, which serves any number of both.
    """

    def open_(tensor: Tensor, *columns: int | None) -> Tensor:
        return private.unsized(tensor, (None, *columns))

    d, opened = pool.c.shape[1], {}
    for name, field in fields(type(pool)).items():
        if field.axes[:1] in (("K",), ("G",)):
            opened[name] = open_(getattr(pool, name), *field.shape(d=d)[1:])
    opened["start"] = tuple(open_(c, d) for c in pool.start)
    likely = None if target.likely is None else open_(target.likely)
    ends = open_(target.z1), open_(target.z2)
    target = Target(target.index, *ends, open_(target.sd), likely)
    rows = type(fresh)(open_(fresh.c, d), open_(fresh.t, None), *map(open_, fresh[2:]))
    return pool._replace(**opened), target, rows
