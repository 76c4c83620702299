"""Langevin dynamics of codes within the bands, with an exact acceptance test.

The target is a law: codes c = T(u) with u standard normal (`networks.code_law`), conditioned on
every activation f(G(c)) lying in its band. Three moves leave it unchanged. Each is a proposal that
is reversible with respect to the law of u, followed by the Metropolis test, which here asks only
whether the proposal's stored image lies in the bands:

- move: u' = u cos(a) + v sin(a) with a fresh normal v, the Crank-Nicolson step of the Langevin
  equation du = -u dt + sqrt(2) dW (Cotter, Roberts, Stuart and White 2013, eq. 1.2 with a zero
  potential). It changes activations within the band.
- turn: the same step as a Hamiltonian one, (u, v) -> (u cos a + v sin a, v cos a - u sin a). Where
  it ends outside, v is reflected at the gradient of the score there and the step is taken again
  (Betancourt 2011, Skilling 2012, and Neal 2003, section 7). The map preserves volume and energy
  and is its own inverse but for the sign of v, so it is exact however curved the band's border is;
  along a flat border it always succeeds, however narrow the band. It changes all else.
- hop: to another member j of a bank, drawn from fixed chances q and accepted with the probability
  min(1, q_i / q_j) if it lies in the bands.

The same moves serve `splitting`, whose sets {score >= level} lead from typical codes to the bands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tf_inverse.compute.device import compiled
from tf_inverse.method.problem import Problem, Target

if TYPE_CHECKING:
    from tf_inverse.networks.code_law import CodeLaw
    from tf_inverse.networks.networks import View
    from tf_inverse.tensors import Tensor

TINY = 1e-30


class Aim(NamedTuple):
    """A set of codes: those in all bands, or those whose score reaches a level.

    Attributes:
        target: The bands.
        first: Ends that are climbed to first, [2, p] booleans: lower ends, then upper ones.
        level: Least score of the set, scalar; 0 for the bands themselves.
    """

    target: Target
    first: Any
    level: Any


class Walkers(NamedTuple):
    """Codes on their way: normal numbers u [K, size] and members i [K] int32 of the bank."""

    u: Any
    i: Any


class Noise(NamedTuple):
    """Random numbers of S steps, drawn outside the graph.

    Attributes:
        v: Standard normal, [S, K, size].
        j: Members to hop to, drawn from the chances q, [S, K] int32.
        chance: Uniform in [0, 1), [S, K].
    """

    v: Any
    j: Any
    chance: Any


def score(problem: Problem, view: View, aim: Aim) -> Tensor:
    """How near to the bands each row is, [K]: 0 inside them, smaller the farther away.

    Distances are in standard deviations of what the search goes by. The ends that typical codes
    have to climb to come first: with one of them missing the score is -1 less the largest of their
    distances. Else it lies between -1 and 0, by the largest distance d beyond any other end:
    -d / (1 + d). So its levels are nested sets that begin with one-sided ones.
    """
    target = aim.target
    below = tf.nn.relu(target.along(target.z1) - view.s) / target.sd
    above = tf.nn.relu(view.s - target.along(target.z2)) / target.sd
    if problem.bound == "paper":
        above = tf.zeros_like(above)
    short = tf.stack([below, above], axis=1)
    first = tf.reduce_max(tf.where(aim.first, short, 0.0), axis=(1, 2))
    rest = tf.reduce_max(short, axis=(1, 2))
    value = tf.where(first > 0.0, -1.0 - first, -rest / (1.0 + rest))
    # Rounding may tell log-odds apart from the ends of a band of probabilities: the test decides.
    return tf.where(problem.feasible(view.z, target), 0.0, tf.minimum(value, -TINY))


def inside(problem: Problem, view: View, aim: Aim) -> Tensor:
    """Which rows [K] belong to the set."""
    return score(problem, view, aim) >= aim.level


def make_moves(problem: Problem, law: CodeLaw) -> dict[str, Callable[..., tuple[Walkers, Tensor]]]:
    """The three moves.

    Returns:
        Name -> move(walkers, aim, v [K, size], j [K], chance [K], angle, q [members]) ->
        (walkers, accepted [K]). All walkers have to be in the set; all stay there.
    """

    def look(walkers: Walkers, aim: Aim) -> View:
        return problem.look(law.code(walkers.u, walkers.i), aim.target.index)

    def kept(walkers: Walkers, proposal: Walkers, accepted: Tensor) -> Walkers:
        u = tf.where(accepted[:, tf.newaxis], proposal.u, walkers.u)
        return Walkers(u, tf.where(accepted, proposal.i, walkers.i))

    def move(
        walkers: Walkers, aim: Aim, v: Tensor, j: Tensor, chance: Tensor, angle: Tensor, q: Tensor
    ) -> tuple[Walkers, Tensor]:
        proposal = Walkers(walkers.u * tf.cos(angle) + v * tf.sin(angle), walkers.i)
        accepted = inside(problem, look(proposal, aim), aim)
        return kept(walkers, proposal, accepted), accepted

    def turn(
        walkers: Walkers, aim: Aim, v: Tensor, j: Tensor, chance: Tensor, angle: Tensor, q: Tensor
    ) -> tuple[Walkers, Tensor]:
        cos, sin = tf.cos(angle), tf.sin(angle)
        u = walkers.u * cos + v * sin
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(u)
            here = score(problem, look(Walkers(u, walkers.i), aim), aim)
        normal = tape.gradient(here, u)
        size = tf.norm(normal, axis=1, keepdims=True)
        normal = tf.math.divide_no_nan(normal, size)
        v = v * cos - walkers.u * sin
        v -= 2.0 * tf.reduce_sum(normal * v, axis=1, keepdims=True) * normal
        straight = here >= aim.level
        # A row that is inside after the first half has no use for the second: it looks at itself.
        end = tf.where(straight[:, tf.newaxis], u, u * cos + v * sin)
        proposal = Walkers(end, walkers.i)
        finite = tf.reduce_all(tf.math.is_finite(end), axis=1)
        accepted = straight | (finite & inside(problem, look(proposal, aim), aim))
        return kept(walkers, proposal, accepted), accepted

    def hop(
        walkers: Walkers, aim: Aim, v: Tensor, j: Tensor, chance: Tensor, angle: Tensor, q: Tensor
    ) -> tuple[Walkers, Tensor]:
        ratio = tf.gather(q, walkers.i) / tf.gather(q, j)
        proposal = Walkers(walkers.u, j)
        accepted = (chance < ratio) & inside(problem, look(proposal, aim), aim)
        return kept(walkers, proposal, accepted), accepted

    return {"move": move, "turn": turn, "hop": hop}


LOOKS = {"move": 1, "turn": 3, "hop": 1}
"""Network passes of each move; a gradient counts as one."""


def make_advance(
    problem: Problem, law: CodeLaw, cycle: tuple[str, ...]
) -> Callable[..., tuple[Walkers, Tensor, Tensor, View, Tensor]]:
    """Several rounds, each of which takes the moves of the cycle in turn.

    Args:
        problem: The networks.
        law: Of the codes.
        cycle: Names of moves.

    Returns:
        Compiled advance(walkers, aim, noise, rounds, angles, q) -> (walkers, accepted, scores,
        view, c). `angles` and `accepted` have a number for each move of the cycle, the latter
        summed over rows and rounds; scores [K], the View and the codes are of the walkers as they
        end. With no rounds it looks at the walkers alone.
    """
    moves = make_moves(problem, law)

    @compiled
    def advance(
        walkers: Walkers, aim: Aim, noise: Noise, rounds: Tensor, angles: Tensor, q: Tensor
    ) -> tuple[Walkers, Tensor, Tensor, View, Tensor]:
        counts = tf.zeros((len(cycle),), tf.int32)
        for t in tf.range(rounds):
            walkers, counts = one_round(walkers, aim, noise, angles, q, t, counts)
        c = law.code(walkers.u, walkers.i)
        view = problem.look(c, aim.target.index)
        return walkers, counts, score(problem, view, aim), view, c

    def one_round(
        walkers: Walkers,
        aim: Aim,
        noise: Noise,
        angles: Tensor,
        q: Tensor,
        t: Tensor,
        counts: Tensor,
    ) -> tuple[Walkers, Tensor]:
        found = []
        for s, name in enumerate(cycle):
            at = t * len(cycle) + s
            numbers = noise.v[at], noise.j[at], noise.chance[at]
            walkers, accepted = moves[name](walkers, aim, *numbers, angles[s], q)
            found.append(tf.reduce_sum(tf.cast(accepted, tf.int32)))
        return walkers, counts + tf.stack(found)

    return advance
