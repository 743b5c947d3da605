"""The pages of `xent explain`: texts, formulas and numbers about one cost on an output or one activation, as data.

Stands on `outputs`, which computes the numbers, and on `texts`, which has the words, the formulas and the order of the derivations;
the command, and whoever else shows a page, only prints what stands here. `parts` is what a page consists of; `pairs` and
`activations` make pages, with `samples`, `derivations` and the small words of `saying`.
"""

from __future__ import annotations

import re

from xent import texts
from xent.costs.base import parameters
from xent.errors import UnknownNameError
from xent.explaining.activations import of_activation
from xent.explaining.derivations import derivation as derivation
from xent.explaining.pairs import described as described
from xent.explaining.pairs import is_known, of_output, of_own
from xent.explaining.parts import Page as Page
from xent.explaining.samples import BADLY as BADLY
from xent.explaining.saying import GREEK as GREEK
from xent.explaining.saying import number as number
from xent.outputs import Output, catalogue, output
from xent.outputs.naming import MEANT, canonical
from xent.outputs.registry import ACTIVATIONS, COSTS


def page(name: str | Output, language: str = "en") -> Page:
    """The page about a cost, an activation or a pair; a bare cost takes its usual output.

    An output with a cost of one's own has a page too: what is computed, beside its class's docstring.

    Raises UnknownNameError for a name that is neither, PairError for a cost and an activation that do not belong together.

    >>> shown = page("focal")
    >>> shown.name, shown.formulas[0].text()
    ('focal(gamma=2)@softmax', 'L = −(1 − p_y)^γ log p_y')
    >>> print(page("tanh").formulas[1].text())
    tanh′(z) = 1 − tanh² z = 1 − a²
    """
    if isinstance(name, Output):
        return of_output(name, language) if is_known(name) else of_own(name, language)
    plain_name = canonical(name)
    if plain_name in ACTIVATIONS:
        return of_activation(ACTIVATIONS[plain_name](), language)
    bare = re.fullmatch(r"[\w-]+", plain_name) is not None
    if bare and plain_name not in COSTS:
        known = {**COSTS, **ACTIVATIONS}
        meant = MEANT.get(plain_name) or _called(name)
        raise UnknownNameError("cost or activation", name.strip(), known, [meant] if meant else [])
    if bare and any(f.type == "Cost" for f in parameters(COSTS[plain_name])):  # what wraps a cost has no usual one
        return of_output(next(o for o in catalogue() if o.cost.name == plain_name), language)
    return of_output(output(name), language)


def _called(name: str) -> str | None:
    """What has this title, or is also called so, in any language.

    >>> _called("交叉熵"), _called("Focal loss")
    ('cross-entropy', 'focal')
    """
    pages = [texts.page("explain", language) for language in texts.LANGUAGES]
    told = [entry for page in pages for kind in ("costs", "activations") for entry in page[kind].items()]
    called = [(name, each) for name, words in told for each in re.split("[,;，；、]", f"{words['title']},{words.get('aka', '')}")]
    return next((of for of, each in called if each.strip().casefold() == name.strip().casefold()), None)


def contents(language: str = "en") -> list[tuple[str, str]]:
    """Every name that has a page, with its title: the pairs of the catalogue, then the activations.

    >>> contents()[0], contents()[-1]
    (('quadratic@sigmoid', 'The quadratic cost'), ('relu', 'ReLU'))
    """
    words = texts.page("explain", language)
    pairs = [(str(o), words["costs"][o.cost.name]["title"]) for o in catalogue()]
    return pairs + [(name, words["activations"][name]["title"]) for name in ACTIVATIONS]
