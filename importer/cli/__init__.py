"""The command `clarityq-import`: builds settings, calls the library, prints."""
