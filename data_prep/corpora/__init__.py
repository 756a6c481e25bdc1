"""One module a corpus: ``scan(root)`` reads its folder layout into a manifest."""
