"""The stand of the bench: processes and their accounting, servers, load, cases, report. Python's own library only."""


class Broken(Exception):
    """A measurement that cannot be made or is worth nothing; the text says why."""
