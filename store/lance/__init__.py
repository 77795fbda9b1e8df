"""The store on LanceDB. Only this package imports lancedb and pyarrow."""

from store.lance.store import LanceStore as LanceStore
