"""What a store can fail with. Every message is safe to log: none holds memory content."""


class StoreError(Exception):
    """Base of everything that a store raises on purpose."""


class StoreUnavailable(StoreError):
    """The store cannot answer now. Nothing of the call took effect, or the caller must retry it by id."""


class StoreBusy(StoreUnavailable):
    """The write queue is full. Nothing was stored; trying again later is safe."""


class PermitMismatch(StoreError):
    """The call does not lie within its permit: a bug in the caller, refused rather than obeyed."""


class Unstorable(StoreError):
    """A memory can be stored by nobody as it is given. Names the memory and the field; nothing was stored."""


class DatasetRefused(StoreError):
    """A folder cannot be opened as a dataset. The message says what to do; the folder is left as it is."""


class DatasetLocked(DatasetRefused):
    """Another process, or another store in this one, holds the folder open."""


class EmbedderMismatch(DatasetRefused):
    """The dataset was written with another embedder: its vectors cannot be compared with this one's."""


class DatasetTooNew(DatasetRefused):
    """The dataset was written by a newer version of Scopegate."""


class DatasetDamaged(DatasetRefused):
    """Part of the dataset is missing or cannot be read."""
