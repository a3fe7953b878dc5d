"""The family of errors: one root, and messages that name the fix."""

import inspect

import pytest

from opsin import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_an_opsin_error_and_drawn_in_the_tree(kind):
    assert issubclass(kind, errors.OpsinError)
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    "kind", [errors.NotAPhotoError, errors.TruncatedPhotoError, errors.PhotoTooLargeError]
)
def test_reading_errors_are_photo_errors(kind):
    assert issubclass(kind, errors.PhotoError)


def test_missing_extra_names_the_command():
    error = errors.missing_extra("training", "train")
    assert isinstance(error, errors.ExtraMissingError)
    assert str(error) == (
        "training needs packages that are not installed: pip install 'opsin[train]'"
    )


def test_a_missing_package_becomes_the_install_command():
    with (
        pytest.raises(errors.ExtraMissingError, match=r"pip install 'opsin\[train\]'"),
        errors.needs_extra("training", "train"),
    ):
        import no_such_package  # noqa: F401


def test_an_import_error_of_our_own_is_not_hidden():
    with pytest.raises(ModuleNotFoundError), errors.needs_extra("training", "train"):
        import opsin.no_such_module  # noqa: F401
