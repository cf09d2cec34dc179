import pytest
from situations import LITE, RESNET, attempt, context_of, first_files, profile_of

from improve_git import contract
from improve_git.domain import FILES, Assignment, Outcome
from improve_git.errors import TeamError
from improve_git.teams.base import Team
from improve_git.teams.playbook import Playbook
from improve_git.teams.rendering import read, write

SMALL = profile_of(8, 8)
LARGE = profile_of(300, 200)


@pytest.fixture
def team() -> Team:
    return Playbook()


@pytest.mark.parametrize(
    ("profile", "changes", "data", "model", "train"),
    [
        (SMALL, {"weights": (LITE,)}, {"IMAGE_SIZE": 8}, {"BACKBONE": "", "STAGES": 2}, 10),
        (profile_of(28, 28), {}, {"IMAGE_SIZE": 28}, {"STAGES": 3, "STEM_STRIDE": 1}, 10),
        (LARGE, {}, {"IMAGE_SIZE": 96}, {"BACKBONE": "", "STEM_STRIDE": 2, "STAGES": 4}, 10),
        (LARGE, {"weights": (RESNET, LITE)}, {"IMAGE_SIZE": 96}, {"BACKBONE": LITE}, 4),
        (
            LARGE,
            {"weights": (RESNET, LITE), "cuda": True},
            {"IMAGE_SIZE": 224},
            {"BACKBONE": RESNET},
            4,
        ),
        (profile_of(64, 48), {"weights": (LITE,)}, {"IMAGE_SIZE": 64}, {"BACKBONE": LITE}, 4),
        (profile_of(300, 300, imbalance=20), {}, {"BALANCE": 0.0}, {"BACKBONE": ""}, 10),
        (LARGE, {"weights": ("vit_base_patch16_224.augreg_in21k",)}, {}, {"BACKBONE": ""}, 10),
    ],
)
def test_the_first_pipeline_suits_the_data_set(team, profile, changes, data, model, train):
    design = team.design(context_of({}, profile, **changes), None)
    assert contract.check(design.files) == []
    assert len(design.subject) <= 72
    wanted = {"data": data, "model": model, "train": {"EPOCHS": train}}
    for component, values in wanted.items():
        found = read(component, design.files[FILES[component]])
        assert found is not None and found | values == found


def test_the_planned_epochs_are_the_users(team):
    for weights in ((), (LITE,)):
        design = team.design(context_of({}, LARGE, weights=weights), 7)
        assert read("train", design.files["train.py"])["EPOCHS"] == 7


def test_only_what_is_used_is_rendered():
    files = first_files(LARGE, weights=(LITE,))
    everything = "\n".join(files.values())
    for unused in ("mixup", "warp", "WIDTH", "Block", "freeze", "average", "smoothing", "VIEWS"):
        assert unused not in everything


def test_an_assignment_is_carried_out_in_one_file(team):
    files = first_files(LARGE)
    for number in range(30):
        context = context_of(files, LARGE, number=number)
        assignment = team.assign(context)
        change = team.rewrite(assignment, context)
        later = {**files, FILES[assignment.component]: change.source}
        assert later != files and contract.check(later) == []
        assert len(change.subject) <= 72 and change.subject in assignment.instruction
        assert "Source: " in change.body and "Change: " in change.body
        assert assignment.hypothesis and assignment.expected_effect.count("%") == 1


def test_the_end_is_reached_and_a_merge_opens_the_moves_again(team):
    files = first_files(SMALL)
    tried = []
    while assignment := team.assign(context_of(files, SMALL, attempts=tried, number=len(tried))):
        tried.append(attempt(len(tried), assignment.slug, "rejected", assignment.component))
    assert len(tried) > 24
    merged = [*tried, attempt(99, "width-up", "merged", "model")]
    assert team.assign(context_of(files, SMALL, attempts=merged)) is not None


def test_nothing_is_assigned_where_all_files_are_foreign(team):
    files = {name: source + "# mine\n" for name, source in first_files(SMALL).items()}
    assert team.assign(context_of(files, SMALL)) is None


def test_a_move_that_is_not_possible_any_more_is_refused(team):
    files = first_files(SMALL)
    for slug in ("mixup-down", "no-such-move"):
        with pytest.raises(TeamError, match=slug):
            team.rewrite(Assignment("data", slug, ""), context_of(files, SMALL))


def test_memory_is_saved_by_smaller_batches(team):
    files = first_files(LARGE)
    failed = write("data", read("data", files["data.py"]) | {"IMAGE_SIZE": 512})
    outcome = Outcome("out-of-memory", "8 GiB are not enough")
    assignment = Assignment("data", "resolution-up", "")
    for size in (16, 8, 4):
        change = team.repair(assignment, failed, outcome, context_of(files, LARGE))
        failed = change.source
        assert read("data", failed) == read("data", files["data.py"]) | {
            "IMAGE_SIZE": 512,
            "BATCH_SIZE": size,
        }
        assert "8 GiB" in change.body and len(change.subject) <= 72
    assert team.repair(assignment, failed, outcome, context_of(files, LARGE)) is None


def test_time_is_saved_by_fewer_epochs(team):
    files = first_files(SMALL)
    context = context_of(files, SMALL)
    baseline = team.repair(
        Assignment("train", "repair", ""), files["train.py"], Outcome("timeout"), context
    )
    assert read("train", baseline.source)["EPOCHS"] == 6
    longer = write("train", read("train", files["train.py"]) | {"EPOCHS": 20})
    assignment = Assignment("train", "epochs-up", "")
    change = team.repair(assignment, longer, Outcome("timeout"), context)
    assert read("train", change.source)["EPOCHS"] == 13
    slightly = write("train", read("train", files["train.py"]) | {"EPOCHS": 14})
    assert team.repair(assignment, slightly, Outcome("timeout"), context) is None


@pytest.mark.parametrize("status", ["invalid", "crashed", "diverged", "sandbox-error"])
def test_what_the_playbook_cannot_repair(team, status):
    files = first_files(SMALL)
    for component, name in FILES.items():
        assignment = Assignment(component, "repair", "")
        assert (
            team.repair(assignment, files[name], Outcome(status), context_of(files, SMALL)) is None
        )
    edited = files["data.py"] + "# mine\n"
    outcome = Outcome("out-of-memory")
    assert (
        team.repair(Assignment("data", "x", ""), edited, outcome, context_of(files, SMALL)) is None
    )
