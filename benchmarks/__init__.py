"""One question each, answered beside a peer or a limit in the same run; see README.md."""
