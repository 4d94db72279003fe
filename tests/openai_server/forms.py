"""Bodies of requests: JSON, and forms with a file."""

from __future__ import annotations

import json
import re
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING

from tests.openai_server.messages import JsonObject, ServiceError, Upload

if TYPE_CHECKING:
    from email.message import EmailMessage

_NESTED = re.compile(r"(\w+)\[(\w+)\]")


def parsed(content: bytes, content_type: str) -> tuple[JsonObject, Upload | None]:
    """Return the fields of a body, and the file in it.

    Raises:
        ServiceError: Where the body is neither JSON nor a form.
    """
    if content_type.startswith("multipart/form-data"):
        return _form(content, content_type)
    if not content:
        return {}, None
    try:
        body = json.loads(content)
    except ValueError as error:
        message = "We could not parse the JSON body of your request."
        raise ServiceError(f"{message} ({error})") from error
    if not isinstance(body, dict):
        raise ServiceError("Invalid type: expected an object.", code="invalid_type")
    return body, None


def _form(content: bytes, content_type: str) -> tuple[JsonObject, Upload | None]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form: EmailMessage = BytesParser(policy=HTTP).parsebytes(head + content)
    fields: JsonObject = {}
    upload = None
    for part in form.iter_parts():
        payload = part.get_payload(decode=True)
        value = payload if isinstance(payload, bytes) else b""
        filename = part.get_filename()
        if filename is None:
            _add(fields, str(part.get_param("name", header="content-disposition")), value.decode())
        else:
            upload = Upload(filename, value)
    return fields, upload


def _add(fields: JsonObject, name: str, value: str) -> None:
    """Add a field; ``expires_after[seconds]`` goes into an object of its own."""
    nested = _NESTED.fullmatch(name)
    if nested is None:
        fields[name] = value
    else:
        fields.setdefault(nested[1], {})[nested[2]] = int(value) if value.isdecimal() else value
