"""OpenTelemetry spans, under any of the conventions, as runs."""

from pytest_refinery.sources.formats.otel.attributes import Attributes
from pytest_refinery.sources.formats.otel.contents import read as contents_of
from pytest_refinery.sources.formats.otel.model_call import known_settings
from pytest_refinery.sources.formats.otel.trace import Spans, trace_of_spans

__all__ = ["Attributes", "Spans", "contents_of", "known_settings", "trace_of_spans"]
