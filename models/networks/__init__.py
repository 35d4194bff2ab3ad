"""Networks of our own, and all that only their training needs; torch in `text.py` alone. Never imported by what serves."""
