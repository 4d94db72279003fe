"""Traces in files: which format one is in, and what each format means."""

from pytest_refinery.sources.formats.detect import read
from pytest_refinery.sources.formats.json_stream import Interner, pieces
from pytest_refinery.sources.formats.langsmith_export import Records, is_pending
from pytest_refinery.sources.formats.otel import trace_of_spans
from pytest_refinery.sources.formats.trace_file import DEFAULT_MB

__all__ = ["DEFAULT_MB", "Interner", "Records", "is_pending", "pieces", "read", "trace_of_spans"]
