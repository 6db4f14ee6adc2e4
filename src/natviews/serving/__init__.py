"""A store over HTTP: an API for programs and pages for people.

`natviews.serving.app.create_app` makes the application, `natviews.serving.server.serve` runs it. FastAPI and
what it needs come with `pip install 'natviews[serve]'`.
"""

from natviews.serving.hosts import Hosts
from natviews.serving.keys import Keys
from natviews.serving.settings import Limits, Settings, catalog_folder

__all__ = ["Hosts", "Keys", "Limits", "Settings", "catalog_folder"]
