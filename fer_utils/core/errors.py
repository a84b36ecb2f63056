"""The exceptions a user is meant to read."""

import errno


class CompanionError(Exception):
    """Something the user can mend; the message says what was found, what was expected and what to
    do."""


class Findings(Exception):
    """A check ran to its end and what it checked is not as it should be."""


def about_the_disk(problem: OSError) -> str:
    """An error of the disk, or of any file, as a sentence: the place, what is wrong, what to do."""
    place = f"{problem.filename}" if problem.filename else "A file"
    why, remedy = _OF_THE_DISK.get(
        problem.errno, ((problem.strerror or str(problem)).lower(), "Look at this place")
    )
    return (
        f"{place} can't be read or written: {why}. {remedy}, and give the same command again; what"
        " was finished is kept, and nothing is half-written."
    )


_ANOTHER = "Set FER_ROOT (or FER_DATA) to a folder that can be written, or name another file"
_OF_THE_DISK = {
    errno.ENOSPC: (
        "no space is left on the disk",
        "Make room there, or set FER_ROOT to a folder on another disk",
    ),
    errno.EDQUOT: (
        "the quota of the disk is used up",
        "Make room there, or set FER_ROOT to a folder on another disk",
    ),
    errno.EROFS: ("the file system is read-only", _ANOTHER),
    errno.EACCES: ("permission is denied", _ANOTHER),
    errno.EPERM: ("the system does not permit it", _ANOTHER),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", _ANOTHER),
    errno.EEXIST: ("a file lies where a folder is needed", _ANOTHER),
    errno.EISDIR: ("it is a folder, not a file", "Name a file"),
    errno.ENAMETOOLONG: ("the name is too long", "Set FER_ROOT to a folder with a shorter path"),
    errno.EMFILE: ("too many files are open", "Raise the limit (ulimit -n 4096)"),
    errno.EIO: ("the disk answers with an error", "Look at the disk"),
}


def nearest(name: str, valid, *, listed=None) -> str:
    """The end of an error message: which valid name was meant, if ``name`` is one with a typing
    error, and all of them.

    A word that is only somewhat alike is no hint: 'Angst' is German for fear, and like 'anger'.
    ``listed`` are the names to show where ``valid`` has further spellings of them.
    """
    valid = list(map(str, valid))
    distances = {known: _distance(str(name).lower(), known.lower()) for known in valid}
    typed = {
        known: distance for known, distance in distances.items() if distance <= _errors_in(known)
    }
    meant = [f"'{known}'" for known, distance in typed.items() if distance == min(typed.values())]
    hint = f"did you mean {' or '.join(meant)}? " if meant else ""
    return f"{hint}Valid names: {', '.join(map(str, valid if listed is None else listed))}."


def _errors_in(word: str) -> int:
    """How many letters of a word may be wrong, lacking, added or exchanged by mistake: in a short
    one, all would fit."""
    return 2 if len(word) >= 6 else 1 if len(word) >= 4 else 0


def _distance(first: str, second: str) -> int:
    """Letters to change, add, leave out or exchange with their neighbour to make one word the other
    (Damerau 1964)."""
    above, row = [], list(range(len(second) + 1))
    for i, letter in enumerate(first):
        two_above, above, row = above, row, [i + 1]
        for j, other in enumerate(second):
            row.append(min(above[j] + (letter != other), above[j + 1] + 1, row[j] + 1))
            if i and j and letter == second[j - 1] and first[i - 1] == other:
                row[-1] = min(row[-1], two_above[j - 1] + 1)
    return row[-1]
