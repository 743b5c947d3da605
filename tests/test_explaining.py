"""The pages of `xent explain`: complete in both languages, their numbers and their lines of PyTorch true of the library."""

import re
import tomllib
from importlib.resources import files

import numpy as np
import pytest
import torch

import xent
from xent import texts
from xent.errors import InputError, PairError, UnknownNameError
from xent.explaining import contents, number, page
from xent.explaining.derivations import pair_name
from xent.outputs import curves
from xent.outputs.registry import ACTIVATIONS, COSTS
from xent.texts import LANGUAGES
from xent.texts.formulas import formula, formulas

NAMES = [name for name, _ in contents()]
PAIRS = [str(output) for output in xent.catalogue()]
BEYOND = ["focal@tanh", "poly@tanh", "lq@tanh", "smooth(focal)@softmax", "smooth(quadratic)@tanh", "smooth(absolute)@sigmoid",
          "quadratic@relu", "quadratic@softplus", "focal(gamma=0)", "symmetric-cross-entropy(alpha=0)@sigmoid"]  # fmt: skip


def stored(name):
    return tomllib.loads((files("xent.texts") / f"{name}.toml").read_text(encoding="utf-8"))


def flat(table, path=()):
    """(path, text) of every text of a page."""
    for key, value in table.items():
        yield from flat(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


# ── completeness ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [*NAMES, *COSTS, *BEYOND])
def test_every_page_is_complete(name, language):
    shown = page(name, language)
    assert shown.title
    assert shown.aka
    assert shown.idea
    assert shown.source
    assert shown.formulas
    assert np.isfinite(shown.plot.y).sum() > 50
    assert [section.id for section in shown.sections][1:] == ["use", "avoid"]
    said = [shown.idea, shown.source, *(s.body for s in shown.sections), *(line.reason for line in shown.derivation)]
    assert all(text.strip() and "{" not in text and "nan" not in text for text in said)
    if name not in ACTIVATIONS:
        assert len(shown.derivation) >= 2
        assert shown.derivation[-1].formula.text().startswith("gain = ")
        assert len(shown.samples) >= 3
        assert [fact.id for fact in shown.facts][-3:] == ["domain", "targets", "soft"]


def test_both_languages_have_the_same_keys_and_placeholders():
    one, other = (dict(flat(texts.page("explain", language))) for language in LANGUAGES)
    assert one.keys() == other.keys()
    for path, text in one.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", other[path])), path


def test_texts_are_about_what_there_is_and_all_of_it():
    words = texts.page("explain", "en")
    assert set(words["costs"]) == set(COSTS)
    assert set(words["activations"]) == set(ACTIVATIONS)
    assert set(words["pairs"]) == {pair_name(output) for output in xent.catalogue()}
    assert set(stored("libraries")) == set(words["pairs"]) | set(ACTIVATIONS)
    derivations = stored("derivations")
    steps = [step for group in ("pairs", "general") for several in derivations[group].values() for step in several]
    steps += derivations["smoothed"].values()
    assert {step["why"] for step in steps} == set(words["reasons"])
    used = {step["formula"] for step in steps} | set(derivations["costs"].values())
    used |= {key for keys in derivations["activations"].values() for key in keys}
    assert {key for key in used if "{" not in key} <= set(formulas())


def test_no_formula_is_typed_twice():
    """What a page states as a formula comes from formulas.toml: no text has an equals sign in a formula of δ, C or L."""
    for language in LANGUAGES:
        for path, text in flat(texts.page("explain", language)):
            assert not re.search(r"(^|[ （(])\*?[CLδ]\*? = ", text), path


@pytest.mark.parametrize("name", COSTS)
def test_the_source_is_the_one_of_the_code(name):
    documented = COSTS[name].__doc__
    for language in LANGUAGES:
        years = re.findall(r"[（( ](\d{4})", texts.page("explain", language)["costs"][name]["source"])
        assert years
        assert all(year in documented for year in years)


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", PAIRS)
def test_the_samples_are_the_library_s_at_the_errors_they_name(name):
    """Found again from the other side: z by its own formula, error by its meaning."""
    output, shown = xent.output(name), page(name).samples
    wrong = np.asarray([0.5, 0.9, 0.98, 0.999])
    if output.activation.name == "softmax":
        z, y = np.stack([np.log(2 * (1 - wrong) / wrong), 0 * wrong, 0 * wrong], axis=-1), np.zeros(4, dtype=int)
    elif output.activation.name == "identity" and not hasattr(output.cost, "of_margin"):
        high = hasattr(output.cost, "M")
        wrong = np.asarray([0.98, 10, 100])
        z, y = wrong + (output.cost.M if high else 0), np.full(3, float(high))
    else:
        z = np.log(wrong / (1 - wrong)) / (2 if output.activation.name == "tanh" else 1)
        y = np.full(4, 0.0 if output.activation.name == "sigmoid" else -1.0)
    assert np.allclose([s.gain for s in shown], output.gain(z, y), rtol=1e-9)
    assert np.allclose([s.cost for s in shown], output.value(z, y), rtol=1e-9)
    assert all(s.gain == pytest.approx(s.delta / s.error, rel=1e-9) for s in shown)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_name_the_computed_numbers(language, monkeypatch):
    assert "0.0196" in page("quadratic@sigmoid", language).sections[0].body
    assert "1.11" in page("focal", language).sections[0].body
    gain = type(xent.output("quadratic@sigmoid")).gain
    monkeypatch.setattr("xent.outputs.base.Output.gain", lambda self, z, y: 7 * gain(self, z, y))
    assert "0.137" in page("quadratic@sigmoid", language).sections[0].body  # 7 · 0.0196
    assert page("quadratic@sigmoid", language).plot.y.max() == pytest.approx(7 / 4, rel=1e-3)


def test_a_page_follows_its_parameters():
    mild, strong = page("focal(gamma=1)"), page("focal(gamma=5)@softmax")
    assert mild.samples != strong.samples
    assert strong.facts[0].value == "γ = 5"
    assert "**5" in strong.code[0].line
    assert "goes to 0" not in page("focal(gamma=0)").sections[0].body  # that is cross-entropy


SOFT = {"improper": ["focal", "poly", "lq", "symmetric-cross-entropy"], "proper": ["quadratic", "cross-entropy"]}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in SOFT.items() for name in names])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_what_is_said_of_soft_targets(kind, name, activation):
    """δ at the answer a = y is 0 for a proper cost, and is not for an improper one."""
    output, z = xent.output(name, activation), np.asarray([0.9, 0.0, -0.4])
    delta = np.abs(output.delta(z, output.predict(z))).max()
    assert (delta < 1e-12) if kind == "proper" else (delta > 1e-3)
    assert texts.page("explain", "en")["costs"][name]["soft"].startswith("improper" if kind == "improper" else "fine")
    assert texts.page("explain", "zh")["costs"][name]["soft"].startswith("不合适" if kind == "improper" else "可以")


def test_the_absolute_error_of_noisy_labels_is_least_at_the_majority():
    z = np.linspace(-9, 9, 2001)
    output, frequency = xent.output("absolute@sigmoid"), 0.7
    mean = frequency * output.value(z, np.ones_like(z)) + (1 - frequency) * output.value(z, np.zeros_like(z))
    assert np.argmin(mean) == 2000
    for language in LANGUAGES:
        assert {"en": "Improper", "zh": "不合适"}[language] in texts.page("explain", language)["costs"]["absolute"]["soft"]


@pytest.mark.parametrize(
    ("name", "best"), [("logistic", np.log(7 / 3)), ("exponential", np.log(7 / 3) / 2), ("squared-hinge", 0.4), ("hinge", 1)]
)
def test_where_margin_costs_of_noisy_labels_are_least(name, best):
    s = np.linspace(-3, 3, 60001)
    output = xent.output(name)
    mean = 0.7 * output.value(s, np.ones_like(s)) + 0.3 * output.value(s, -np.ones_like(s))
    assert s[np.argmin(mean)] == pytest.approx(best, abs=2e-4)


# ── other libraries ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [*PAIRS, "focal(gamma=3.5)", "lq(q=0.3)@sigmoid", "smooth(cross-entropy, epsilon=0.3)@softmax"])
def test_the_line_of_pytorch_computes_the_same_cost(name):
    output = xent.output(name)
    (line,) = [code.line for code in page(name).code if code.library == "PyTorch"]
    draw = np.random.default_rng(3)
    if output.activation.vector:
        z, y = draw.normal(size=(6, 4)), np.asarray([0, 1, 2, 3, 0, 1])
    else:
        z, y = draw.normal(size=6), np.resize(curves.hard_targets(output), 6)
    computed = eval(line, {"F": torch.nn.functional, "torch": torch, "z": torch.asarray(z), "y": torch.asarray(y)})
    assert np.allclose(computed, output.value(z, y), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_line_of_pytorch_computes_the_same_answer(name):
    z = np.linspace(-3, 3, 8)
    computed = eval(page(name).code[0].line, {"F": torch.nn.functional, "torch": torch, "z": torch.asarray(z)})
    assert np.allclose(computed, ACTIVATIONS[name]()(z), rtol=1e-12)


@pytest.mark.parametrize("code", [page(name).code for name in NAMES], ids=NAMES)
def test_names_of_pytorch_exist(code):
    named = [c.name for c in code if c.name.startswith("nn.")]
    assert all(hasattr(torch.nn, name.removeprefix("nn.").partition("(")[0]) for name in named)


# ── names and data ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_are_read_kindly():
    assert page("Cross_Entropy").name == "cross-entropy@sigmoid"
    assert page(" TanH ").name == "tanh"
    assert page("smooth").name.startswith("smooth(cross-entropy")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("focl", UnknownNameError, "did you mean 'focal'"),
        ("tahn", UnknownNameError, "did you mean 'tanh'"),
        ("bce", UnknownNameError, "did you mean 'cross-entropy'"),
        ("交叉熵", UnknownNameError, "did you mean 'cross-entropy'"),
        ("对数损失", UnknownNameError, "did you mean 'cross-entropy'"),
        ("focal@tahn", UnknownNameError, "'tanh'"),
        ("cross-entropy@identity", PairError, "logistic@identity"),
        ("focal(gamma=-1)", InputError, "gamma"),
        ("", InputError, ""),
        ("@", InputError, "cannot read"),
    ],
)
def test_wrong_names(name, error, says):
    with pytest.raises(error) as caught:
        page(name)
    assert says in str(caught.value) or not says


def test_wrong_languages_are_refused():
    with pytest.raises(InputError, match="'fr'"):
        page("focal", "fr")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_plain_data(name):
    data = page(name, "zh").data()
    assert data["name"] == name
    assert {"text", "latex", "mathml", "key"} == set(data["formulas"][0])
    assert len(data["plot"]["x"]) == len(data["plot"]["y"])
    assert formula(data["formulas"][0]["key"])


def test_numbers_in_words():
    said = {0.0: "0", 1e-7: "0.0000001", 123.4: "123", 99.96: "100", -2.5: "−2.5", np.inf: "∞", -np.inf: "−∞"}
    assert {x: number(x) for x in said} == said
    assert number(-0.0) == "0"
    assert number(np.nan) == "–"


def test_a_target_that_is_smoothed_twice():
    """The formula is that of the cost at the bottom."""
    inner = page("lq@sigmoid").formulas[-1].text()
    assert page("smooth(smooth(lq))@sigmoid").formulas[-1].text() == inner
