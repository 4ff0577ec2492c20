"""The linear recurrent unit for tapezoo; the architecture is `tapezoo_lru.model.LRU`."""
