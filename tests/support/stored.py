"""Arrays of a checkpoint that never was on a disk."""

import numpy as np

from pdehvd.numerics.divided import Divided


class Held:
    """Whole arrays by name, read as those of a checkpoint are (`divided.Stored`)."""

    def __init__(self, arrays):
        self.arrays = arrays

    @property
    def names(self):
        return tuple(self.arrays)

    def shape(self, name):
        return self.arrays[name].shape

    def whole(self, name):
        return self.arrays[name].copy()

    def rows(self, name, spans):
        array = self.arrays[name]
        return np.concatenate([array[:0], *(array[start:stop] for start, stop in spans)])

    def below(self, prefix):
        names = [name for name in self.arrays if name.startswith(prefix)]
        return Held({name.removeprefix(prefix): self.arrays[name] for name in names})


def assembled(kept):
    """Return whole arrays from what each rank keeps of them."""
    found = {}
    for name, array in kept[-1].items():
        if not isinstance(array, Divided):
            found[name] = array
            continue
        found[name] = np.zeros(array.shape, array.dtype)
        for rank, arrays in enumerate(kept):
            places = [np.arange(*span) for span in array.spans[rank]]
            found[name][np.concatenate([np.arange(0), *places])] = arrays[name].own
    return found


def held(kept):
    """Return what one process keeps, to be read."""
    return Held(assembled([kept]))
