"""The playbook team: a catalogue of well-known moves. No language model, no key, no network."""

from typing import Any

from improve_git.domain import FILES, Assignment, Component, Context, Design, Outcome, Rewrite
from improve_git.errors import TeamError
from improve_git.teams.catalogue import catalogue
from improve_git.teams.moves import Move, backbones_at_hand, neighbours, side
from improve_git.teams.policy import choose
from improve_git.teams.rendering import read, write

SMALL_SIDE = 40  # pixels; images up to this size are taken as they are
TINY_SIDE = 12  # pixels; so small an image needs few features
CPU_SIDE = 96  # an epoch of 1,700 images takes half a minute on two cores
CUDA_SIDE = 224  # what most backbones were pretrained with
CUDA_BACKBONE = 30  # million weights: the largest that a first pipeline starts from on a GPU
FINE_TUNING_EPOCHS = 4  # pretrained weights need few
SCRATCH_EPOCHS = 10  # enough for a small network to learn most of what it will


class Playbook:
    """Implements the Team protocol with moves from playbook.yaml."""

    name = "playbook"

    def design(self, context: Context, epochs: int | None) -> Design:
        """Render a first pipeline that suits the data set's profile, the weights and the device."""
        profile = context.profile
        settings = first_settings(context, epochs)
        files = {FILES[component]: write(component, settings[component]) for component in settings}
        size, model = settings["data"]["IMAGE_SIZE"], settings["model"]
        network = model.get("BACKBONE") or "a small residual network from scratch"
        body = (
            f"{profile['images']} images of {len(profile['classes'])} classes, "
            f"{side(profile)} pixels on the longer side: {network} at {size} pixels, "
            f"AdamW with a linearly falling rate, {settings['train']['EPOCHS']} epochs. "
            "No augmentation yet: each addition has to prove itself."
        )
        return Design(files, "Start from a plain pipeline for this data set", body)

    def assign(self, context: Context) -> Assignment | None:
        """Choose an open move by the policy; None where the whole neighbourhood is closed."""
        move = choose(neighbours(context), context)
        if move is None:
            return None
        return Assignment(
            component=move.component,
            slug=move.slug,
            hypothesis=f"{move.reason} ({move.source})",
            instruction=f"{move.subject}: {move.change}.",
            expected_effect=(
                f"{move.gain:+.0%} of the remaining error, at {move.cost:.2g} times the time"
            ),
        )

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """Render the component again with its present settings and the assigned move.

        Raises:
            TeamError: the incumbent does not allow this move (any more).
        """
        for move in neighbours(context):
            if (move.component, move.slug) == (assignment.component, assignment.slug):
                return _carry_out(move, context)
        raise TeamError(
            f"the playbook cannot carry out {assignment.slug} on this {assignment.component}.py",
            "run again: the next assignment starts from what main holds now",
        )

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """Halve the batch where memory ran out, train for less where time did; nothing else."""
        component = assignment.component
        settings = read(component, failed_source)
        if settings is None:
            return None
        if outcome.status == "out-of-memory" and component == "data":
            return _lower(
                component, settings, "BATCH_SIZE", settings["BATCH_SIZE"] // 2, least=4,
                subject="Halve the batch size to fit into memory", why=outcome.reason,
            )  # fmt: skip
        if outcome.status == "timeout" and component == "train":
            incumbent = read("train", context.files[FILES["train"]])
            baseline = incumbent == settings  # main itself is being repaired
            least = 1 if baseline or incumbent is None else incumbent["EPOCHS"] + 1
            return _lower(
                component, settings, "EPOCHS", settings["EPOCHS"] * 2 // 3, least=least,
                subject="Train for fewer epochs to end in time", why=outcome.reason,
            )  # fmt: skip
        return None


def first_settings(context: Context, epochs: int | None) -> dict[Component, dict[str, Any]]:
    """Return the settings of a first pipeline; what is not named keeps its default."""
    profile = context.profile
    native = side(profile)
    images = profile["parts"]["train"]
    small = native <= SMALL_SIDE
    tiny = native <= TINY_SIDE
    backbone = "" if small else _first_backbone(context)
    if small:
        size = max(8, native)
    else:
        size = min(CUDA_SIDE if context.cuda else CPU_SIDE, max(64, native // 32 * 32))
    data = {
        "IMAGE_SIZE": size,
        "BATCH_SIZE": 32 if images < 4_000 else 64 if images < 20_000 else 128,
    }
    if backbone:
        model: dict[str, Any] = {"BACKBONE": backbone, "STATISTICS": ("mean", "std")}
        train = {"EPOCHS": epochs or FINE_TUNING_EPOCHS, "LEARNING_RATE": 0.002}
    else:
        model = {
            "WIDTH": 8 if tiny else 16 if small or not context.cuda else 32,
            "STAGES": 2 if tiny else 3 if small else 4,
            "STEM_STRIDE": 1 if small else 2,
        }
        train = {"EPOCHS": epochs or SCRATCH_EPOCHS, "LEARNING_RATE": 0.002}
    return {"data": data, "model": model, "train": train}


def _first_backbone(context: Context) -> str:
    """Return the smallest backbone at hand, on a GPU a middling one; "" if there is none."""
    sizes = backbones_at_hand(context)
    affordable = [name for name, size in sizes.items() if size <= CUDA_BACKBONE]
    if context.cuda and affordable:
        return affordable[-1]
    return next(iter(sizes), "")


def _carry_out(move: Move, context: Context) -> Rewrite:
    settings = read(move.component, context.files[FILES[move.component]])
    if settings is None:  # neighbours() offers no move for such a file
        raise TeamError(f"{FILES[move.component]} is not the playbook's own", "")
    body = f"{move.reason}\n\nSource: {move.source}\nChange: {move.change}"
    return Rewrite(write(move.component, settings | move.after), move.subject, body)


def _lower(
    component: Component, settings: dict[str, Any], name: str, value: int, *, least: int,
    subject: str, why: str,
) -> Rewrite | None:  # fmt: skip
    if value < least or value >= settings[name]:
        return None
    body = f"{why}\n\nChange: {name} from {settings[name]} to {value}"
    return Rewrite(write(component, settings | {name: value}), subject, body)


def moves_table() -> str:
    """Return the catalogue as a Markdown table, for docs/playbook.md."""
    rows = ["| file | knob | values | why | source |", "| --- | --- | --- | --- | --- |"]
    for knob in catalogue()["knobs"]:
        values = "×2, ÷2" if "factor" in knob else ", ".join(map(_shown, knob["ladder"]))
        rows.append(
            f"| {FILES[knob['component']]} | `{knob['knob']}` | {values} "
            f"| {knob['reason']} | {knob['source']} |"
        )
    return "\n".join(rows) + "\n"


def recipes_table() -> str:
    """Return the recipes as a Markdown table, for docs/playbook.md."""
    rows = ["| file | recipe | settings | why | source |", "| --- | --- | --- | --- | --- |"]
    for recipe in catalogue()["recipes"]:
        told = [f"`{name}` {_shown(value)}" for name, value in recipe.get("set", {}).items()]
        told += [f"`{name}` ×{factor:g}" for name, factor in recipe.get("times", {}).items()]
        rows.append(
            f"| {FILES[recipe['component']]} | {recipe['recipe']} | {', '.join(told)} "
            f"| {recipe['reason']} | {recipe['source']} |"
        )
    return "\n".join(rows) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(value) or "none"
    return str(value) if value != "" else "none"
