import hashlib
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command_line import Call
from example_trail import SOURCE, TEAM, ExampleTrail, data_set, measurement
from PIL import Image

from browsers import browse
from improve_git.datasets.dataset import DataSet
from improve_git.domain import Assignment, Attempt, Rewrite
from improve_git.messages import compose
from improve_git.pipeline import Pipeline
from improve_git.trail import writing
from improve_git.trail.history import branch_of
from improve_git.views import report

LONG = "n" * 10_000
HOSTILE = (
    "<script>document.title='ran';fetch('{0}/fetch')</script>"
    "</style></pre></details></main><h1>forged</h1><script src={0}/script></script>"
    "\"'><img src={0}/image onerror=\"document.title='ran'\"><svg onload=document.title='ran'>"
    "<a href=\"javascript:document.title='ran'\">a</a><link rel=stylesheet href={0}/style>"
    "<meta http-equiv=refresh content='0;url={0}/refresh'>"
    "<!-- {{{{ 7 * 7 }}}} ]]> \u202edlrow\u2066"
)


class Listener(http.server.ThreadingHTTPServer):
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.seen.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Listener]:
    with Listener() as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield listener
        listener.shutdown()


@dataclass
class Page(HTMLParser):
    """What a page is made of."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""

    @classmethod
    def of(cls, html: str) -> "Page":
        page = cls()
        HTMLParser.__init__(page)
        page.feed(html)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def with_images(example: ExampleTrail, images: Path, classes: tuple[str, str]) -> DataSet:
    """Let the pipeline have images that exist, in classes of these names, and measure it."""
    made = data_set()
    entries = []
    for number, entry in enumerate(made.entries):
        path = images / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number * 5, 90, 30)).save(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(replace(entry, path=path.name, sha256=sha256))
    entries.sort(key=lambda entry: (entry.sha256, entry.path))
    made = replace(made, classes=classes, entries=tuple(entries))
    example.commit_by_user({"dataset.json": made.to_json()})
    labels = made.labels("val")
    predicted = [1 - label if place < 3 else label for place, label in enumerate(labels)]
    record = measurement(0.7, dataset=made.fingerprint)
    record["judgement"] = {"predicted": predicted, "confusion": [[4, 1], [2, 3]]}
    example.score_main("measured", record)
    return made


def hostile_attempt(example: ExampleTrail, text: str) -> None:
    """Let agents and a sandbox say this wherever they can say anything."""
    number, slug = 6, "a-" + "x" * 150
    main = example.pipeline.main()
    writing.assign(example.repo, number, Assignment("model", slug, text, f"{text}\n\n{LONG}", text),
                 main, TEAM)  # fmt: skip
    ref = branch_of(number, "model", slug)
    source = SOURCE.format(name="model", value=repr(text)) + f"# {text}\n# {LONG}\n\x00\r\x1b[31m\n"
    writing.rewrite(example.repo, Attempt(number, "model", slug, None),
                  str(example.repo.resolve(ref)), Rewrite(source, text, text), text)  # fmt: skip
    record = measurement(None, status="crashed", detail=f"{text}\n{LONG}", curve=[{text: 1.0}])
    record |= {"log_tail": text, "main_score": 0.7, "main_commit": main}
    blob = writing.write_record(example.repo, record)
    branch = ref.removeprefix("refs/heads/")
    attempt = (number, "model", branch)
    labels = writing.verdict_trailers("failed", text, record, blob, attempt=attempt)
    message = compose(text, text, labels)
    tip = writing.close(example.repo, ref, example.repo.resolve(ref) or "", message)
    example.repo.add_note(tip, blob)


@pytest.fixture(scope="module")
def hostile(
    story: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Listener]]:
    """Return a page on which everybody says the worst, and whom they want it to ask."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(story, folder / "pets")
    example = ExampleTrail(Pipeline.open(folder / "pets"), measurement(0.9))
    images = folder / "images"
    with listening() as listener:
        text = HOSTILE.format(listener.address)
        with_images(example, images, (text, LONG))
        hostile_attempt(example, text)
        pipeline = Pipeline.open(example.repo.folder, [f"data.images={images}"])
        yield report.render(pipeline), listener


def check_inert(page: Page) -> None:
    """Check that a page holds nothing that runs, and nothing that is loaded."""
    assert not {*page.tags} & {"script", "link", "iframe", "object", "embed", "svg", "a", "form"}
    for name, value in page.attributes:
        assert not name.startswith("on"), name
        if name == "src":
            assert value.startswith("data:image/")
        assert name not in ("href", "srcset", "style", "action", "background"), name


def test_the_page_tells_the_story(example: ExampleTrail, call: Call, tmp_path: Path) -> None:
    with_images(example, tmp_path / "images", ("cat", "dog"))
    file = tmp_path / "report.html"
    said = call("report", "-o", file, "-C", example.repo.folder, f"data.images={tmp_path}/images")
    assert (said.err, said.code) == ("", 0)
    assert re.fullmatch(rf"{file}: 0\.\d MiB, open it in a browser\n", said.out)
    html = file.read_text()
    page = Page.of(html)
    check_inert(page)
    words = " ".join(page.text.split())
    for told in (
        "pets", "40 images in 2 classes", "accuracy 0.7000", "+20.00 points",
        "on val, optimistic: a search kept the best", "2 merged, 1 rejected, 1 failed",
        "3 of the 10 images of val; the most frequent mistakes first.",
        "cat taken for dog", "dog taken for cat",
        "0005 train open warm-up", "0004 data merged 0.9000 +10.00 points flips",
        "by hand Change by hand", "crashed: ValueError: size mismatch", "Try wider.",
        "half a point", "It may help.", "Model Engineer (scripted)", "12 seconds of training",
        "What changed in model.py", "STRENGTH = 1", "STRENGTH = 2",
    ):  # fmt: skip
        assert told in words, told
    assert html.count("data:image/jpeg;base64,") == 3
    assert html.count("data:image/svg+xml;base64,") == 4
    assert html.index("0004") < html.index("0001")  # the newest first


def test_hostile_texts_are_shown_as_text(hostile: tuple[str, Listener]) -> None:
    html, _ = hostile
    page = Page.of(html)
    check_inert(page)
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == page.tags.count("style") == 1
    assert html.count("<details") == html.count("</details>")
    assert "<script>document.title='ran'" in page.text  # shown, as text
    assert "{{ 7 * 7 }}" in page.text
    assert not {"\u202e", "\u2066", "\x00", "\x1b", "\r"} & {*html}
    assert "\\u202edlrow" in page.text
    assert len(max(page.text.split(), key=len)) < 7_000  # clipped
    assert len(html) < 3_000_000


def test_in_a_browser_nothing_runs_and_nothing_is_asked_for(
    hostile: tuple[str, Listener], tmp_path: Path
) -> None:
    html, listener = hostile
    (tmp_path / "report.html").write_text(html)
    shown = browse(tmp_path / "report.html", "--dump-dom")
    assert "<title>pets: improve-git report</title>" in shown
    assert shown.count('<details class="chapter"') == html.count('<details class="chapter"')
    assert shown.rstrip().endswith("</footer>\n\n</body></html>")  # nothing closed it early

    # Where escaping failed, the page's own policy would still hold; it forbids no refresh.
    naked = html.replace("<main>", f"<main>{HOSTILE.format(listener.address)}", 1)
    naked = re.sub("<meta http-equiv=refresh[^>]*>", "", naked)
    (tmp_path / "naked.html").write_text(naked)
    assert "<title>pets: improve" in browse(tmp_path / "naked.html", "--dump-dom")
    assert listener.seen == []

    # And without either it would run: the test can tell.
    (tmp_path / "bare.html").write_text(re.sub("<meta http-equiv=.Content[^>]*>", "", naked))
    assert "<title>ran</title>" in browse(tmp_path / "bare.html", "--dump-dom")
    assert {"/fetch", "/image", "/script"} <= {*listener.seen}


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_fits_the_screen(
    hostile: tuple[str, Listener], tmp_path: Path, width: int
) -> None:
    html = hostile[0].replace("<details", "<details open")
    (tmp_path / "report.html").write_text(html)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"<iframe src=report.html style='width:{width}px;height:900px;border:0'></iframe><script>"
        "onload = () => { const page = document.querySelector('iframe').contentDocument;"
        " document.title = 'wide ' + page.documentElement.scrollWidth; }</script>"
    )
    assert f"<title>wide {width}</title>" in browse(frame, "--dump-dom")


def test_the_page_can_be_seen(hostile: tuple[str, Listener], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(hostile[0])
    browse(tmp_path / "report.html", f"--screenshot={tmp_path / 'page.png'}",
           "--window-size=1200,900")  # fmt: skip
    with Image.open(tmp_path / "page.png") as image:
        colours = image.convert("RGB").getcolors(1 << 24) or []
    assert (0, 114, 178) in {colour for _, colour in colours}  # main's line in the plot


def test_a_clone_without_records_and_images(
    example: ExampleTrail, call: Call, tmp_path: Path
) -> None:
    with_images(example, tmp_path / "images", ("cat", "dog"))
    clone = tmp_path / "clone"
    example.repo.git("clone", "-q", f"file://{example.repo.folder}", str(clone))
    file = tmp_path / "report.html"
    assert call("report", "-o", file, "-C", clone).code == 0
    words = " ".join(Page.of(file.read_text()).text.split())
    fetch = "git fetch origin '+refs/notes/*:refs/notes/*'"
    assert ("Left out: learning curves, the baseline's and main's, confusion, before and after. "
            f"The records are not in this clone; fetch them: {fetch}") in words  # fmt: skip
    assert f"no pictures here: the answers are not in this clone; fetch them: {fetch}" in words
    example.repo.git("push", "-q", str(clone), "refs/notes/*:refs/notes/*")
    assert call("report", "-o", file, "-C", clone).code == 0
    words = " ".join(Page.of(file.read_text()).text.split())
    assert "cat taken for dog" in words
    assert ("There are no pictures here: there are no images at '/photos/pets'; to show them: "
            "improve-git report data.images=FOLDER") in words  # fmt: skip


def test_an_image_that_changed_is_not_shown(example: ExampleTrail, tmp_path: Path) -> None:
    """A dataset.json of anybody's must not bring another file of the user's onto the page."""
    images = tmp_path / "images"
    with_images(example, images, ("cat", "dog"))
    for file in images.iterdir():
        Image.new("RGB", (8, 8), "red").save(file)
    html = report.render(Pipeline.open(example.repo.folder, [f"data.images={images}"]))
    assert "data:image/jpeg" not in html
    assert "taken for" in html


def test_only_an_older_report_is_overwritten(
    example: ExampleTrail, call: Call, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<!doctype html>\nmine")
    said = call("report", "-o", mine, "-C", example.repo.folder)
    assert said.code == 1 and "is there, and not made by this command" in said.err
    assert mine.read_text() == "<!doctype html>\nmine"
    for _ in range(2):
        assert call("report", "-o", tmp_path / "ours.html", "-C", example.repo.folder).code == 0


def test_nothing_measured_yet(tmp_path: Path, call: Call) -> None:
    example = ExampleTrail.found(tmp_path / "new")
    example.repo.git("reset", "-q", "--hard", "HEAD~1")
    said = call("report", "-o", tmp_path / "x.html", "-C", example.repo.folder)
    assert (said.code, said.err) == (
        1, "error: nothing is measured yet\n  fix: improve-git run\n"
    )  # fmt: skip
