"""Networks of our own, in torch: one module per network. Never imported by what serves."""
