"""The store on LanceDB. Only this package imports lancedb and pyarrow."""

import os

# The engine warns on standard error about every table that it creates; what matters reaches us as exceptions.
os.environ.setdefault("LANCEDB_LOG", "error")

from store.lance.store import LanceStore as LanceStore
