import copy
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forging import Draft, Edit, clone, edited, reworded, rewrite, said, verdict_of
from improve_git.errors import PipelineError
from improve_git.git import ENGINE, Person, Repository
from improve_git.messages import compose
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history, read_record
from improve_git.trail.writing import write_record
from improve_git.verification import places, records
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding, Report
from improve_git.verification.history import inconsistencies, verify_history
from improve_git.verification.shape import fault
from scripted import source
from worlds import World, make_photos, make_world, ticking_clock

MOVES = [
    ("model", "wider", source("model", 0.4)),  # merged, 0.8
    ("train", "worse", source("train", 0.1)),  # rejected
    ("data", "broken", source("data", 0.9, "\n# crashed\n")),  # failed
    ("data", "better", source("data", 0.25)),  # merged, 0.9 on the user's 0.85
    ("train", "same", source("train", 0.25, "\n# only a comment\n")),  # rejected
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


def tell(photos: Path, folder: Path, *words: str) -> World:
    """Make a pipeline with two merges, two rejections, a failure and a commit by hand."""
    with ticking_clock():
        w = make_world(photos, folder, MOVES, words=words)
        w.run("budget.iterations=3")
        w.commit("train.py", source("train", 0.25))
        w.commit("README.md", "Mine.\n")
        w.run("budget.iterations=5")
    return w


@pytest.fixture(scope="module")
def told(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(photos, tmp_path_factory.mktemp("told") / "pipeline").pipeline.repo.folder


@pytest.fixture(scope="module")
def confirmed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirmed") / "pipeline"
    return tell(photos, folder, "accept=confirmed").pipeline.repo.folder


@pytest.fixture
def repo(told: Path, tmp_path: Path) -> Repository:
    """Return a copy to forge in."""
    shutil.copytree(told, tmp_path / "pipeline")
    return Repository(tmp_path / "pipeline")


def verify(repo: Repository, *words: str, against: str = "") -> Report:
    return verify_history(Pipeline.open(repo.folder, words), against)


def found(repo: Repository, *words: str, against: str = "") -> list[tuple[str, str, str]]:
    report = verify(repo, *words, against=against)
    return [(one.check, one.where, one.what) for one in report.findings]


def told_of(findings: list[tuple[str, str, str]], check: str, where: str, what: str) -> bool:
    return any(one[:2] == (check, where) and re.search(what, one[2]) for one in findings)


# What is as the engine left it


def test_an_untouched_history_holds(told: Path) -> None:
    report = verify(Repository(told))
    assert (report.findings, report.unchecked, report.remarks) == ([], [], [])
    assert (report.verdicts, report.merges, report.records, report.images) == (7, 2, 7, 200)
    assert report.predictions == 6 * 80  # of the failed one there are none


def test_so_does_one_that_was_confirmed_over_seeds(confirmed: Path) -> None:
    report = verify(Repository(confirmed))
    assert (report.findings, report.unchecked, report.remarks) == ([], [], [])
    assert report.merges == 2 and report.predictions > 10 * 80


@pytest.mark.parametrize("bare", [False, True])
def test_a_clone_holds(told: Path, photos: Path, tmp_path: Path, bare: bool) -> None:
    cloned = clone(Repository(told), tmp_path / "clone")
    if bare:
        subprocess.run(["git", "clone", "-q", "--mirror", cloned.folder, tmp_path / "bare"],
                       check=True)  # fmt: skip
        cloned = Repository(tmp_path / "bare")
    report = verify(cloned, f"data.images={photos}")
    assert (report.findings, report.unchecked) == ([], [])
    assert (report.verdicts, report.records, report.images) == (7, 7, 200)


def test_a_clone_without_notes_and_images_says_what_is_not_checked(
    told: Path, tmp_path: Path
) -> None:
    cloned = clone(Repository(told), tmp_path / "clone", notes=False)
    report = verify(cloned, "data.images=/nowhere")
    assert report.findings == []
    assert [(one.what, one.fix) for one in report.unchecked] == [
        ("7 of 7 records are not at hand", "git fetch origin '+refs/notes/*:refs/notes/*'"),
        ("the 200 images: bytes, labels and parts of dataset.json; there are no images at "
         "'/nowhere'",
         "improve-git verify --history data.images=FOLDER"),
    ]  # fmt: skip


def test_nothing_is_written(told: Path) -> None:
    def state() -> list[tuple[str, float]]:
        return sorted((str(p), p.stat().st_mtime) for p in told.rglob("*") if p.is_file())

    before = state()
    verify(Repository(told))
    assert state() == before


def test_what_the_users_own_commits_hold_is_told_and_no_finding(repo: Repository) -> None:
    (repo.folder / "train.py").write_text(source("train", 0.3))
    subprocess.run(["git", "commit", "-qam", "Mine"], cwd=repo.folder, check=True)
    report = verify(repo)
    assert report.findings == []
    assert len(report.remarks) == 1 and "that no verdict is about" in report.remarks[0]


def test_a_rule_by_word_of_mouth_is_told(photos: Path, tmp_path: Path) -> None:
    w = make_world(photos, tmp_path / "pipeline", MOVES, words=("accept=confirmed",))
    w.run("budget.iterations=1", "accept=improves", "budget.train_seconds=50")
    report = verify(w.pipeline.repo)
    assert report.findings == []
    assert report.remarks == [
        "the baseline was measured under a budget.train_seconds that improve.yaml does not have",
        "0001 was measured under a budget.train_seconds that improve.yaml does not have",
        "0001 was decided by another rule than that of improve.yaml",
    ]


# Forgeries


def test_an_edited_trailer(repo: Repository) -> None:
    rewrite(repo, edited(4, message=reworded("Val-Accuracy", "0.99")))
    findings = found(repo)
    assert told_of(findings, "trailers", "0004", "^Val-Accuracy is 0.99; its record says 0.9$")
    # What comes after was judged on a commit that is no longer there.
    assert told_of(findings, "order", "0005", "which main does not hold")


def test_an_edited_subject(repo: Repository) -> None:
    rewrite(repo, edited(4, message=lambda text: text.replace("0.9000 (", "0.9900 (")))
    assert told_of(found(repo), "trailers", "0004", "its subject does not say accuracy 0.9000")


def test_a_swapped_tree(repo: Repository) -> None:
    swapped = repo.write_tree(verdict_of(repo, 4).tree, {"data.py": source("data", 0.01)})
    rewrite(repo, edited(4, tree=swapped))
    findings = found(repo)
    assert told_of(findings, "component", "0004", "data.py landed as neither main nor the branch")
    assert told_of(findings, "component", "0004", "its record is of other files")


def test_a_tree_swapped_on_the_branch_too(repo: Repository) -> None:
    verdict = verdict_of(repo, 4)
    data = {"data.py": source("data", 0.01)}

    def edit(draft: Draft) -> Draft:
        if draft.old.sha in (verdict.sha, verdict.parents[1]):
            return replace(draft, tree=repo.write_tree(draft.tree, data))
        return draft

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "component", "0004", "its record is of other files")


def test_a_second_file_in_a_candidate(repo: Repository) -> None:
    verdict = verdict_of(repo, 4)
    more = {"model.py": source("model", 0.5)}

    def edit(draft: Draft) -> Draft:
        if draft.old.sha in (verdict.sha, verdict.parents[1]):
            return replace(draft, tree=repo.write_tree(draft.tree, more))
        return draft

    rewrite(repo, edit, consistent=True)
    findings = found(repo)
    assert told_of(findings, "component", "0004", "changes data.py, model.py, not data.py alone")
    assert told_of(findings, "component", "0004", "model.py landed as neither")


def test_a_replaced_record(repo: Repository) -> None:
    verdict = verdict_of(repo, 4)
    record = read_record(repo, said(verdict)["Record"])
    assert record
    repo.add_note(verdict.sha, write_record(repo, record | {"log_tail": "nothing"}))
    [finding] = found(repo)
    assert finding[:2] == ("record", "0004")
    assert finding[2].endswith(f"not {said(verdict)['Record'][:7]}")


def test_a_record_of_another_verdict(repo: Repository) -> None:
    other = said(verdict_of(repo, 1))["Record"]
    rewrite(repo, edited(4, message=reworded("Record", other)))
    findings = found(repo)
    assert told_of(findings, "record", "0004", "the record attached to it is")
    assert told_of(findings, "trailers", "0004", "^Iteration is 4; its record says 1$")


def test_an_edited_record(repo: Repository) -> None:
    def better(record: dict) -> dict:
        return record | {"score": 0.99}

    def edit(draft: Draft) -> Draft:
        draft = edited(4, record=better)(draft)  # type: ignore[assignment]
        return edited(4, message=reworded("Val-Accuracy", "0.99"))(draft)  # type: ignore[return-value]

    rewrite(repo, edit, consistent=True)
    what = "what seed 0 was judged by is not its score"
    assert told_of(found(repo), "score", "0004", what)


def test_a_record_edited_down_to_its_score(repo: Repository) -> None:
    def better(record: dict) -> dict:
        return record | {"score": 0.99, "judgement": record["judgement"] | {"value": 0.99}}

    def edit(draft: Draft) -> Draft:
        draft = edited(4, record=better)(draft)  # type: ignore[assignment]
        return edited(4, message=reworded("Val-Accuracy", "0.99"))(draft)  # type: ignore[return-value]

    rewrite(repo, edit, consistent=True)
    expected = "seed 0 has the score 0.99; its predictions come to 0.9$"
    assert told_of(found(repo), "score", "0004", expected)


def test_reordered_history(repo: Repository) -> None:
    """The two merges change places: data first, then model."""
    first, second = verdict_of(repo, 1), verdict_of(repo, 4)
    swap = {first.sha: second, second.sha: first}

    def edit(draft: Draft) -> Draft:
        other = swap.get(draft.old.sha)
        return replace(draft, message=other.message) if other else draft

    rewrite(repo, edit)
    findings = found(repo)
    assert told_of(findings, "order", "0001", "it comes after 0004")
    assert {one[0] for one in findings} >= {"order", "place", "record"}


def test_a_merge_dropped_out_of_the_middle(repo: Repository) -> None:
    branch = "refs/heads/improve/0001-model-wider"
    before = verdict_of(repo, 1)

    def edit(draft: Draft) -> Draft | None:
        return None if draft.old.sha == before.sha else draft

    rewrite(repo, edit, drop=(branch,))
    findings = found(repo)
    assert told_of(findings, "gap", "0001", "it is nowhere")
    assert told_of(findings, "order", "0002", "which main does not hold")


def test_a_dropped_rejection(repo: Repository) -> None:
    repo.git("update-ref", "-d", "refs/heads/improve/0002-train-worse")
    [(check, where, what)] = found(repo)
    assert (check, where) == ("gap", "0002")
    assert re.search("it is nowhere: .*; its record is still attached to", what)


def test_the_newest_attempt_dropped(repo: Repository) -> None:
    verdict = verdict_of(repo, 5)
    repo.git("update-ref", "-d", "refs/heads/improve/0005-train-same")
    assert told_of(found(repo), "gap", "0005", "it is nowhere")
    repo.git("notes", "--ref", "refs/notes/improve", "remove", verdict.sha)
    assert found(repo) == []  # but a tip known beforehand, of that branch, tells


def test_a_number_far_out_is_told_in_a_line(repo: Repository) -> None:
    repo.update_ref("refs/heads/improve/999999999-model-far", repo.resolve("main") or "",
                    "0" * 40, "test")  # fmt: skip
    gaps = [one for one in found(repo) if one[0] == "gap"]
    assert gaps == [("gap", "0006", "it is nowhere, nor is any up to 999999998: "
                     "its branch was deleted or its verdict dropped")]  # fmt: skip


def test_main_set_back(repo: Repository) -> None:
    verdict = verdict_of(repo, 4)
    repo.git("update-ref", "refs/heads/main", verdict.parents[0])
    findings = found(repo)
    assert told_of(findings, "place", "0004", "it says merged, and main does not hold it")
    assert told_of(findings, "order", "0005", "which main does not hold")


def test_a_changed_data_set(repo: Repository) -> None:
    """A val image gets another label: in dataset.json, everywhere, and by its fingerprint."""
    from improve_git.datasets.dataset import DataSet

    text = repo.read("main", "dataset.json")
    data_set = DataSet.from_json(text)
    entries = list(data_set.entries)
    place = next(n for n, entry in enumerate(entries) if entry.part == "val")
    entries[place] = replace(entries[place], label=1 - entries[place].label)
    changed = replace(data_set, entries=tuple(entries)).to_json()

    def edit(draft: Draft) -> Draft:
        return replace(draft, tree=repo.write_tree(draft.tree, {"dataset.json": changed}))

    rewrite(repo, edit, consistent=True)
    findings = found(repo)
    assert told_of(findings, "data", "0004", "measured on other images")
    assert told_of(findings, "score", "0004", "its predictions come to")
    assert told_of(findings, "data", "the images", "has another label than dataset.json says")


def test_dataset_json_edited_by_hand(repo: Repository) -> None:
    text = repo.read("main", "dataset.json").replace('"label": 0', '"label": 1', 1)

    def edit(draft: Draft) -> Draft:
        return replace(draft, tree=repo.write_tree(draft.tree, {"dataset.json": text}))

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "data", "0004", "is missing or was changed by hand")


def test_changed_images(told: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "cats" / "7.png").rename(tmp_path / "photos" / "dogs" / "more.png")
    findings = found(Repository(told), f"data.images={tmp_path / 'photos'}")
    assert findings == [("data", "the images", "'cats/7.png' is not there")]
    (tmp_path / "photos" / "dogs" / "more.png").unlink()
    assert verify(Repository(told), f"data.images={tmp_path / 'photos'}").images == 199


@pytest.mark.parametrize("role", ["author", "committer"])
def test_a_verdict_by_another_hand(repo: Repository, role: str) -> None:
    rewrite(repo, edited(5, **{role: Person("improve-git", "engine@example.invalid")}))
    what = rf"^its {role} is improve-git <engine@example\.invalid>: Reject 0005"
    assert told_of(found(repo), "hand", "a verdict", what)


def test_a_verdict_written_by_hand(repo: Repository) -> None:
    message = verdict_of(repo, 4).message.replace("0.9", "0.99")
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", message], cwd=repo.folder,
                   check=True)  # fmt: skip
    [finding] = found(repo)
    assert finding[:2] == ("hand", "a verdict")


def test_an_unmeasured_commit_by_hand(repo: Repository) -> None:
    """The user's commit and its score are dropped, and its change put into the merge before."""

    def edit(draft: Draft) -> Draft | None:
        told = said(draft.old)
        return None if told.get("Verdict") == "measured" else draft

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "decision", "0004", "of which no verdict tells the score")


def test_a_merge_that_is_none(repo: Repository) -> None:
    """A rejection becomes a merge, in its words and in its record."""
    number = 5
    verdict = verdict_of(repo, number)

    def edit(draft: Draft) -> Draft:
        change = edited(number, record=lambda its: its | {"verdict": "merged"})
        draft = change(draft)  # type: ignore[assignment]
        return edited(number, message=reworded("Verdict", "merged"))(draft)  # type: ignore[return-value]

    new = rewrite(repo, edit, consistent=True)
    findings = found(repo)
    assert told_of(findings, "place", "0005", "it has 1 parents")
    # Now as a merge on main.
    main, tip = repo.resolve("main") or "", new[verdict.parents[0]]
    tree = repo.write_tree(main, {"train.py": repo.read(tip, "train.py")})
    message = repo.log("-1", new[verdict.sha])[0].message
    merge = repo.commit(tree, [main, tip], message, ENGINE)
    repo.git("update-ref", "refs/heads/main", merge)
    repo.git("update-ref", "refs/heads/improve/0005-train-same", tip)
    assert told_of(found(repo), "decision", "0005", r"it was merged with \+0\.00 points")


def test_an_object_that_is_not_what_its_name_says(repo: Repository) -> None:
    blob = said(verdict_of(repo, 4))["Record"]
    other = write_record(repo, {"format": 1})
    files = [repo.folder / ".git" / "objects" / sha[:2] / sha[2:] for sha in (blob, other)]
    files[0].chmod(0o644)
    files[0].write_bytes(files[1].read_bytes())
    findings = found(repo)
    assert any(check == "objects" and blob[2:] in what for check, _, what in findings), findings


def test_replaced_commits(repo: Repository) -> None:
    repo.git("replace", repo.resolve("main") or "", verdict_of(repo, 5).sha)
    [(check, _, what)] = found(repo)
    assert check == "objects" and "refs/replace" in what


def test_a_consistent_rewriting_is_caught_by_a_known_tip_alone(repo: Repository) -> None:
    known = repo.resolve("main") or ""
    assert found(repo, against=known) == []

    def shorter(record: dict) -> dict:
        return record | {"log_tail": "all is well"}

    rewrite(repo, edited(4, record=shorter), consistent=True)
    assert found(repo) == []
    what = f"main does not hold {known[:10]}, nor does any branch"
    assert found(repo, against=known) == [("tip", "main", what)]


def changing(number: int, change: Callable[[dict], dict]) -> Edit:
    """Return the edit of an iteration's record."""
    return edited(number, record=change)


@pytest.mark.parametrize("key", ["by_seed", "looks"])
def test_a_list_that_is_none(repo: Repository, key: str) -> None:
    rewrite(repo, changing(4, lambda its: its | {key: None}), consistent=True)
    assert told_of(found(repo), "record", "0004", f"its '{key}' is not of the engine's form")


def test_a_judgement_beside_those_of_the_seeds(confirmed: Path, tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "pipeline")
    repo = Repository(tmp_path / "pipeline")

    def better(record: dict) -> dict:
        return record | {"judgement": record["judgement"] | {"value": 1.0}}

    rewrite(repo, changing(4, better), consistent=True)
    assert told_of(found(repo), "score", "0004", "its judgement is not that of its first seed")


def test_main_told_over_its_worst_seed(confirmed: Path, tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "pipeline")
    repo = Repository(tmp_path / "pipeline")
    rewrite(repo, changing(4, lambda its: its | {"main_seeds": [2]}), consistent=True)
    what = r"main is told over the seeds \[2\]; the gate says \[0, 1, 2\]"
    assert told_of(found(repo), "decision", "0004", what)


def test_main_measured_on_seeds_that_were_picked(confirmed: Path, tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "pipeline")
    repo = Repository(tmp_path / "pipeline")

    def edit(draft: Draft) -> Draft:
        if said(draft.old).get("Verdict") != "measured" or not draft.record:
            return draft
        *runs, last = draft.record["by_seed"]
        record = draft.record | {"by_seed": [*runs, last | {"seeds": [7]}], "seeds": [0, 1, 7]}
        return replace(draft, record=record, message=reworded("Seeds", "0,1,7")(draft.message))

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "record", "main", "its seeds do not run on from the first")


def test_settings_too_deep_to_be_written_have_no_key(told: Path) -> None:
    chain = Chain(Pipeline.open(told))
    nested: dict = {}
    for _ in range(5000):
        nested = {"a": nested}
    assert chain.key({}, {"settings": nested, "image": ""}, chain.tip) is None


def test_a_confidence_taken_away(confirmed: Path, tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "pipeline")
    repo = Repository(tmp_path / "pipeline")

    def edit(draft: Draft) -> Draft:
        draft = changing(4, lambda its: its | {"confidence": None})(draft)  # type: ignore[assignment]
        drop = edited(4, message=lambda text: re.sub("Confidence: .*\n", "", text))
        return drop(draft)  # type: ignore[return-value]

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "decision", "0004", "its confidence is told as None")


def test_a_loosened_rule_is_told(confirmed: Path, tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "pipeline")
    repo = Repository(tmp_path / "pipeline")

    def looser(record: dict) -> dict:
        return record | {"rule": record["rule"] | {"confidence": 0.1}}

    rewrite(repo, changing(4, looser), consistent=True)
    assert verify(repo).remarks == ["0004 was decided by another rule than that of improve.yaml"]


def test_a_rejection_told_as_a_failure(repo: Repository) -> None:
    def edit(draft: Draft) -> Draft:
        draft = changing(2, lambda its: its | {"verdict": "failed"})(draft)  # type: ignore[assignment]
        return edited(2, message=reworded("Verdict", "failed"))(draft)  # type: ignore[return-value]

    rewrite(repo, edit, consistent=True)
    assert told_of(found(repo), "decision", "0002", r"it failed with a score of 0\.7$")


def test_a_rejection_of_another_main(repo: Repository) -> None:
    """It is told as judged on a later main than the one that it was trained on."""
    later, score = verdict_of(repo, 4), 0.9
    # The rejected one of the train component, moved behind the merge of the data component.
    verdict = verdict_of(repo, 2)
    record = read_record(repo, said(verdict)["Record"])
    assert record
    moved = record | {"main_commit": later.sha, "main_score": score}
    blob = write_record(repo, moved)
    message = reworded("Main-Accuracy", "0.9")(verdict.message)
    message = message.replace(said(verdict)["Record"], blob)
    commit = repo.commit(verdict.tree, verdict.parents, message, ENGINE)
    repo.git("update-ref", "refs/heads/improve/0002-train-worse", commit)
    what = "data.py of its candidate is not that of main"
    assert told_of(found(repo), "component", "0002", what)


def test_an_edited_gain_in_a_subject(repo: Repository) -> None:
    rewrite(
        repo, edited(4, message=lambda text: text.replace("(+5.00 points)\n", "(+9 points)\n", 1))
    )
    assert told_of(found(repo), "trailers", "0004", r"does not say \(\+5\.00 points\)")


def test_a_verdict_taken_from_its_branch_is_told(repo: Repository) -> None:
    verdict = verdict_of(repo, 2)
    repo.git("update-ref", "refs/heads/improve/0002-train-worse", verdict.parents[0])
    assert told_of(found(repo), "gap", "0002", "a record is attached to")
    repo.git("notes", "--ref", "refs/notes/improve", "remove", verdict.sha)
    told = "0002 has a branch and no verdict, and later ones have theirs"
    assert told in verify(repo).remarks


def test_a_number_out_of_all_bounds_costs_nothing(repo: Repository) -> None:
    repo.git("update-ref", "refs/heads/improve/999999999-data-far", "main")
    repo.git("update-ref", f"refs/heads/improve/{'9' * 200}-data-farther", "main")
    assert [one[:2] for one in found(repo)] == [("gap", "0006")]


def test_other_peoples_verdicts_are_none_of_ours(repo: Repository) -> None:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "Look\n\nVerdict: fine"],
                   cwd=repo.folder, check=True)  # fmt: skip
    assert found(repo) == []


def test_a_clone_that_fetched_and_did_not_merge(told: Path, tmp_path: Path) -> None:
    cloned = clone(Repository(told), tmp_path / "clone")
    before = verdict_of(cloned, 4).parents[0]
    cloned.git("update-ref", "refs/heads/main", before)
    with pytest.raises(PipelineError, match="main here is behind origin/main") as error:
        verify(cloned)
    assert error.value.fix == "git switch main && git merge --ff-only origin/main"


def test_an_opening_dropped_and_one_hidden_by_a_branch(repo: Repository) -> None:
    """The account says first opening 1, then 3; a branch holds it too."""
    blob, main = write_record(repo, {}), repo.resolve("main") or ""
    tree = repo.write_tree(None, {"record.json": repo.read_blob(blob)})
    tip = main
    for number in (1, 3):
        labels = {"Opening": number, "Tip": main, "Record": blob}
        message = compose("Evaluate", "", labels)
        tip = repo.commit(tree, [tip], message, ENGINE)
    repo.git("update-ref", "refs/improve/openings", tip)
    told = [
        ("sealed", "openings", "opening 1: its record of tip cannot be used: it is no JSON object"),
        ("sealed", "openings", "it is called opening 3, and stands in place 2"),
    ]
    assert found(repo) == told
    repo.git("update-ref", "refs/heads/hides", tip)
    assert found(repo) == told


@pytest.fixture(scope="module", params=["told", "confirmed"])
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    yield Chain(Pipeline.open(request.getfixturevalue(request.param)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_trailer_can_be_changed(chain: Chain, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(chain.ruled))
    key = data.draw(st.sampled_from(sorted(one.said)))
    characters = st.characters(min_codepoint=33, max_codepoint=126)
    value = data.draw(st.one_of(
        st.text(characters, min_size=1, max_size=12),
        st.sampled_from([v for other in chain.ruled for v in other.said.values()]),
        st.integers(0, 9).map(lambda digit: re.sub(r"\d", str(digit), one.said[key], count=1)),
    ))  # fmt: skip
    if value == one.said[key]:
        return
    commit = one.commit._replace(message=reworded(key, value)(one.commit.message))
    forged = copy.copy(chain)
    for name in ("on_main", "attempts", "reachable"):
        forged.__dict__.pop(name, None)
    place = chain.ruled.index(one)
    forged.commits = {**chain.commits, commit.sha: commit}
    forged.ruled = tuple(
        forged._ruled(commit) if n == place else other for n, other in enumerate(chain.ruled)
    )
    checks = (places.hands, places.places, records.attached, records.told)
    assert any(list(check(forged)) for check in checks), (key, value)


ODD = st.sampled_from(
    [None, True, 0, -1, 10**400, 0.5, 1e308, math.nan, "", "x", [], [0, 1], [[0, 0.5]], {}]
)


def altered(data: st.DataObject, content: Any) -> Any:
    """Return a piece of JSON with another value, or none, somewhere inside it."""
    if not isinstance(content, dict | list) or not content or data.draw(st.integers(0, 2)) == 0:
        return data.draw(ODD)
    changed = copy.copy(content)
    place = data.draw(st.sampled_from(sorted(content) if isinstance(content, dict)
                                      else range(len(content))))  # fmt: skip
    if data.draw(st.integers(0, 4)) == 0:
        del changed[place]
    else:
        changed[place] = altered(data, content[place])
    return changed


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_record_is_put_up_with(chain: Chain, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(chain.ruled))
    assert one.record
    record = one.record
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from(sorted({*record, "iteration", "main_commit", "by_seed"})))
        record = record | {key: altered(data, record.get(key))}
    wrong = fault(record)
    forged = copy.copy(chain)
    for name in ("on_main", "attempts", "reachable"):
        forged.__dict__.pop(name, None)
    ruled = replace(one, record=None if wrong else record, fault=wrong)
    forged.ruled = tuple(ruled if other is one else other for other in chain.ruled)
    found = inconsistencies(forged)
    assert found if wrong else all(isinstance(what, Finding) for what in found)


@pytest.mark.parametrize("changes", [
    {"metric": []}, {"score": 10**400}, {"main_score": 1e308}, {"main_score": None},
    {"verdict": "baseline", "component": None}, {"verdict": "baseline", "main_score": None},
    {"seeds": []}, {"seeds": [*range(101)]},
])  # fmt: skip
def test_a_record_that_nothing_can_be_reckoned_with_is_told(
    told: Path, changes: dict[str, Any]
) -> None:
    record = read_record(Repository(told), read_history(Repository(told)).attempts[3].record)
    assert record and fault(record) == ""
    assert fault(record | changes)


def test_main_may_score_nothing(told: Path) -> None:
    """As a kappa does where main is no better than chance."""
    record = read_record(Repository(told), read_history(Repository(told)).attempts[3].record)
    assert record and fault(record | {"main_score": 0.0}) == ""


def test_history_tells_the_rule_that_decided(told: Path) -> None:
    repo = Repository(told)
    newest = read_history(repo).decided[-1]
    record = read_record(repo, newest.record)
    assert record and record["rule"] == {
        "name": "improves", "seed": 0, "seeds": 3, "confidence": 0.8, "chance": 0.3,
    }  # fmt: skip
