"""The report page: all results on one page for a browser."""
