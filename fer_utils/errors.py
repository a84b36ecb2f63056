"""The exceptions a user is meant to read."""

import errno


class CompanionError(Exception):
    """Something the user can mend; the message says what was found, what was expected and what to do."""


class Findings(Exception):
    """A check ran to its end and what it checked is not as it should be."""


def about_the_disk(problem: OSError) -> str:
    """An error of the disk, or of any file, as a sentence: the place, what is wrong, what to do."""
    place = f"{problem.filename}" if problem.filename else "A file"
    why, remedy = _OF_THE_DISK.get(problem.errno, ((problem.strerror or str(problem)).lower(), "Look at this place"))
    return (f"{place} can't be read or written: {why}. {remedy}, and give the same command again; what was finished is kept, and "
            "nothing is half-written.")


_ANOTHER = "Set FER_ROOT to a folder that can be written (or name another file)"
_OF_THE_DISK = {
    errno.ENOSPC: ("no space is left on the disk", "Make room there, or set FER_ROOT to a folder on another disk"),
    errno.EDQUOT: ("the quota of the disk is used up", "Make room there, or set FER_ROOT to a folder on another disk"),
    errno.EROFS: ("the file system is read-only", _ANOTHER),
    errno.EACCES: ("permission is denied", _ANOTHER), errno.EPERM: ("the system does not permit it", _ANOTHER),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", _ANOTHER),
    errno.EEXIST: ("a file lies where a folder is needed", _ANOTHER),
    errno.EISDIR: ("it is a folder, not a file", "Name a file"),
    errno.ENAMETOOLONG: ("the name is too long", "Set FER_ROOT to a folder with a shorter path"),
    errno.EMFILE: ("too many files are open", "Raise the limit (ulimit -n 4096)"),
    errno.EIO: ("the disk answers with an error", "Look at the disk")}


def nearest(name: str, valid) -> str:
    """The end of an error message: the valid name nearest to ``name``, and all of them."""
    import difflib

    valid = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Valid names: {', '.join(valid)}."
