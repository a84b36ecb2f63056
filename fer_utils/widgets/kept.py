"""What was dear to make, kept for the next time it is asked for."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Kept:
    """The last ``most`` things that were made, by what they were made from; the one not asked for
    longest goes first."""

    def __init__(self, most: int):
        self.most, self.things = most, OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self.things

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept under ``key``, or what ``make`` gives, which is kept from now on unless it
        raises."""
        found = self.things[key] if key in self.things else make()
        self.things[key] = found
        self.things.move_to_end(key)
        while len(self.things) > self.most:
            self.things.popitem(last=False)
        return found
