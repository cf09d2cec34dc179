"""What is recorded under refs/improve of openings of the sealed images."""

from collections.abc import Iterator

from improve_git.git import ENGINE
from improve_git.messages import one_line, trailers
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding


def opened(chain: Chain) -> Iterator[Finding]:
    """Find accounts of openings by another hand, or of commits that are gone."""
    seen: set[str] = set()
    refs = chain.repo.git("for-each-ref", "--format=%(refname)", "refs/improve").splitlines()
    for ref in refs:
        for commit in chain.repo.log("--first-parent", ref, "--not", "--branches", "--remotes"):
            said = trailers(commit.message)
            if commit.sha in seen or "Tip" not in said:
                continue
            seen.add(commit.sha)
            where = one_line(ref.removeprefix("refs/improve/"), 40)
            if commit.author != ENGINE:
                who = one_line(f"{commit.author.name} <{commit.author.email}>", 80)
                yield Finding("sealed", where, f"it is by {who}", commit.sha)
            if said["Tip"] not in chain.commits:
                what = f"it is about {one_line(said['Tip'], 40)[:7]}, which no branch holds"
                yield Finding("sealed", where, what, commit.sha)
            record = chain.repo.entries(commit.sha).get("record.json", "")
            if record.split()[2:] != [said.get("Record")]:
                what = "the record that it names is not the one that it carries"
                yield Finding("sealed", where, what, commit.sha)
