import re
from pathlib import Path

from situations import SYMMETRIES

from improve_git.teams.catalogue import catalogue, defaults


def test_the_catalogue_is_large_and_each_move_is_explained():
    knobs = catalogue()["knobs"]
    assert len(knobs) >= 24
    slugs = [knob[direction]["slug"] for knob in knobs for direction in ("up", "down")]
    assert len(slugs) == len(set(slugs))
    for knob in knobs:
        assert knob["knob"] in defaults(knob["component"])
        assert re.fullmatch(r"[A-Z].+\.", knob["reason"]) and ". " not in knob["reason"]
        assert re.search(r"\d{4}|Digital Image Processing", knob["source"])
        for direction in ("up", "down"):
            assert len(knob[direction]["subject"]) <= 72 - len(" (0.0002 to 0.0004)")
    for slug in slugs:
        assert re.fullmatch(r"[a-z0-9-]{1,40}", slug)


def test_each_recipe_is_explained_and_changes_settings_of_its_own_file():
    slugs = {knob[way]["slug"] for knob in catalogue()["knobs"] for way in ("up", "down")}
    for recipe in catalogue()["recipes"]:
        assert recipe["recipe"] not in slugs
        assert {*recipe.get("set", {}), *recipe.get("times", {})} <= set(
            defaults(recipe["component"])
        )
        assert re.fullmatch(r"[A-Z].+\.", recipe["reason"]) and len(recipe["subject"]) <= 72
        assert re.search(r"\d{4}", recipe["source"])


def test_symmetries_are_those_of_the_setting():
    assert {
        name
        for knob in catalogue()["knobs"]
        for name in knob.get("needs", {}).get("preserving", [])
    } == set(SYMMETRIES)


def test_the_documented_table_is_the_catalogue():
    from improve_git.teams.playbook import moves_table, recipes_table

    page = (Path(__file__).parents[2] / "docs" / "playbook.md").read_text()
    for table in (moves_table(), recipes_table()):
        assert table in page, "write it anew: see the top of docs/playbook.md"
