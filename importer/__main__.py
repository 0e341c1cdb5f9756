"""`python -m importer` is `clarityq-import`."""

from importer.cli.app import main

if __name__ == "__main__":
    main()
