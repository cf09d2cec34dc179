"""The agents on a trail in Git: what they decided comes back to them as they wrote it."""

import json
from pathlib import Path

from cases import answer, changed, context_of, file_reply, first_files, training_of

from improve_git.domain import FILES, Attempt, Context, Design
from improve_git.git import Repository
from improve_git.teams.agents import asking
from improve_git.teams.agents.team import Agents
from improve_git.trail import writing
from improve_git.trail.history import MAIN, read_history
from scripted_llm import ScriptedLlm

INSTRUCTION = "Mirror half of the training images left to right.\n\n- no turns\n- no crops"


def attempts_of(repo: Repository) -> list[Attempt]:
    return list(read_history(repo).attempts)


def conclude(repo: Repository, attempt: Attempt, verdict: str, score: float | None) -> None:
    status = "ok" if score is not None else "timeout"
    record = {
        "metric": "accuracy", "score": score, "seeds": [0], "train_seconds": 50.0, "status": status,
    }  # fmt: skip
    gain = f"accuracy {score:.4f} over 0.8137" if score is not None else "timeout: after 240 s"
    blob = writing.write_record(repo, record)
    ref = writing.ref_of(attempt)
    labels = writing.verdict_trailers(
        verdict, gain, record, blob, main_score=0.8137,
        attempt=(attempt.number, attempt.component, ref.removeprefix("refs/heads/")),
    )  # fmt: skip
    message = writing.compose(f"End {attempt.number}", "", labels)
    writing.close(repo, ref, repo.resolve(ref) or "", message)


def test_decisions_come_back_as_they_were_made(tmp_path: Path):
    files = first_files()
    repo = Repository.create(tmp_path / "pipeline")
    writing.found(repo, {"README.md": "# pets\n"}, "pets", Design(files, "Start", "Plainly."), "x")
    main = repo.resolve(MAIN) or ""
    scores = [0.8051, None, 0.8093, 0.7944]
    replies = []
    for number, component in enumerate(("data", "model", "train", "data"), start=1):
        source = changed(files[FILES[component]]) + f"\nNUMBER = {number}\n"
        value = answer(component=component, title=f"Idea {number}", instruction=INSTRUCTION)
        replies += [json.dumps(value), file_reply(source, FILES[component], f"Do {number}")]
    team = Agents(ScriptedLlm(replies), lambda: None, 4000)

    def context(number: int) -> Context:
        return context_of(number=number, files=files, attempts=attempts_of(repo),
                          recent={n: training_of() for n in range(1, number)})  # fmt: skip

    for number, score in enumerate(scores, start=1):
        decided = team.assign(context(number))
        assert decided is not None
        writing.assign(repo, number, decided, main, team.name)
        attempt = attempts_of(repo)[-1]
        read_back = writing.read_assignment(repo, attempt, attempt.commit)
        assert (read_back.mechanism, read_back.expected_effect) == ("augmentation", "+0.8 points")
        assert "- no turns\n- no crops" in read_back.instruction
        change = team.rewrite(read_back, context(number))
        writing.rewrite(repo, attempt, attempt.commit, change, team.name)
        conclude(repo, attempt, "failed" if score is None else "rejected", score)

    text = asking.assign(context(5), 4000, False)
    for fact in (
        "- 0004 data, augmentation: idea-4: rejected, -2.0 points (+0.8 points expected)\n"
        "  idea: Mirrored images add variety.\n"
        "  change: Do 4. Mirrored images keep their label.\n"
        "  training: 5 epochs, train 90.0 %",
        "- 0002 model, augmentation: idea-2: failed: timeout: after 240 s\n",
        "data, augmentation: 2 tried, none better\n",
        "model, augmentation: 1 tried, all failed: timeout\n",
        "3 measured; on average +0.8 points expected, -1.2 points got",
        "refused:\n- data, augmentation\n- train, augmentation\n- model, augmentation\n",
    ):
        assert fact in text, fact
    for score in scores:
        assert score is None or f"{score:.4f}" not in text
    authors = repo.git("shortlog", "-sn", "--branches")
    assert "Performance Analyst (scripted-analyst)" in authors
    assert "Model Engineer (scripted-model)" in authors
