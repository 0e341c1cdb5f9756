"""Looks at all that an import depends on, and changes nothing."""

from importer.workflows.doctor.examine import Patient, examine
from importer.workflows.doctor.finding import Finding, Level, Subject

__all__ = ["Finding", "Level", "Patient", "Subject", "examine"]
