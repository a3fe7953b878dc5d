"""All that colorization is: how it answers, how it was taught, what its networks are.

`opsin.colorize` is this package and the function at once: `opsin.colorize(photo)` calls
`opsin.colorize.pipeline.colorize`, whichever part of the package was imported first.
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from opsin.colorize.pipeline import colorize

        return colorize(*args, **options)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        from opsin.colorize.pipeline import colorize

        return signature(colorize)


sys.modules[__name__].__class__ = _CallablePackage
