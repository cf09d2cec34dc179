import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.llm.secrets import scrub

GONE = "[secret removed]"
KEYS = [
    "sk-proj-abcDEF1234567890abcDEF",
    "sk-ant-api03-abcdefghij0123456789_-x",
    "hf_abcdefghijklmnopqrstuvwxyz012345",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvw",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("key", KEYS)
def test_what_looks_like_a_key_goes(key: str) -> None:
    assert scrub(f'token = "{key}"\nx = 1') == f'token = "{GONE}"\nx = 1'


def test_a_bearers_token_goes() -> None:
    assert scrub("Authorization: Bearer abc.def-123456789/xyz\n") == (
        f"Authorization: Bearer {GONE}\n"
    )


def test_an_unfinished_private_key_goes_to_the_end() -> None:
    assert scrub("a\n-----BEGIN PRIVATE KEY-----\nMIIE") == f"a\n{GONE}"


def test_values_of_the_environment_go_the_longest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "correct horse")
    monkeypatch.setenv("my_password", "correct horse battery staple")
    monkeypatch.setenv("SHORT_TOKEN", "short")
    monkeypatch.setenv("EDITOR_OF_CHOICE", "an-editor-of-mine")
    text = "correct horse battery staple, correct horse, short, an-editor-of-mine"
    assert scrub(text) == f"{GONE}, {GONE}, short, an-editor-of-mine"


@pytest.mark.parametrize(
    "text",
    [
        "import sklearn  # sk-learn-based-pipeline-of-many-words",
        "def key(token): return hf_model",
        "the bearer authentication-of-many-words",
        "hash = 0f343b0931126a20f133d67c2b018a3b",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("piece", ["sk-", "sk-a ", "Bearer a", "-----BEGIN ", "AIza-", "ghp_"])
def test_megabytes_that_begin_like_keys_take_no_hours(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    assert scrub(text) in (text, GONE)


def test_a_key_goes_whole_however_long_it_is() -> None:
    key = "sk-" + "ab-3" * 500
    assert scrub(f"a {key} b") == f"a {GONE} b"


@given(st.text(st.characters(codec=None)), st.sampled_from(KEYS), st.text())
def test_no_key_survives_anywhere(before: str, key: str, after: str) -> None:
    found = scrub(f"{before} {key} {after}")
    assert key not in found
    assert scrub(found) == found
    found.encode()  # valid Unicode, whatever came in
