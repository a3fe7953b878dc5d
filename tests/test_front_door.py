import inspect
import subprocess
import sys

import pytest

import opsin


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_every_public_name_is_there():
    assert sorted(opsin.__all__) == dir(opsin)
    assert all(getattr(opsin, name) is not None for name in opsin.__all__)


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert opsin.__version__ == version("opsin")


def test_every_error_of_the_family_is_public():
    from opsin import errors

    family = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.OpsinError)
    }
    assert family <= set(opsin.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'opsin' has no attribute 'colourise'"):
        opsin.colourise  # noqa: B018


def test_importing_opsin_loads_nothing_heavy():
    code = "import opsin, sys; print(*(m for m in sys.modules if m.split('.')[0] in "
    heavy = "('numpy', 'pyvips', 'onnxruntime', 'typer', 'rich', 'msgspec', 'torch')))"
    assert python(code + heavy) == ""


@pytest.mark.parametrize(
    "first",
    [
        "import opsin",
        "import opsin.colorization.decode",
        "from opsin.colorization.bins import BINS; import opsin",
        "import opsin; opsin.confidence",
        "from opsin import colorize; import opsin",
    ],
)
def test_colorize_can_be_called_whatever_was_imported_first(models, first):
    code = f"{first}; import numpy as np; scan = np.arange(64, dtype='uint8').reshape(8, 8)"
    code += "; print(opsin.colorize(scan, model='tiny').pixels.shape)"
    assert python(code) == "(8, 8, 3)"


def test_colorize_shows_its_options():
    assert list(inspect.signature(opsin.colorize).parameters)[:3] == ["photo", "model", "vividness"]
