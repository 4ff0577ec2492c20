"""The page in a browser, from disk: it plays, switches without a click, is resumed, and its CSV is read."""

import browser
import pytest
from listened import made

from tapezoo.listening.design import read_test
from tapezoo.listening.results import evaluate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.is_installed(), reason="needs Chromium"),
]

BEGIN = """document.querySelector("#listener").value = NAME; document.querySelector("form").requestSubmit()"""
# how one trial of each kind is done, as far as `next` allows it
DO = {
    "mushra": """const sound = (id) => current.player.buffers[id].getChannelData(0).slice(1000, 1100).join();
    for (let at = 0; at <= current.order.length; at++) {
        await current.hear(at);
        if (!at) continue;
        const slider = current.rows[at - 1].slider;
        slider.value = sound(current.order[at - 1]) === sound(current.trial.reference) ? 100 : 10 * at;
        slider.dispatchEvent(new Event("input"));
    }""",
    "abx": """for (const name of ["a", "b", "x"]) await current.hear(name);
    const sound = (name) => current.player.buffers[name].getChannelData(0).slice(1000, 1100).join();
    current.answers[sound("x") === sound("a") ? 0 : 1].click();""",
    "dmos": """current.rate(3);
    if (current.answer.rating) throw new Error("rated before it was heard");
    await current.player.toggle();
    current.player.seek(0.9);
    while (!current.answer.heard) await new Promise((done) => setTimeout(done, 20));
    current.key("4");""",
}
SWITCHED = """(async () => {
    const rate = 44100, length = rate / 2;
    context = new OfflineAudioContext(1, length, rate);
    volume = context.createGain();
    volume.connect(context.destination);
    const flat = context.createBuffer(1, length, rate);
    flat.getChannelData(0).fill(1);
    const root = document.createElement("div");
    document.body.append(root);
    const player = new Player(root, { a: flat, b: flat, c: flat }, rate, "a", flat, true);
    player.start();
    for (const [at, name] of [[0.2, "b"], [0.3, "a"], [0.303, "c"]])
        context.suspend(at).then(() => { player.choose(name); context.resume(); });
    const made = (await context.startRendering()).getChannelData(0);
    root.remove();
    context = volume = null;
    let jump = 0;
    for (let at = 1; at < length; at++) jump = Math.max(jump, Math.abs(made[at] - made[at - 1]));
    const most = made.reduce((a, b) => Math.max(a, b)), gap = made.slice(0.2 * rate, 0.23 * rate);
    const at = [0.15, 0.25, 0.35].map((s) => made[Math.round(s * rate)]);
    return { jump, most, least: gap.reduce((a, b) => Math.min(a, b)), at };
})()"""


@pytest.fixture(scope="module")
def page():
    with browser.Browser() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _silent_console(page):
    yield
    assert page.complaints == []


@pytest.mark.parametrize("kind", ["mushra", "abx", "dmos"])
def test_a_listener_gets_through_it_and_the_answers_are_read(kind, page, tmp_path):
    folder = tmp_path / kind
    made(folder, kind, excerpts=2, repeats=1)
    page.open(folder / "listen.html")
    page.run(BEGIN.replace("NAME", "'Ann, \"A\"'"))
    page.until("document.querySelectorAll('.sounds button').length > 2")
    page.run("document.querySelectorAll('.sounds button')[1].click()")
    page.until("current.player.isPlaying && current.player.position() > 0.05")
    page.run("document.querySelector('.another').click()")
    page.until("!current.player.isPlaying || current.player.position() === 0")
    page.run("document.querySelector('.next').click()")
    page.until("document.querySelector('.screen .player canvas') && current.answer")
    trials = page.run("screens.length")
    for trial in range(trials):
        assert page.run("document.querySelector('.next').disabled"), "nothing was answered"
        page.run(f"(async () => {{ {DO[kind]} }})()")
        page.until("!document.querySelector('.next').disabled")
        if trial == 0:  # closed and opened again
            page.open(folder / "listen.html")
            page.run("[...document.querySelectorAll('.buttons button')].at(-1).click()")
            page.until("current && current.answer && !document.querySelector('.next').disabled")
        page.run("document.querySelector('.next').click()")
        page.until(f"document.querySelector('h2').textContent !== '{trial + 1} of {trials}'")
        page.until("document.querySelector('textarea') || current")
    text = page.run("document.querySelector('textarea').value")
    saved = page.run("""new Promise((done) => {
        URL.createObjectURL = (blob) => { blob.text().then(done); return "data:,"; };
        document.querySelector(".save").click();
    })""")
    assert saved.replace("\r\n", "\n") == text
    answers = tmp_path / "ann.csv"
    answers.write_text(saved, encoding="utf-8", newline="")
    results = evaluate(read_test(folder), [answers])
    assert results.listeners == ['Ann, "A"']
    if kind == "abx":
        assert [one.right for one in results.discriminations] == [2, 2, 2, 6]
    elif kind == "dmos":
        assert {one.mean for one in results.scores} == {4}
    else:
        assert {one.mean for one in results.scores if one.system == "reference"} == {100}
        assert all(10 <= one.mean <= 60 for one in results.scores if one.system != "reference")


def test_switching_fades_out_then_in_and_never_crosses(page, tmp_path):
    made(tmp_path / "test", excerpts=1)
    page.open(tmp_path / "test" / "listen.html")
    heard = page.run(SWITCHED)
    assert heard["at"] == pytest.approx([1, 1, 1])
    assert heard["most"] <= 1.0001, "two sounds at once"
    assert heard["least"] < 0.01, "no gap between the two"
    assert heard["jump"] < 0.008, "a raised cosine of 5 ms rises by pi / 2 / 220 at most"


def test_a_part_is_looped_with_fades_and_a_click_beside_it_ends_that(page, tmp_path):
    made(tmp_path / "test", excerpts=1, seconds=1.25)
    page.open(tmp_path / "test" / "listen.html")
    page.run(BEGIN.replace("NAME", "'Cleo'"))
    page.until("current")
    page.run("""(() => {
        const { canvas } = current.player, box = canvas.getBoundingClientRect(), width = canvas.clientWidth;
        window.drag = (from, to) => {
            current.player.pressed = from * width;
            const place = { clientX: box.left + to * width, clientY: box.top + 5 };
            canvas.dispatchEvent(new PointerEvent("pointerup", place));
        };
    })()""")
    page.run("drag(0.9, 0.4)")
    assert page.run("[current.player.from, current.player.to]") == pytest.approx([0.5, 1.125], abs=0.02)
    page.run("current.player.toggle()")
    page.until("current.player.position() > 0.6")
    first = "Object.values(current.player.cut)[0]"
    assert page.run(f"{first}.duration") == pytest.approx(0.625, abs=0.02)
    assert page.run(f"Math.abs({first}.getChannelData(0)[0])") < 0.001
    page.run("drag(0.9, 1.3)")
    assert page.run("[current.player.from, current.player.to]") == pytest.approx([0.75, 1.25], abs=0.02)
    page.run("drag(0.9, 0.4)")
    page.run("drag(0.5, 0.51)")
    assert page.run("current.player.to < 1.2 && current.player.isPlaying"), (
        "a click inside goes on in the loop"
    )
    page.run("drag(0.5, 0.54)")
    assert page.run("current.player.to - current.player.from") == pytest.approx(0.5), (
        "shorter than the standard allows"
    )
    page.run("drag(0.05, 0.05)")
    assert page.run("[current.player.from, current.player.to]") == pytest.approx([0, 1.25], abs=0.001)


def test_orders_differ_between_listeners_and_stay_for_each(page, tmp_path):
    test = made(tmp_path / "test", excerpts=1)
    page.open(tmp_path / "test" / "listen.html")
    ids = [one.id for one in test.trials[0].stimuli]
    order = "shuffled(test.trials[0].stimuli, 'listener ' + NAME).join()"
    orders = {page.run(order.replace("NAME", str(number))) for number in range(200)}
    assert page.run(order.replace("NAME", "7")) == page.run(order.replace("NAME", "7"))
    assert len(orders) > 100
    first = [one.split(",")[0] for one in orders]
    assert all(first.count(one) > len(first) / 20 for one in ids), "some sounds never come first"


def test_the_page_is_no_wider_than_a_phone(page, tmp_path):
    made(tmp_path / "test", excerpts=1)
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=1, mobile=True)
    page.open(tmp_path / "test" / "listen.html")
    page.run(BEGIN.replace("NAME", "'Ben'"))
    page.until("current")
    page.run("current.next()")
    page.until("current && current.rows")
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.call("Emulation.clearDeviceMetricsOverride")
