"""The command line as a contract: exit codes, messages, speed of start, options."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from threatray.cli.main import COMMANDS, build_app, main


def run_apart(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def test_help_loads_no_heavy_package() -> None:
    code = (
        "import sys\n"
        "from threatray.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'cv2', 'scipy', 'matplotlib', 'xraydb', 'manifold3d'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_apart("-c", code)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert name in done.stdout


def test_importing_the_package_loads_no_torch() -> None:
    done = run_apart("-c", "import sys, threatray\nassert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself_without_torch(name: str) -> None:
    code = f"import sys\nfrom threatray.cli.main import main\nassert main(['{name}', '--help']) == 0\nassert 'torch' not in sys.modules\n"
    done = run_apart("-c", code)
    assert done.returncode == 0, done.stderr
    assert COMMANDS[name].split(".")[0][:30] in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_documented(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = build_app()[name]
    commands = [app[below] for below in app if not below.startswith("-")] or [app]  # of a command of commands, each
    for command in commands:
        arguments = command.assemble_argument_collection(parse_docstring=True)
        undocumented = [argument.name for argument in arguments if argument.show and argument.parse and not argument.parameter.help]
        assert not undocumented, command.name


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["inspct"], 2, 'Unknown command "inspct". Did you mean "inspect"?'),
        (["doctor", "--sed", "3"], 2, "Unknown option: --sed. Did you mean --seed?"),
        (["phantom", "--seed", "many"], 2, 'unable to convert "many" into int'),
        (["run", "nowhere.toml"], 2, "nowhere.toml: no such project file. `threatray init nowhere.toml` writes one"),
        (["inspect", "nowhere"], 3, "inspect: the input labelled is missing: nowhere does not exist"),
    ],
)
def test_a_users_mistake_gets_a_message_and_a_code(
    words: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=r"nowhere\.toml"):
        main(["run", "nowhere.toml", "--debug"])


def test_an_interrupt_exits_130_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("threatray.cli.main.build_app", lambda: interrupted)
    assert main(["demo"]) == 130
    assert "run the same command again to go on" in capsys.readouterr().err


def test_init_writes_a_file_that_reads_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from threatray.pipeline.project import read_project

    path = tmp_path / "project.toml"
    for folder in ("scans", "bags", "photos"):
        (tmp_path / folder).mkdir()
    assert main(["init", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stage"] == "init"
    assert read_project(path).data.classes == ("gun", "knife")
    assert main(["init", str(path)]) == 2
    assert "exists already; nothing was written" in capsys.readouterr().err


def test_the_template_names_real_keys_and_their_defaults(tmp_path: Path) -> None:
    """Every commented-out setting, made live, must give the default project."""
    from dataclasses import replace

    from threatray.pipeline.project import TEMPLATE, read_project

    for folder in ("scans", "bags", "photos", "masks", "test"):
        (tmp_path / folder).mkdir()
    assert main(["init", "--taxonomy", str(tmp_path / "taxonomy.toml")]) == 0
    plain, live = tmp_path / "plain.toml", tmp_path / "live.toml"
    plain.write_text(TEMPLATE)
    skipped = ("# multiple", "# A threatray")
    lines = [line.removeprefix("# ") if not line.startswith(skipped) else line for line in TEMPLATE.splitlines()]
    live.write_text("\n".join(lines))
    expected, got = read_project(plain), read_project(live)
    assert replace(got, data=expected.data) == expected


def test_a_misspelt_project_key_names_the_nearest_and_all_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.toml"
    path.write_text('[data]\nlabelled = "a"\nbenign = "b"\nphotos = "c"\n[train]\nstepps = 4\n')
    assert main(["run", str(path)]) == 2
    said = capsys.readouterr().err
    assert "unknown key 'stepps'; did you mean 'steps'?" in said
    assert "Keys: translator, preset, size, steps, batch_size" in said


def test_a_missing_data_folder_names_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.toml"
    path.write_text('[data]\nlabelled = "a"\nbenign = "b"\nphotos = "c"\n')
    assert main(["run", str(path)]) == 3
    assert f"[data] labelled: {tmp_path / 'a'} does not exist" in capsys.readouterr().err
