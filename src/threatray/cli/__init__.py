"""The command line: one module a subcommand; each is one stage call and an exit code."""
