"""The base of the data that crosses borders."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Data that does not change. Fields that it does not know are left out: later versions may have more."""

    model_config = ConfigDict(frozen=True, extra="ignore")
