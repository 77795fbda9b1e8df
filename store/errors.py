"""What a store can fail with. Every message is safe to log: none holds memory content."""


class StoreError(Exception):
    """Base of everything that a store raises on purpose."""


class StoreUnavailable(StoreError):
    """The store cannot answer now. Nothing of the call took effect, or the caller must retry it by id."""


class StoreBusy(StoreUnavailable):
    """The write queue is full. Nothing was stored; trying again later is safe."""


class PermitMismatch(StoreError):
    """The call does not lie within its permit: a bug in the caller, refused rather than obeyed."""
