"""Chains of equalisers, followers and a curve, whose numbers have a meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.filters import Curve
from tapezoo.architecture.shapes import Shapes, all_shapes


@dataclass(frozen=True)
class Numbers:
    """Trained numbers at controls p: `start + last tanh(first p + first_bias)`; without controls `start`.

    Args:
        count: N.
        start: (N,).
        first: (units, K); this and the next two are None without controls.
        first_bias: (units,).
        last: (N, units).
        units: Units of the small net; 0 without controls.
        controls: K.
    """

    count: int
    start: str
    first: str | None = None
    first_bias: str | None = None
    last: str | None = None
    units: int = 0
    controls: int = 0

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        found = {self.start: (self.count,)}
        if self.first is None or self.first_bias is None or self.last is None:
            return found
        own = {self.first: (self.units, self.controls), self.first_bias: (self.units,)}
        return {**found, **own, self.last: (self.count, self.units)}


@dataclass(frozen=True)
class Equaliser:
    """A low shelf, peaks and a high shelf in series, trapezoidal state-variable filters.

    Its numbers r are first those of the gains, then of the frequencies, then of the Q: gain `15 tanh(r)` dB, the others
    `lowest (highest / lowest)^sigmoid(r)`. A section is `v1 = a1 s1 + a2 (x - s2)`, `v2 = s2 + a2 s1 + a3 (x - s2)`,
    `y = m0 x + m1 v1 + m2 v2`, then `s1' = 2 v1 - s1`, `s2' = 2 v2 - s2`; `a1 = 1 / (1 + g (g + k))`, `a2 = g a1`,
    `a3 = g a2`, with `w = tan(pi frequency / sample_rate)` and `A = 10^(gain / 40)`:

        low shelf    g = w / sqrt(A)   k = 1 / Q         m0 = 1     m1 = k (A - 1)     m2 = A^2 - 1
        peak         g = w             k = 1 / (Q A)     m0 = 1     m1 = k (A^2 - 1)   m2 = 0
        high shelf   g = w sqrt(A)     k = 1 / Q         m0 = A^2   m1 = k (1 - A) A   m2 = 1 - A^2

    While controls move, its numbers follow them sample by sample.

    Args:
        numbers: Three for each section.
        lowest_hz: Of each section.
        highest_hz: Of each section.
        lowest_q: Of all.
        highest_q: Of each section.
        sample_rate: Hz.
        state: s1 and s2 of each section, (sections, 2).
    """

    numbers: Numbers
    lowest_hz: tuple[float, ...]
    highest_hz: tuple[float, ...]
    lowest_q: float
    highest_q: tuple[float, ...]
    sample_rate: int
    state: str

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return self.numbers.shapes()


@dataclass(frozen=True)
class Followers:
    """F followers `m_k[n] = p_k m_k[n-1] + (1 - p_k) s_k[n]`, `p_k = exp(-1000 / (time_ms sample_rate))`, from u to v.

    Its numbers r are three per follower. The first F give `time_ms = shortest_ms (longest_ms /
    shortest_ms)^sigmoid(r)`; F numbers c and F numbers d follow. "lag": `s_k = tanh(exp(c_k) u)`, `v = u + sum_k d_k
    (m_k - s_k)`. "level": `s_k = |u|`, `v = u exp(4 tanh(sum_k c_k m_k / 4)) + sum_k d_k m_k`.

    While controls move, the times use the newest setting from the start of each block; the others follow sample by
    sample.

    Args:
        does: "lag" or "level", see above.
        followers: F.
        numbers: 3 F.
        shortest_ms: See above.
        longest_ms: See above.
        sample_rate: Hz.
        state: m of each follower and an unused number, (F, 2).
    """

    does: Literal["lag", "level"]
    followers: int
    numbers: Numbers
    shortest_ms: float
    longest_ms: float
    sample_rate: int
    state: str

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return self.numbers.shapes()


@dataclass(frozen=True)
class DriveCurve:
    """`y = (tanh(d x + b) - tanh(b)) / (d (1 - tanh(b)^2))`.

    `log d = reach tanh(p / reach)`, `b = reach tanh(q / reach)`.

    Args:
        log_drive: p, (1,).
        bias: q, (1,).
        reach: See above.
    """

    log_drive: str
    bias: str
    reach: float
    kind: Literal["drive_curve"] = "drive_curve"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.log_drive: (1,), self.bias: (1,)}


@dataclass(frozen=True)
class PerceptronCurve:
    """`y = x + g(x) - g(0)`, `g(x) = third tanh(second tanh(first x + first_bias) + second_bias)`.

    Args:
        units: Of each of the two layers, H.
        first: (H, 1).
        first_bias: (H,).
        second: (H, H).
        second_bias: (H,).
        third: (1, H).
    """

    units: int
    first: str
    first_bias: str
    second: str
    second_bias: str
    third: str
    kind: Literal["perceptron_curve"] = "perceptron_curve"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        one = (self.units,)
        biases = dict.fromkeys((self.first_bias, self.second_bias), one)
        return {self.first: (*one, 1), self.second: (*one, *one), self.third: (1, *one), **biases}


@dataclass(frozen=True)
class GreyBoxChain:
    """`u = input(G x)`, `v = followers(u)`, `z = f(v + b) - f(b)`, `y = H output(z)`; `log G`, b and H are its levels.

    While controls move, the levels follow them sample by sample.

    Args:
        levels: Three numbers.
        input: Equaliser before the curve.
        followers: See there.
        curve: f.
        output: Equaliser after the curve.
    """

    levels: Numbers
    input: Equaliser
    followers: Followers
    curve: Curve | DriveCurve | PerceptronCurve
    output: Equaliser
    kind: Literal["grey_box_chain"] = "grey_box_chain"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return all_shapes(self.levels, self.input, self.followers, self.curve, self.output)
