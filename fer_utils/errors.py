"""The exceptions a user is meant to read."""


class CompanionError(Exception):
    """Something the user can mend; the message says what was found, what was expected and what to do."""


class Findings(Exception):
    """A check ran to its end and what it checked is not as it should be."""


def nearest(name: str, valid) -> str:
    """The end of an error message: the valid name nearest to ``name``, and all of them."""
    import difflib

    valid = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Valid names: {', '.join(valid)}."
