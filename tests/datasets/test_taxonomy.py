"""What labels mean, over datasets and projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from threatray.datasets.taxonomy import SHIPPED, Taxonomy, Vocabulary, plain_name, read_id_list
from threatray.errors import ConfigError

PUBLISHED = {
    "sixray": "Gun Knife Wrench Pliers Scissors Hammer",
    "opixray": "Folding_Knife Straight_Knife Scissor Utility_Knife Multi-tool_Knife",
    "hixray": "Portable_Charger_1 Portable_Charger_2 Water Laptop Mobile_Phone Tablet Cosmetic Nonmetallic_Lighter CO",
    "pidray": "Baton Pliers Hammer Powerbank Scissors Wrench Gun Bullet Sprayer HandCuffs Knife Lighter",
    "clcxray": "blade scissors knife dagger SwissArmyKnife PlasticBottle Cans VacuumCup GlassBottle CartonDrinks Tin SprayCans",
    "pixray": "Gun Knife Lighter Battery Pliers Scissors Wrench Hammer Screwdriver Dart Bat Fireworks "
    "Saw_blade Razor_blade Pressure_vessel",
    "dvxray": "Gun Knife Wrench Pliers Scissors Lighter Battery Bat Razor_blade Saw_blade Fireworks "
    "Hammer Screwdriver Dart Pressure_vessel",
    "gdxray": "Gun Shuriken Razor_Blade Knife",
    "eds": "knife scissor lighter laptop umbrella powerbank plasticbottle glassbottle pressure device",
    "xray_fsod": "Folding Straight Scissor Utility Multi-tool Laptop Lighter Charger1 Charger2 Phone Umbrella Battery Alcohol Nail_Clipper",
    "ldxray": "手机 橙色液体 不带电芯充电宝 电脑 绿色液体 带电芯充电宝 平板电脑 蓝色液体 柱状橙色液体 非金属打火机 雨伞 柱状绿色液体",
    "camera folders": "handgun knife wrench pliers hammer scissors screwdriver box_cutter power_bank",
}


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_every_published_class_is_known(dataset: str) -> None:
    words = Vocabulary.shipped()
    assert [label for label in PUBLISHED[dataset].split() if words.find(label, dataset) is None] == []


def test_which_knife_is_which() -> None:
    words = Vocabulary.shipped()
    labels = ("Folding_Knife", "Straight_Knife", "Utility_Knife", "Multi-tool_Knife", "SwissArmyKnife", "dagger", "Knife", "Razor_blade")
    assert [words.find(label) for label in labels] == [
        "folding knife", "straight knife", "utility knife", "multi-tool knife", "multi-tool knife", "dagger", "knife", "razor blade",
    ]  # fmt: skip
    assert words.wider("dagger") == ("straight knife", "knife")
    both = Taxonomy(("knife", "Utility knife"))
    assert [both.name_of(label) for label in ("Folding_Knife", "box_cutter", "scissor")] == ["knife", "Utility knife", None]


def test_a_word_can_mean_another_thing_in_another_dataset() -> None:
    words = Vocabulary.shipped()
    assert [words.find("Lighter", dataset) for dataset in ("pidray", "xray_fsod")] == ["lighter", "non-metallic lighter"]
    assert [words.find("CO", dataset) for dataset in ("hixray", "ldxray", "sixray")] == ["cosmetic", "cylindrical orange liquid", None]


def test_spelling_is_no_matter_but_likeness_is_not_guessed() -> None:
    mine = Taxonomy(("gun", "wrench"))
    assert [mine.name_of(label) for label in ("GUN", "gun ", "ＧＵＮ", "Spanner", "hand-gun", "Wrnch", "gu")] == [
        "gun", "gun", "gun", "wrench", "gun", None, None,
    ]  # fmt: skip
    assert "nearest class is 'wrench'" in mine.why_not("Wrnch")
    assert mine.why_not("Knife") == "it is 'knife', which is not among the classes gun, wrench"


def test_two_classes_that_differ_in_case_only_are_told_apart_by_the_exact_spelling() -> None:
    mine = Taxonomy(("gun", "Gun"))
    assert [mine.name_of(label) for label in ("gun", "Gun", "GUN")] == ["gun", "Gun", None]


def test_a_projects_own_words_go_before_the_vocabulary() -> None:
    mine = Taxonomy(("blade", "gun"), {"Scissors": "blade", "widget": "gun"})
    assert [mine.name_of(label) for label in ("scissors", "Widget", "razor_blade", "knife")] == ["blade", "gun", "blade", None]


def test_without_classes_names_stay_as_they_are_unless_a_taxonomy_is_named() -> None:
    assert Taxonomy().name_of("Multi-tool_Knife") == "Multi-tool_Knife"
    named = Taxonomy(vocabulary=Vocabulary.shipped())
    assert (named.name_of("Multi-tool_Knife"), named.name_of("teapot")) == ("multi-tool knife", "teapot")


def test_the_shipped_taxonomy_can_be_copied_and_changed(tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(
        SHIPPED.read_text(encoding="utf-8") + '\n[class."3d-printed gun"]\nis_a = "gun"\naliases = ["liberator"]\n', encoding="utf-8"
    )
    words = Vocabulary.read(copy)
    assert Taxonomy(("gun",), vocabulary=words).name_of("Liberator") == "gun"
    assert Vocabulary.read(SHIPPED) == Vocabulary.shipped()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[class.a]\naliases = ["x"]\n[class.b]\naliases = ["X"]', "'X' stands for both 'a' and 'b'"),
        ('[class.knive]\n[class.a]\nis_a = "knife"', "'a' is_a 'knife', which is not a class. Did you mean 'knive'"),
        ('[class.a]\nis_a = "b"\n[class.b]\nis_a = "a"', "is_a itself"),
        ('[class.a]\nalias = ["x"]', r"expected the keys is_a, threat, aliases; got \['alias'\]"),
        ("[class.a]\naliases = [1]", "expected is_a ="),
        ('[class.a]\n[dataset.sixray]\nGun = "b"', "'Gun' stands for 'b', which is not a class"),
        ("[klass.a]", "expected format = 1 and tables"),
        ("[class", "not valid TOML"),
    ],
)
def test_a_broken_taxonomy_says_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(f"format = 1\n{text}\n")
    with pytest.raises(ConfigError, match=message) as raised:
        Vocabulary.read(path)
    assert str(path) in str(raised.value)
    with pytest.raises(ConfigError, match="threatray init --taxonomy"):
        Vocabulary.read(tmp_path / "gone.toml")


def test_plain_names() -> None:
    assert {plain_name(word) for word in ("Razor_blade", "razor-blade", "RazorBlade", "razor  blade")} == {"razorblade"}


def test_a_list_of_mislabelled_images_is_read_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("# SIXray10\nP00123.jpg\n\nP00007  # a gun\nP00123\nweird.name.PNG\n")
    assert read_id_list(path) == ("P00007", "P00123", "weird.name")
    path.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="holds no image id"):
        read_id_list(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="expected a UTF-8 text file"):
        read_id_list(path)
    with pytest.raises(ConfigError, match="no such list of mislabelled images"):
        read_id_list(tmp_path / "gone.txt")
