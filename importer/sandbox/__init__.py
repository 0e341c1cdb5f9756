"""A stand-in for the ClarityQ service, to rehearse an import against without touching real data."""

from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox

__all__ = ["Faults", "Sandbox"]
