"""Differences from clamscan that are wanted, as README.md gives reasons."""

WANTED = {}


def is_wanted(family, batch, pair, only_theirs):
    test = WANTED.get(family)
    return test is not None and test(batch, pair, only_theirs)
