"""What tokens cost, from genai-prices: the only source of prices, installed with ``pytest-refinery[prices]``."""

from __future__ import annotations

from genai_prices import Usage, calc_price


def dollars(model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return the price in US dollars, ``None`` where nobody knows it."""
    try:
        price = calc_price(Usage(input_tokens=input_tokens, output_tokens=output_tokens), model_ref=model)
    except LookupError:
        return None
    return float(price.total_price)
