"""The article's experiment in plain Python: one sigmoid neuron, two starts, two costs. No dependency."""

from math import exp


def sigmoid(z):
    return 1 / (1 + exp(-z))


def learn(w, b, delta, rate=0.15, steps=300, x=1.0, y=0.0):
    """Gradient descent; delta(a, y) is ∂C/∂z. Returns the output before every step and after the last."""
    outputs = [sigmoid(w * x + b)]
    for _ in range(steps):
        push = delta(outputs[-1], y)
        w, b = w - rate * push * x, b - rate * push
        outputs.append(sigmoid(w * x + b))
    return outputs


def quadratic(a, y):  # C = (y − a)²/2
    return (a - y) * a * (1 - a)  # σ′(z) = a(1 − a) stays: badly wrong, hardly corrected


def cross_entropy(a, y):  # C = −[y log a + (1 − y) log(1 − a)]
    return a - y  # σ′(z) has cancelled


if __name__ == "__main__":
    for name, (w, b) in {"start 1": (0.6, 0.9), "start 2": (2.0, 2.0)}.items():
        for cost in (quadratic, cross_entropy):
            a = learn(w, b, cost)
            print(f"{name}, {cost.__name__:13s}  {a[0]:.2f} → {a[-1]:.2f}")
