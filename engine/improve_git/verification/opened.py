"""What is recorded under refs/improve of openings of the sealed images."""

from collections.abc import Iterator

from improve_git.git import ENGINE, Commit
from improve_git.messages import one_line, trailers
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding


def opened(chain: Chain) -> Iterator[Finding]:
    """Find openings by another hand, of commits that are gone, or with one before them gone."""
    seen: set[str] = set()
    refs = chain.repo.git("for-each-ref", "--format=%(refname)", "refs/improve").splitlines()
    for ref in refs:
        where = one_line(ref.removeprefix("refs/improve/"), 40)
        # A branch may hold the account too, so it is read whatever the branches hold.
        told = [(commit, trailers(commit.message)) for commit in chain.repo.log(
            "--first-parent", "--reverse", ref)]  # fmt: skip
        place = 0
        for commit, said in told:
            if not {"Opening", "Tip"} & said.keys() or (
                commit.author != ENGINE and not said.keys() >= {"Opening", "Tip"}
            ):
                continue
            place += commit.author == ENGINE and "Opening" in said
            if commit.sha not in seen:
                seen.add(commit.sha)
                for what in _wrong(chain, commit, said, place):
                    yield Finding("sealed", where, what, commit.sha)


def _wrong(chain: Chain, commit: Commit, said: dict[str, str], place: int) -> Iterator[str]:
    if commit.author != ENGINE:
        yield f"it is by {one_line(f'{commit.author.name} <{commit.author.email}>', 80)}"
    elif said.get("Opening", str(place)) != str(place):
        number = one_line(said["Opening"], 20)
        yield f"it is called opening {number}, and stands in place {place}"
    tip = said.get("Tip", "")
    if tip not in chain.commits:
        yield f"it is about {one_line(tip, 40)[:7] or 'no commit'}, which no branch holds"
    record = chain.repo.entries(commit.sha).get("record.json", "")
    if record.split()[2:] != [said.get("Record")]:
        yield "the record that it names is not the one that it carries"
