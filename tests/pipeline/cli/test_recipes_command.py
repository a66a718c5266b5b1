"""``spotlabel recipes``, and what the shell is told when it completes ``spotlabel``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from spotlabel.pipeline.cli.main import LAZY, main
from spotlabel.pipeline.recipes.tree import bundled_recipes
from tests.conftest import ROOT
from tests.helpers.recipes import environment


def recipes(*arguments: str) -> str:
    ran = CliRunner().invoke(main, ["recipes", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_the_list_says_what_each_recipe_is_for() -> None:
    rows = dict(line.split(maxsplit=1) for line in recipes().splitlines()[1:])
    assert [*rows] == bundled_recipes()
    assert rows["uavdt"].startswith("UAVDT: 50 sequences from drones")
    assert rows["template"].strip() == "A recipe for your own videos"


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_recipe_is_printed_to_be_copied(name: str) -> None:
    """The same recipe, without the line that names a schema beside it."""
    text, original = recipes(name), (ROOT / "workflows" / f"{name}.yaml").read_text()
    assert yaml.safe_load(text) == yaml.safe_load(original)
    assert original.endswith(text)
    assert "$schema" not in text


def test_the_folder_holds_recipes_and_slurm_scripts() -> None:
    folder = Path(recipes("--path").strip())
    assert (folder / "template.yaml").is_file()
    assert {path.name for path in (folder / "slurm").iterdir()} >= {
        "label.sbatch",
        "gather.sbatch",
        "train.sbatch",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["templat"], "did you mean 'template'?"), (["demo", "--path"], "leave out NAME")],
)
def test_a_mistake_is_told(arguments: list[str], message: str) -> None:
    ran = CliRunner().invoke(main, ["recipes", *arguments])
    assert ran.exit_code == 2
    assert message in ran.output


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of some words."""
    asked = {
        "_SPOTLABEL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("spotlabel", *words)),
        "COMP_CWORD": str(len(words)),
    }
    code = "from spotlabel.pipeline.cli import main; main(prog_name='spotlabel')"
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True, text=True, env=environment(**asked), check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "click" in imported
    assert "torch" not in imported
    return [line.partition(",")[2] for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("name", LAZY)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(limit=200)) == (name, LAZY[name][1])


def test_a_command_does_not_wait_for_what_others_need() -> None:
    code = "import sys; import spotlabel.pipeline.cli; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert not {"spotlabel.pipeline.cli.label", "h5py", "cv2", "torch"} & {*ran.stdout.split()}


def test_the_shell_completes_commands_without_importing_torch() -> None:
    offered = completed("")
    assert {*LAZY, "label", "recipes"} <= {*offered}
    assert completed("rel") == ["relabel"]
    assert "--only" in completed("label", "x.yaml", "--o")
