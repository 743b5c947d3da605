"""What the formulas' tests against the code share: points to draw, and how close is right."""

from hypothesis import given, settings
from hypothesis import strategies as st

from xent.texts.formulas import formula

scores = st.floats(-20, 20).filter(lambda z: z == 0 or abs(z) > 1e-3)
labels = st.sampled_from([0.0, 1.0])
signs = st.sampled_from([-1.0, 1.0])


def drawn(**strategies):
    """`given` without a clock: the first call imports sympy."""
    return lambda test: settings(deadline=None)(given(**strategies)(test))


def close(code, exact, scale=None):
    """Whether the code's number is the formula's to 1e-13 of it, or of the largest term that it is made of."""
    exact = float(exact)
    return abs(float(code) - exact) <= 1e-13 * max(abs(exact), abs(scale or 0.0))


def answer(z):
    return formula("sigmoid").at(z=z)


def truth_probability(z, y):
    """p_y, in 50 digits."""
    return answer(z if y == 1 else -z)
