from __future__ import annotations

import re

from monitor.tap import kit


def test_the_toolkit_exports_what_it_says() -> None:
    assert all(getattr(kit, name) is not None for name in kit.__all__)


def test_every_name_in_its_description_is_in_it() -> None:
    named = set(re.findall(r"`(\w+)[\w.]*`", kit.__doc__ or ""))
    assert len(named) > 20
    assert named <= set(kit.__all__)
