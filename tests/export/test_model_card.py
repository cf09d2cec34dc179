"""The card's text: foreign words stay words, and of data.py only what counts is quoted."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import pipelines
from improve_git.export import model_card
from improve_git.export.model_card import Check
from improve_git.messages import one_line


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_foreign_text_is_shown_as_it_is_and_nothing_else(text: str) -> None:
    page = MarkdownIt("commonmark").render(f"0. {model_card.markdown(text)}\n")
    shown = html.escape(one_line(text, 200), quote=False).replace('"', "&quot;")
    assert page == f'<ol start="0">\n<li>{shown}</li>\n</ol>\n'


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[see](javascript:alert(1))",
        "![](https://example.invalid/pixel.png)",
        "---",
        "12. one",
        "a | b",
        "&lt;b&gt;",
        "`code`",
        "\\",
        "# head",
        "    indented",
    ],
)
def test_what_markdown_would_act_upon_is_escaped(text: str) -> None:
    page = MarkdownIt("commonmark").render(f"- {model_card.markdown(text)}\n")
    assert page == f"<ul>\n<li>{html.escape(text.strip(), quote=False)}</li>\n</ul>\n"


def test_links_that_need_no_brackets_are_broken() -> None:
    for text in ("see https://example.invalid", "see www.example.invalid", "mailto:a@b.invalid"):
        assert "\\" in model_card.markdown(text)
    assert model_card.markdown("Merge 0003 model: width-up, 0.91 (+2.1)") == (
        "Merge 0003 model: width-up, 0.91 (+2.1)"
    )


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_gets_out_of_inline_code(text: str) -> None:
    page = MarkdownIt("commonmark").render(model_card.code(f"x{text}x"))
    assert page.count("<") == 4
    assert page.startswith("<p><code>x")


def test_a_function_is_quoted_with_all_that_it_reaches() -> None:
    source = (
        '"""A docstring."""\n\nimport os\nimport numpy as np\nfrom PIL import Image, ImageOps\n\n'
        "SIZE = 8\nOTHER: int = 9\n\n\n"
        "def unused():\n    return OTHER + os.sep\n\n\n"
        "@staticmethod\ndef resize(image):\n    return ImageOps.fit(image, (SIZE, SIZE))\n\n\n"
        "def eval_transform(spec):\n    return lambda image: np.asarray(resize(image))\n"
    )
    assert model_card.reached(source, "eval_transform") == (
        "import numpy as np\nfrom PIL import Image, ImageOps\n\n\nSIZE = 8\n\n\n"
        "@staticmethod\ndef resize(image):\n    return ImageOps.fit(image, (SIZE, SIZE))\n\n\n"
        "def eval_transform(spec):\n    return lambda image: np.asarray(resize(image))"
    )
    assert "class Images" not in model_card.reached(pipelines.DATA, "eval_transform")
    assert model_card.reached("x = 1", "eval_transform") == ""


@pytest.mark.parametrize("form", ["safetensors", "torch", "onnx"])
def test_the_example_is_python_and_imports_what_its_format_needs(form: str) -> None:
    text = model_card.example(form)  # type: ignore[arg-type]
    compile(text, "predict.py", "exec")
    assert ("import onnxruntime" in text, "import model" in text) == (
        form == "onnx",
        form != "onnx",
    )
    assert ("safetensors" in text) == (form == "safetensors")
    assert "improve_git" not in text


def test_what_was_compared_is_told_in_a_sentence() -> None:
    assert Check((3, 8, 8), {}).sentence == ""
    assert Check((3, 8, 8), {}, 2.1e-6, 1e-3, 8, 4).sentence == (
        "ONNX's outputs differ from PyTorch's by 2.1e-06 at most on 8 images and 4 random inputs "
        "(0.001 is tolerated)"
    )
