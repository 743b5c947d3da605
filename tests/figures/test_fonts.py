"""Which font writes Chinese: the best of those there are, one installed a moment ago too, and what to say where there is none."""

import pytest

from xent import texts
from xent.figures import fonts


@pytest.fixture
def machine(monkeypatch):
    """A machine with chosen fonts."""

    def with_fonts(*names, files=()):
        known = list(names)
        monkeypatch.setattr(fonts, "_known", lambda: known)
        monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: list(files))
        monkeypatch.setattr(fonts.font_manager.fontManager, "addfont", lambda path: known.append("Noto Sans CJK SC"))
        fonts._installed_since.cache_clear()

    yield with_fonts
    fonts._installed_since.cache_clear()


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["DejaVu Sans", "SimHei", "Noto Sans CJK SC", "Noto Sans CJK JP"], "Noto Sans CJK SC"),
        (["DejaVu Sans", "SimHei", "Noto Sans CJK JP"], "SimHei"),
        (["PingFang SC", "Heiti SC"], "PingFang SC"),
        (["Microsoft YaHei", "SimSun"], "Microsoft YaHei"),
        (["WenQuanYi Micro Hei", "WenQuanYi Zen Hei"], "WenQuanYi Zen Hei"),
        (["DejaVu Sans", "Noto Sans CJK JP"], "Noto Sans CJK JP"),
        (["DejaVu Sans", "Noto Sans"], None),
    ],
)
def test_the_best_font_is_taken(there, chosen, machine):
    machine(*there)
    assert fonts.chinese_font() == chosen


def test_a_font_installed_after_matplotlib_made_its_list_is_found(machine):
    machine("DejaVu Sans", files=["/usr/share/fonts/DejaVuSans.ttf"])
    assert fonts.chinese_font() is None
    machine("DejaVu Sans", files=["/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"])
    assert fonts.chinese_font() == "Noto Sans CJK SC"


def test_latin_and_greek_are_the_house_s_in_both_languages(machine):
    machine("Noto Sans CJK SC")
    assert fonts.families("en") == list(fonts.HOUSE)
    assert fonts.families("zh") == [*fonts.HOUSE, "Noto Sans CJK SC"]
    machine()
    assert fonts.families("zh") == list(fonts.HOUSE)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_what_to_install(language):
    message = fonts.what_to_install(language)
    assert "apt install fonts-noto-cjk" in message
    assert "dnf install google-noto-sans-cjk-fonts" in message
    assert "macOS" in message
    assert "Windows" in message
