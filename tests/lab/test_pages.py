"""The pages in real Chromium, used as a person would use them: by mouse, by keyboard, on a phone, in both languages."""

from __future__ import annotations

import re

import pytest

import xent
from xent.neuron.mapping import stall_map
from xent.outputs import curves


def drawn(page, part):
    """The curves of a panel as plotly has them: [(name, y)]."""
    return page.evaluate(
        "(part) => document.querySelector(`[data-part=${part}] .js-plotly-plot`).data.map((c) => [c.name, Array.from(c.y)])", part
    )


def table(page):
    return [
        [cell.strip() for cell in row.all_inner_texts()]
        for row in (r.locator("th, td") for r in page.locator(".readout tbody tr").all())
    ]


def ends_at(page, step, a):
    """Waits until the first curve of answers has this value."""
    curve = "document.querySelector('[data-part=a] .js-plotly-plot').data[0].y"
    page.wait_for_function(f"([step, a]) => {curve}[step] === a", arg=[step, float(a)])


def settled(page):
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length === 4")


# ── the neuron ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_experiments_are_one_click_each(visit):
    at = visit()
    page = at.open("/neuron")
    settled(page)
    for name, start, last in (("one", (0.6, 0.9), "0.094"), ("two", (2.0, 2.0), "0.203")):
        at.after("neuron", page.locator(f"[data-preset={name}]").click)
        runs = {o: xent.Neuron(*start).learn(1.0, 0.0, output=o) for o in ("quadratic@sigmoid", "cross-entropy@sigmoid")}
        ends_at(page, 300, runs["quadratic@sigmoid"].a[-1])
        for part in ("cost", "a", "delta", "gain"):
            assert drawn(page, part) == [[label, getattr(run, part).tolist()] for label, run in runs.items()]
        assert last in page.locator("[data-part=a] figcaption").inner_text()
        assert page.locator(f"[data-preset={name}]").get_attribute("aria-pressed") == "true"
    assert page.locator("[data-part] figcaption li").count() == 8  # a sentence beside every curve


def test_dragging_the_start(visit):
    """The point follows the pointer along the curve, the numbers follow the point, and the address keeps it."""
    at = visit()
    page = at.open("/neuron")
    box = page.locator("svg.sigmoid").bounding_box()
    knob = page.locator(".handle .knob").bounding_box()
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x - step * (x - box["x"] - box["width"] / 2) / 5, y)
    at.after("neuron", page.mouse.up)
    z = float(re.search(r"z=(-?[\d.]+)", page.url)[1])
    assert abs(z) < 0.6
    shown = "Number(document.querySelector('.readout tbody td').textContent)"
    page.wait_for_function(f"(a) => Math.abs({shown} - a) < 1e-3", arg=float(xent.output("quadratic").predict(z)))
    page.reload()
    at.painted("neuron", 1)
    assert float(page.locator(".handle").get_attribute("aria-valuenow")) == pytest.approx(z, abs=1e-3)
    page.go_back()
    page.wait_for_function("() => document.querySelector('.handle').ariaValueNow === '4.000'")


def test_playhead(visit):
    at = visit()
    page = at.open("/neuron?steps=200")
    page.locator("[data-key=speed]").select_option(index=2)
    page.locator("[data-key=play]").click()
    page.wait_for_function("() => document.querySelector('[data-key=scrub]').value === '200'")
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output="quadratic@sigmoid", steps=200)
    assert float(table(page)[0][1]) == pytest.approx(float(run.a[-1]), rel=1e-3)
    assert page.locator("[data-key=play]").get_attribute("aria-label") == "Play"  # it stopped by itself
    page.locator("[data-key=scrub]").fill("100")
    assert float(table(page)[0][1]) == pytest.approx(float(run.a[100]), rel=1e-3)
    error, gain, delta = (float(v) for v in table(page)[0][2:5])
    assert error * gain == pytest.approx(delta, rel=2e-3)


def test_outputs_are_added_and_removed(visit):
    at = visit()
    page = at.open("/neuron")
    page.locator("[data-key=add]").fill("focal(gamma=1)@tanh")
    at.after("neuron", page.locator("[data-key=add-go]").click)
    assert len(table(page)) == 3 or "focal" in page.locator(".problems").inner_text()
    at.after("neuron", page.get_by_role("button", name=re.compile("^Remove quadratic@sigmoid")).click)
    assert "quadratic@sigmoid" not in page.url
    page.locator("[data-key=add]").fill("quadratc")
    at.after("neuron", page.locator("[data-key=add-go]").click)
    assert "did you mean" in page.locator(".problems").inner_text()


def test_what_is_typed_is_learned(visit):
    """Every field by hand, then the curves against the library."""
    at = visit()
    page = at.open("/neuron?outputs=cross-entropy@tanh")
    for key, text in (("w", "1.5"), ("b", "-0.25"), ("x", "2"), ("steps", "50"), ("rate-n", "0.4"), ("target-n", "0.5")):
        page.locator(f"[data-key={key}]").fill(text)
        at.after("neuron", lambda key=key: page.locator(f"[data-key={key}]").press("Enter"))
    run = xent.Neuron(1.5, -0.25).learn(2.0, 0.0, output="cross-entropy@tanh", rate=0.4, steps=50)  # half way from −1 to 1
    ends_at(page, 50, run.a[-1])
    page.locator("[data-key=first]").fill("0.9")
    at.after("neuron", lambda: page.locator("[data-key=first]").press("Enter"))
    assert "first=0.9" in page.url
    assert "w=" not in page.url


def test_by_keyboard_only(visit):
    """Tab reaches everything; the start moves with the arrow keys, the playhead too, and Space plays."""
    at = visit()
    page = at.open("/neuron")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.key ?? document.activeElement.className"))
        if reached[-1] == "copy-link":
            break
    assert {"skip", "nav-costs", "lang-zh", "theme-dark", "preset-one", "w", "first", "target", "handle", "play", "scrub"} < set(
        reached
    )
    page.locator("[data-key=handle]").focus()
    at.after("neuron", lambda: page.keyboard.press("ArrowLeft"))
    assert "z=3.9" in page.url
    page.locator("[data-key=scrub]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".now").inner_text() == "step 1 of 300"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('[data-key=play]').ariaLabel === 'Pause'")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('[data-key=play]').ariaLabel === 'Play'")


# ── the costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cost_far_beyond_the_others_leaves_them_to_be_seen(visit):
    page = visit().open("/costs?outputs=quadratic@sigmoid,cross-entropy@sigmoid,rescaled-quadratic")
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length === 4")
    x, y = page.evaluate("['xaxis', 'yaxis'].map((axis) => document.querySelector('.js-plotly-plot')._fullLayout[axis].range)")
    assert x == [0, 1]
    assert 2.5 < y[1] < 3.5


def test_costs(visit):
    at = visit()
    page = at.open("/costs?outputs=focal,hinge")
    settled(page)
    page.wait_for_selector("article math")
    assert "focal" in page.locator("article h2").inner_text()
    names = [name for name, _ in drawn(page, "gain")]
    assert names == ["focal(gamma=2)@softmax", "hinge@identity"]
    at.after(
        "costs", lambda: (page.locator("[data-key=dial-0-0-n]").fill("3"), page.locator("[data-key=dial-0-0-n]").press("Enter"))
    )
    page.wait_for_function(
        "() => document.querySelector('[data-part=gain] .js-plotly-plot').data[0].name === 'focal(gamma=3)@softmax'"
    )
    shown = curves.overlaid(xent.output("focal(gamma=3)@softmax"), 0.0, points=401)
    assert drawn(page, "cost")[0][1] == pytest.approx(shown.cost.tolist(), nan_ok=True)
    at.after("costs", page.locator("[data-key=along-input]").click)
    page.locator("[role=tab]").nth(1).click()
    page.wait_for_function("() => document.querySelector('article h2').textContent.includes('hinge')")
    page.get_by_role("button", name=re.compile("Copy the code for NumPy")).click()
    copied = page.evaluate("navigator.clipboard.readText()")
    scope = {}
    exec(copied, scope)
    assert str(scope["output"]) == "hinge@identity"
    assert "along=input" in page.url


def test_a_slider_of_a_parameter_can_be_dragged(visit):
    at = visit()
    page = at.open("/costs?outputs=focal@sigmoid")
    settled(page)
    slider = page.locator("[data-key=dial-0-0]")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(5):
        page.mouse.move(box["x"] + box["width"] * (0.4 + 0.1 * step), box["y"] + box["height"] / 2)
        page.wait_for_timeout(30)
    at.after("costs", page.mouse.up)
    gamma = float(re.search(r"gamma=([\d.]+)", page.url)[1])
    assert 3 < gamma < 5


# ── the stall map ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_map(visit):
    """Read out by keyboard, repainted by a slider, and a place opened as a neuron."""
    at = visit()
    page = at.open("/map?size=64")
    stalls = stall_map(["quadratic@sigmoid"], size=64)
    assert f"{stalls.never('quadratic@sigmoid'):.0%} never" in page.locator(".map").first.inner_text().replace("\n", " ")
    page.locator("[data-key=map-0]").focus()
    page.keyboard.press("ArrowRight")
    told = page.locator(".told").inner_text()
    assert re.search(
        r"w = 0\.\d+, b = 0\.\d+: quadratic@sigmoid learns at step \d+; cross-entropy@sigmoid learns at step \d+", told
    )
    w, b = (float(v) for v in re.search(r"w = ([\d.]+), b = ([\d.]+)", told).groups())
    step = int(re.search(r"learns at step (\d+)", told)[1])
    learned = xent.Neuron(w, b).learn(1.0, 0.0, output="quadratic@sigmoid").steps_to_learn()
    assert abs(learned - step) <= 2  # w and b are read out with three digits
    before = page.evaluate("document.querySelector('.map canvas').toDataURL()")
    page.locator("[data-key=rate]").focus()
    at.after("map", lambda: page.keyboard.press("End"))
    assert page.evaluate("document.querySelector('.map canvas').toDataURL()") != before
    assert "rate=10" in page.url
    page.locator("[data-key=map-1]").click(position={"x": 250, "y": 20})
    at.painted("neuron", 1)
    assert page.url.partition("?")[0].endswith("/neuron")
    assert "w=" in page.url
    assert "rate=10" in page.url
    page.go_back()
    page.wait_for_selector(".map canvas")


def test_a_place_of_the_plane_of_rates(visit):
    """Its first output is a share of the range: 0.5 of tanh's is 0, at that rate."""
    at = visit()
    page = at.open("/map?plane=rate&outputs=quadratic@tanh&size=33")
    page.locator("[data-key=map-0]").focus()
    page.keyboard.press("Enter")
    at.painted("neuron", 1)
    assert abs(float(table(page)[0][1].replace("−", "-"))) < 1e-9
    assert float(re.search(r"rate=([\d.]+)", page.url)[1]) == pytest.approx((0.005 * 5) ** 0.5, rel=1e-4)


# ── everywhere ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_language_and_colours_are_switched_in_place(visit):
    """Every word changes, the settings and the line to the library stay; no word of the other language is left."""
    at = visit()
    for place in ("/neuron?outputs=quadratic,poly(epsilon=1)@sigmoid,hinge", "/costs?outputs=focal,lq", "/map?size=32"):
        switched(at, place + "&lang=en&theme=light")


def switched(at, place):
    page = at.open(place)
    ask = re.match(r"/(\w+)", place)[1]
    page.evaluate("window.same = true")
    at.after(ask, page.locator("[data-key=lang-zh]").click)
    assert page.evaluate("window.same")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    page.wait_for_function("() => /[\\u4e00-\\u9fff]/.test(document.querySelector('h1').textContent)")
    words = set(re.findall(r"[a-z]{4,}", page.locator("main section").first.inner_text().lower()))
    assert not words & {"outputs", "target", "learning", "rate", "steps", "start"}
    assert page.url.startswith(at.lab + place.partition("?")[0])
    assert "lang=zh" in page.url
    for key in ("nav-race", f"nav-{ask}"):
        page.locator(f"[data-key={key}]").click()
        page.wait_for_selector(f"[data-key={key}][aria-current]")
        assert "lang=zh" in page.url  # another page speaks the same language
    page.go_back()
    at.after(ask, page.go_back)
    at.after(ask, page.locator("[data-key=theme-dark]").click)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    page.reload()
    at.painted(ask, 1)
    assert page.locator("[data-key=theme-dark]").get_attribute("aria-pressed") == "true"


PHONE = [
    "/neuron?outputs=quadratic,smooth(cross-entropy,epsilon=0.1)@sigmoid,cross-entropy@tanh&w=-3&target=1",
    "/costs?outputs=focal,lq,hinge,exponential,smooth(cross-entropy),symmetric-cross-entropy,cross-entropy@softmax,logistic",
    "/map?size=32",
    "/race",
    "/doctor",
]


def test_a_phone(visit):
    """400 pixels wide: nothing sticks out, no table is cut, and what is touched is large enough."""
    at = visit(viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True)
    for place in PHONE:
        page = at.open(place)
        ask = re.match(r"/(\w+)", place)[1]
        for language in ("en", "zh"):
            at.after(ask, page.locator(f"[data-key=lang-{language}]").click)
            if ask == "costs":
                page.wait_for_selector("article math")
                for tab in page.locator("[role=tab]").all()[slice(1, None) if language == "en" else slice(1)]:
                    at.after("explain", tab.click)
                    assert page.evaluate("document.documentElement.scrollWidth") <= 400
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            assert page.evaluate("[...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= e.clientWidth)")
        for box in (button.bounding_box() for button in page.locator("main button:visible").all()):
            assert box["height"] >= 20


def test_what_is_looked_at_is_in_the_address(visit):
    """The step, the tab, the place on the map: reloaded and shared as they are; a key held down is one step back."""
    at = visit()
    page = at.open("/neuron")
    page.locator("[data-key=scrub]").fill("100")
    page.wait_for_url("**at=100")
    page.reload()
    at.painted("neuron", 1)
    assert page.locator("[data-key=scrub]").input_value() == "100"
    page.locator("[data-key=rate]").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**rate=0.1*")
    page.wait_for_timeout(300)  # the last of them is written a little later
    assert float(page.locator("[data-key=rate-n]").input_value()) == float(re.search(r"rate=([\d.]+)", page.url)[1])
    at.after("neuron", page.go_back)
    assert "rate" not in page.url
    assert "at=100" in page.url
    page = at.open("/costs")
    page.locator("[role=tab]").nth(1).click()
    page.wait_for_url("**about=1")
    page.reload()
    page.wait_for_selector("[role=tab]:nth-child(2)[aria-selected=true]")
    page = at.open("/map?size=32")
    page.locator("[data-key=map-0]").focus()
    page.keyboard.press("ArrowRight")
    told = page.locator(".told").inner_text()
    page.wait_for_url("**at=18,16")
    page.reload()
    at.painted("map", 1)
    assert page.locator(".told").inner_text() == told


def test_the_keyboard_keeps_its_place(visit):
    """An output is removed: the focus goes to the next one, and to the list when none can be."""
    at = visit()
    page = at.open("/neuron?outputs=quadratic,absolute@sigmoid,cross-entropy")
    for left, focused in ((2, "remove-1"), (1, "add")):
        page.locator("[data-key=remove-1]").focus()
        at.after("neuron", lambda: page.keyboard.press("Enter"))
        page.wait_for_function("(n) => document.querySelectorAll('.outputs li').length === n", arg=left)
        assert page.evaluate("document.activeElement.dataset.key") == focused


def test_a_figure_is_taken_along(visit, tmp_path):
    at = visit()
    page = at.open("/neuron?steps=5")
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"output,"), ("py", b"import xent")):
        with page.expect_download() as waiting:
            page.locator(f"[data-key=save-{kind}]").click()
        waiting.value.save_as(tmp_path / "file")
        assert waiting.value.suggested_filename == f"xent-neuron.{kind}"
        assert (tmp_path / "file").read_bytes().startswith(begins)


def test_the_link_is_copied(visit):
    at = visit()
    page = at.open("/neuron?w=3&b=1")
    page.locator("[data-key=copy-link]").click()
    page.wait_for_selector("text=copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


NAMELESS = """() => [...document.querySelectorAll('button, input, select, [role=slider], canvas[tabindex]')]
    .filter((e) => !e.ariaLabel && !e.textContent.trim() && ![...(e.labels ?? [])].some((l) => l.textContent.trim()))
    .map((e) => e.outerHTML)"""
TWICE = """() => [...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, ids) => ids.indexOf(id) !== i)"""


def test_every_control_has_a_name(visit):
    """As a screen reader hears the page: no nameless button, field or slider."""
    at = visit()
    for place in ("/neuron", "/costs?outputs=focal,quadratic", "/map?size=32", "/race", "/doctor"):
        page = at.open(place)
        nameless = page.evaluate(NAMELESS)
        assert nameless == []
        assert page.locator("h1").count() == 1
        twice = page.evaluate(TWICE)
        assert twice == []


KNOCK = """(lab) => new Promise((done) => {
    const socket = new WebSocket(lab.replace('http', 'ws') + '/live');
    socket.onopen = () => done(true);
    socket.onerror = () => done(false);
})"""


def test_a_page_of_somewhere_else_cannot_connect(browser, lab):
    """In a real browser: another origin's script gets no socket and no numbers."""
    context = browser.new_context()
    page = context.new_page()
    page.route("http://evil.example/", lambda route: route.fulfill(body="<title>evil</title>", content_type="text/html"))
    page.goto("http://evil.example/")
    opened = page.evaluate(KNOCK, lab)
    assert opened is False
    fetched = page.evaluate("(lab) => fetch(lab + '/export/neuron.csv', {mode: 'no-cors'}).then(() => true, () => false)", lab)
    assert fetched is False
    context.close()
