"""Section 3.4 and eqs. 5 to 10 in NumPy float64, as they are printed.

Sums over pairs are double loops, slacks are found by minimising over them, C and C_0 are both
kept, and gradients are written out by hand for a world where encodings and activations are linear
in the codes: e = E c, z = W c. Nothing here knows the identities of tf_inverse.method.lagrangian.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class World(NamedTuple):
    """e = E c over `e_sd` sqrt(d_E), z = W c; bands [z1, z2] [p] in units of `sd` [p]."""

    W: np.ndarray
    E: np.ndarray
    z1: np.ndarray
    z2: np.ndarray
    sd: np.ndarray
    bound: str = "both"
    e_sd: float = 1.0
    c_sd: float = 1.0

    @property
    def encoder(self):
        """What gives encodings per dimension and without scale."""
        return self.E / (self.e_sd * np.sqrt(len(self.E)))

    def sides(self):
        """Every constraint as (row of W, sign, end, sd): sign * (w c - end) / sd >= 0."""
        lower = list(zip(self.W, np.ones(len(self.W)), self.z1, self.sd, strict=True))
        if self.bound == "paper":
            return lower
        return lower + list(zip(self.W, -np.ones(len(self.W)), self.z2, self.sd, strict=True))

    def feasible(self, c):
        """Whether one code is in every band (its lower side alone for bound="paper")."""
        return all(sign * (w @ c - end) >= 0 for w, sign, end, _ in self.sides())


def pair_sum(a, b, weights=None):
    """Sum over i, j of w_j |a_i - b_j|^2."""
    weights = np.ones(len(b)) if weights is None else weights
    total = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            total += weights[j] * np.sum((a[i] - b[j]) ** 2)
    return total


def slack(g, lam, mu):
    """The s >= 0 that minimises -lam (g - s) + mu / 2 (g - s)^2, by bisection of its slope."""

    def slope(s):
        return lam - mu * (g - s)

    low, high = 0.0, 1.0 + abs(g) + abs(lam) / mu
    if slope(low) >= 0:
        return 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def constraint_terms(g, lam, mu):
    """Last two terms of eq. 8, one g, lam a row and side: -sum lam (g - s) + mu / 2 (g - s)^2."""
    total = 0.0
    for g_, lam_ in zip(np.ravel(g), np.ravel(lam), strict=True):
        h = g_ - slack(g_, lam_, mu)
        total += -lam_ * h + mu / 2 * h**2
    return total


def seeds_lagrangian(e, g, lam, mu):
    """Eq. 8."""
    return -pair_sum(e, e) + constraint_terms(g, lam, mu)


def walk_lagrangian(e, g, lam, mu, e0):
    """Eq. 10; e0 are the encodings of C_0."""
    return -pair_sum(e, e) - pair_sum(e, e0) + constraint_terms(g, lam, mu)


def margins(world, c, inside=0.0):
    """g of one code, [m], aiming `inside` the ends."""
    return np.array([(sign * (w @ c - end) - inside) / sd for w, sign, end, sd in world.sides()])


def gradient(world, C, C0, lam, mu, inside=0.0, diversity=1.0, centres=None):
    """Of eq. 10 (eq. 8 where C_0 is empty) with respect to every code, [K, d].

    Args:
        world: Linear world.
        C: Codes, [K, d].
        C0: Last feasible codes, [K0, d].
        lam: Multipliers, [K, m].
        mu: Penalty weight: a number, or one a row.
        inside: How far inside the ends to aim.
        diversity: Weight of both sums over pairs.
        centres: Ends [K, m] of each row in place of the world's.
    """
    E, out = world.encoder, np.zeros_like(C)
    mu = np.broadcast_to(mu, len(C))
    for i in range(len(C)):
        for j in range(len(C)):
            # The pair is in the sum twice, as (i, j) and as (j, i).
            out[i] -= diversity * 4 * E.T @ (E @ (C[i] - C[j]))
        for c0 in C0:
            out[i] -= diversity * 2 * E.T @ (E @ (C[i] - c0))
        for k, (w, sign, end, sd) in enumerate(world.sides()):
            end = end if centres is None else centres[i, k]
            g = (sign * (w @ C[i] - end) - inside) / sd
            # The slack is at its minimum: its own derivative adds nothing.
            h = g - slack(g, lam[i, k], mu[i])
            out[i] += (-lam[i, k] + mu[i] * h) * sign * w / sd
    return out


def moved(C, gradient, beta, c_sd=1.0):
    """c - beta g / mean|g|, a row at a time; beta is a number, or one a row."""
    beta = np.broadcast_to(beta, len(C))
    return np.array(
        [
            c - b * c_sd * g / np.mean(np.abs(g)) if np.any(g) else c
            for c, g, b in zip(C, gradient, beta, strict=True)
        ]
    )


class Pace:
    """Shares of beta that the seeds of a linear world step, from one look to the next.

    A row that moved by more than takes it a quarter of the range beyond its middle moves less.
    """

    def __init__(self, world):
        self.world, self.before, self.shares = world, None, None

    def __call__(self, C):
        """The shares at codes C, one a row."""
        world = self.world
        middle, whole = (world.z1 + world.z2) / 2, world.z2 - world.z1
        short = [(middle - world.W @ c) / whole for c in C]
        if self.before is None or world.bound == "paper":
            self.shares = [1.0] * len(C)
        else:
            for i, (now, before) in enumerate(zip(short, self.before, strict=True)):
                worst = max(range(len(now)), key=lambda k: abs(now[k]))
                came = abs(now[worst] - before[worst]) / self.shares[i]
                room = abs(now[worst]) + 0.25
                self.shares[i] = 1.0 if came <= room else room / came
        self.before = short
        return list(self.shares)


def seeds_round(world, C, lam, mu, *, beta, pace, diversity=1.0, a=10.0, steps=100):
    """One round of section 3.4's first half; `pace` goes on from round to round.

    Returns:
        C, lam, mu, steps taken; multipliers are of the last activations that were looked at.
    """
    inside = (world.z2[0] - world.z1[0]) / 2
    assert np.allclose(world.z2 - world.z1, 2 * inside)
    for taken in range(1, steps + 1):
        looked = C
        if all(world.feasible(c) for c in C):
            return C, lam, mu, taken
        shares = beta * np.array(pace(C))
        C = moved(C, gradient(world, C, [], lam, mu, inside, diversity), shares, world.c_sd)
    following = np.zeros_like(lam)
    for i, c in enumerate(looked):
        for k, g in enumerate(margins(world, c, inside)):
            following[i, k] = lam[i, k] - mu * (g - slack(g, lam[i, k], mu))
    return C, following, a * mu, steps


def walk_step(world, C, lam, mu, beta, diversity=1.0):
    """One step of section 3.4's second half: candidates C come in.

    Returns:
        C_0 (the feasible candidates: samples), and the next candidates.
    """
    C0 = [c for c in C if world.feasible(c)]
    return C0, moved(C, gradient(world, C, C0, lam, mu, 0.0, diversity), beta, world.c_sd)
