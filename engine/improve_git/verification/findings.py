"""What a verification finds: plain data."""

from dataclasses import dataclass, field

# What is checked: a short name -> what has to hold.
CHECKS: dict[str, str] = {
    "tip": "main goes on from the commit that was noted",
    "objects": "what Git stores is what its names say, and nothing is shown in its place",
    "hand": "only the engine gives verdicts",
    "place": "each verdict stands where the engine puts it",
    "component": "a candidate changes its one file, and what was measured is what landed",
    "record": "the record of a verdict is the one that it names",
    "trailers": "a verdict says what its record says",
    "data": "the images are those that were measured on",
    "score": "the recorded predictions come to the recorded score",
    "decision": "main was what a candidate was compared with, and the gate decides the same",
    "order": "each attempt was judged on the main that the one before left",
    "gap": "no iteration is missing",
    "sealed": "openings of the sealed images are the engine's, and come to what they tell",
}


@dataclass(frozen=True)
class Finding:
    """Something that does not hold."""

    check: str  # of CHECKS
    where: str  # for people: 0009, the baseline, main, the images
    what: str  # in one line, of foreign text too
    commit: str = ""  # "": it is about no single one

    @property
    def why(self) -> str:
        """What should hold."""
        return CHECKS[self.check]


@dataclass(frozen=True)
class Unchecked:
    """Something that could not be checked, and what lets it be."""

    what: str
    fix: str


@dataclass
class Report:
    """What was checked and what came of it."""

    tip: str  # of main
    verdicts: int = 0
    merges: int = 0
    records: int = 0
    predictions: int = 0  # of single images, scored again
    images: int = 0  # compared with dataset.json
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # nothing wrong, and good to know
