from importlib import import_module
from pkgutil import iter_modules

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.scale import AUTO, RULES, Scale, scalable

# Every file here is a method (or their parts) and registers itself by being imported.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

METHODS = dict(sorted(Method.registry.items()))

__all__ = ["AUTO", "METHODS", "RULES", "Loss", "Method", "Progress", "Scale", "Views", "scalable"]
