from pathlib import Path

import pytest

from improve_git.weights import at_hand, cache_folder


def model(hub: Path, name: str, weights: bool = True, main: bool = True) -> Path:
    folder = hub / name
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    if main:
        (folder / "refs" / "main").write_text("abc\n")
    if weights:
        (folder / "snapshots" / "abc" / "model.safetensors").touch()
    return folder


def test_models_of_timm_with_their_weights_are_found(tmp_path: Path) -> None:
    lite = model(tmp_path, "models--timm--tf_efficientnet_lite0.in1k")
    resnet = model(tmp_path, "models--timm--resnet18.a1_in1k")
    model(tmp_path, "models--timm--broken.off", weights=False)
    model(tmp_path, "models--timm--without.main", main=False)
    model(tmp_path, "models--other--bert")
    (tmp_path / "token").write_text("secret")
    found = {"resnet18.a1_in1k": resnet, "tf_efficientnet_lite0.in1k": lite}
    assert at_hand("auto", tmp_path) == found
    assert at_hand(["tf_efficientnet_lite0.in1k", "vit"], tmp_path) == {
        "tf_efficientnet_lite0.in1k": lite
    }
    assert at_hand([], tmp_path) == {}
    assert at_hand("auto", tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HOME": "/home/user"}, "/home/user/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_looks(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)
