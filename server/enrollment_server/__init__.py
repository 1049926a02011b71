"""The enrolment service: which courses a student takes, over gRPC on SQL."""

from importlib.metadata import version

__version__ = version("enrollment-server")
