import json

import pytest
from command_line import Call
from example_trail import ExampleTrail, measurement


def test_the_story(example: ExampleTrail, call: Call) -> None:
    first, measured = (s.commit[:7] for s in scores(example) if s.number is None)
    mine = example.repo.log("-1", f"{measured}^")[0].sha[:7]
    last = example.commit_by_user({"README.md": "my own words\n"})[:7]
    assert (
        call("log", "-C", example.repo.folder).out
        == f"""\
number   part   verdict    score           gain  what
{first}         baseline  0.5000                 Measure the baseline
0001     model  merged    0.7000  +20.00 points  wider: wider helps
0002     train  rejected  0.6000  -10.00 points  longer: longer helps
0003     data   failed                           mixup: crashed: ValueError: si…
{mine}         by hand                          Change by hand
{measured}         measured  0.8000  +10.00 points  Measure main as it is now
0004     data   merged    0.9000  +10.00 points  flips: flips helps
{last}         by hand                          Change by hand
0005     train  open                             warm-up: a warm-up steadies th…

scores and gains: on val, optimistic: a search kept the best
"""
    )


def test_a_wider_screen_tells_more(example: ExampleTrail, call: Call, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    lines = []
    for width in ("200", ""):
        if width:
            monkeypatch.setenv("COLUMNS", width)
        else:
            monkeypatch.delenv("COLUMNS")  # as in a pipe
        lines.append(call("log", "-C", example.repo.folder).out.splitlines()[4])
    assert lines[0] == lines[1]
    assert lines[0].endswith("  mixup: crashed: ValueError: size mismatch")


def test_the_newest_alone(example: ExampleTrail, call: Call) -> None:
    said = call("log", "-n", "2", "-C", example.repo.folder).out.splitlines()
    assert [line.split()[0] for line in said[:3]] == ["number", "0004", "0005"]
    rows = json.loads(call("log", "-n", "2", "--json", "-C", example.repo.folder).out)
    assert [row["number"] for row in rows] == [4, 5]
    assert call("log", "-n", "0", "-C", example.repo.folder).code == 2


def test_json(example: ExampleTrail, call: Call) -> None:
    rows = json.loads(call("log", "-C", example.repo.folder, "--json").out)
    assert [(row["number"], row["verdict"], row["score"], row["main_score"]) for row in rows] == [
        (None, "baseline", 0.5, None),
        (1, "merged", 0.7, 0.5),
        (2, "rejected", 0.6, 0.7),
        (3, "failed", None, 0.7),
        (None, "by hand", None, None),
        (None, "measured", 0.8, 0.7),
        (4, "merged", 0.9, 0.8),
        (5, None, None, None),
    ]
    attempt = example.pipeline.repo.log("-1", rows[3]["commit"])[0]
    assert rows[3] == {
        "number": 3,
        "component": "data",
        "slug": "mixup",
        "verdict": "failed",
        "reason": "crashed: ValueError: size mismatch",
        "metric": "accuracy",
        "score": None,
        "main_score": 0.7,
        "hypothesis": "mixup helps",
        "proposer": None,
        "train_seconds": 12.5,
        "commit": attempt.sha,
        "date": attempt.date,
        "subject": "Use mixup",
    }
    assert rows[4]["subject"] == "Change by hand"


def test_each_line_has_the_metric_of_its_time(example: ExampleTrail, call: Call) -> None:
    example.record = {}
    example.score_main("measured", measurement(0.25, metric="log_loss"))
    example.attempt("model", "deeper", "rejected", measurement(0.3, metric="log_loss"))
    lines = call("log", "-C", example.repo.folder).out.splitlines()
    assert "+20.00 points" in lines[2]
    assert "rejected  0.3000        +0.0500  deeper" in lines[9]


def test_commits_of_any_date_stand_between_their_verdicts(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year in ("1999", "2031"):
        monkeypatch.setenv("GIT_AUTHOR_DATE", f"{year}-01-01T00:00:00Z")
        example.commit_by_user({"README.md": year})
    example.score_main("measured", measurement(0.7))
    lines = call("log", "-C", example.repo.folder).out.splitlines()
    assert [line.split()[1] for line in lines[-6:-3]] == ["by", "by", "measured"]


def test_a_commit_without_a_verdict_is_shown_by_git(example: ExampleTrail, call: Call) -> None:
    mine = example.commit_by_user({"README.md": "my own words\n"})
    said = call("show", mine[:7], "-C", example.repo.folder)
    assert said.err == (
        f"error: {mine[:7]} is a commit of yours: it has no verdict of its own\n"
        f"  fix: git show {mine[:10]}\n"
    )


def test_nothing_yet(example: ExampleTrail, call: Call) -> None:
    root = example.repo.log("--max-parents=0")[0].sha
    baseline = scores(example)[0].commit
    design = example.repo.log("-1", f"{baseline}^")[0].sha
    assert example.repo.log("-1", f"{design}^")[0].sha == root
    example.repo.git("reset", "-q", "--hard", design)
    for ref in example.repo.branches():
        if "/improve/" in ref:
            example.repo.git("update-ref", "-d", ref)
    said = call("log", "-C", example.repo.folder)
    assert (said.out, said.code) == (
        f"nothing has been measured yet: improve-git run -C {example.repo.folder}\n", 0,
    )  # fmt: skip
    assert call("log", "-C", example.repo.folder, "--json").out == "[]\n"
    assert call("show", "0", "-C", example.repo.folder).err == (
        "error: nothing is measured yet\n  fix: improve-git run\n"
    )


def scores(example: ExampleTrail):  # type: ignore[no-untyped-def]
    from improve_git.trail.history import read_history

    return read_history(example.repo).main
