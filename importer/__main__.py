"""`python -m importer` is `clarityq-import`."""

import signal


def main() -> None:
    """Load the command line and run it; what stops the loading ends the process without words."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Nothing has begun yet: Ctrl-C needs no traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from importer.cli.app import main as run_command  # noqa: PLC0415 -- after the signal is set

    run_command()


if __name__ == "__main__":
    main()
