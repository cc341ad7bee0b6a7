"""New code for an Act, good or broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backstage.act import Act

_MODEL = """
from django.db import models
class Later(models.Model):
    pass
"""
_MIGRATION = """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel(
        name="Later",
        fields=[("id", models.BigAutoField(primary_key=True))],
    )]
"""


@contextmanager
def changed(act: Act, **files: str) -> Iterator[None]:
    """The Act's project with these additions to its files, `urls` for urls.py."""
    paths = {act.paths.top / act.name / f"{name}.py": text for name, text in files.items()}
    before = {path: path.read_text() for path in paths}
    try:
        for path, text in paths.items():
            path.write_text(before[path] + text)
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def add_later_app(act: Act) -> None:
    """An application `later` with a model and a migration, which is not installed yet."""
    app = act.paths.top / "later"
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "migrations" / "__init__.py").touch()
    (app / "models.py").write_text(_MODEL)
    (app / "migrations" / "0001_initial.py").write_text(_MIGRATION)
