"""The sites of cost functions that were called: PyTorch's, and xent's own, whose activation is part of them."""

from __future__ import annotations

from xent.doctor import ours
from xent.doctor.natures import REACH, Nature, Natures
from xent.doctor.sites.site import ERRORS, Site
from xent.doctor.trace import Call, Value
from xent.outputs import Output

FORMS = {
    "cross_entropy": "cross-entropy", "nll_loss": "nll", "binary_cross_entropy": "bce", "mse_loss": "squared",
    "l1_loss": "absolute", "gaussian_nll_loss": "gaussian",
    "binary_cross_entropy_with_logits": "bce-logits", "multilabel_soft_margin_loss": "bce-logits", "smooth_l1_loss": "huber",
    "huber_loss": "huber", "kl_div": "kl", "poisson_nll_loss": "poisson",
    "soft_margin_loss": "logistic", "hinge_embedding_loss": "hinge-embedding", "multi_margin_loss": "multi-margin",
}  # fmt: skip
"""What PyTorch's cost functions do with (input, target)."""


def called(call: Call, natures: Natures) -> Site | None:
    """The site of a call; None for a cost that compares nothing with a target, or two answers with each other."""
    a, target = call.args.get("input"), call.args.get("target")
    if not isinstance(a, Value):
        return None
    if isinstance(call.args.get("output"), Output):
        return _of_ours(call, a, natures)
    form = FORMS.get(call.name)
    if form is None:
        return None
    if isinstance(target, Value) and target.learns and form in (*ERRORS, "bce"):
        if not a.learns:
            a, target = target, a
        elif form in ERRORS:
            return None
    axis = (1 if len(a.shape) > 1 else 0) if form in ("cross-entropy", "nll", "multi-margin") else None
    nature = natures.of(a)
    if form == "kl":
        told = natures.of(target).axis if isinstance(target, Value) else None
        axis = next((i for i in (nature.axis, told) if i is not None), 1 if len(a.shape) > 1 else None)
    return Site(form, a, target, axis, call, nature=nature)


def _of_ours(call: Call, a: Value, natures: Natures) -> Site:
    output, target = call.args["output"], call.args.get("target")
    form, nature, squash = ours.form(output), natures.of(a), output.activation.name
    axis = call.args.get("axis") if output.activation.vector else None
    if nature.squashed or nature.is_log:
        if form in ERRORS and squash in REACH:
            form = "cross-entropy" if squash == "softmax" else "bce-logits"  # what wants logits, whatever it makes of them
        return Site(form, a, target, axis, call, nature=nature)
    if form in ERRORS and squash in REACH:
        nature = Nature(squash, a, axis, low=REACH[squash][0], high=REACH[squash][1])
    elif form in ERRORS and squash != "identity":
        nature = Nature("rectified", a, inner=squash)
    return Site(form, a, target, axis, call, nature=nature, output=output)
