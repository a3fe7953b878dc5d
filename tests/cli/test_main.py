import subprocess
import sys

import pytest
import typer

import opsin
from opsin.cli import VERBS, _load, main


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"opsin {opsin.__version__}\n"


def test_help_names_every_verb(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out and summary in out for verb, (_, summary) in VERBS.items())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert VERBS[verb][1] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_all_that_the_command_does(verb, capsys):
    command = _load(VERBS[verb][0])
    assert main([verb, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    if not isinstance(command, typer.Typer):
        first = " ".join(command.__doc__.strip().split("\n\n")[0].split())
        assert f"{VERBS[verb][1]} {first}" in out


@pytest.mark.parametrize("arguments", [["paint"], ["colorize"], ["colorize", "x", "--vivid", "1"]])
def test_a_wrong_call_is_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_nothing_said_is_the_help(capsys):
    assert main([]) == 2
    assert "colorize" in "".join(capsys.readouterr())


def test_a_verb_is_loaded_only_when_asked_for():
    code = "import sys; from opsin.cli import main; main(['--help'])"
    code += "; print(*(m for m in sys.modules if m in ('numpy', 'rich', 'pyvips', 'msgspec')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("opsin.models.store.names", broken)
    with pytest.raises(ZeroDivisionError):
        main(["models", "list"])


def test_a_stop_is_told(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("opsin.models.store.names", stopped)
    assert main(["models", "list"]) == 130
    assert capsys.readouterr().err == "opsin: stopped.\n"


def test_python_m_opsin_is_opsin():
    done = subprocess.run(
        [sys.executable, "-m", "opsin", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("opsin ")
