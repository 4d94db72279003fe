"""What the tools of the shop have returned: payment methods, items, orders, prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.accuracy.planted.talks import Talk

_SOURCES = {"paypal": "PayPal account", "gift_card": "gift card", "credit_card": "credit card"}


def found(talk: Talk, *, before: int) -> Iterator[dict[str, Any]]:
    """Yield the records that tools returned before a message, in order."""
    for call in talk.calls():
        if call.result_at < before and isinstance(call.record, dict):
            yield call.record


def payment_methods(talk: Talk, *, before: int) -> dict[str, str]:
    """Return the user's payment methods, each with the word that people have for it."""
    methods = (record.get("payment_methods", {}) for record in found(talk, before=before))
    return {name: _SOURCES[method["source"]] for known in methods for name, method in known.items()}


def item_names(talk: Talk, *, before: int) -> dict[str, str]:
    """Return the names of the items in the orders that were read."""
    return {item["item_id"]: item["name"] for item in items(talk, before=before)}


def items(talk: Talk, *, before: int) -> list[dict[str, Any]]:
    """Return the items in the orders that were read."""
    return [item for record in found(talk, before=before) for item in record.get("items", ())]


def orders(talk: Talk, *, before: int) -> dict[str, dict[str, Any]]:
    """Return the orders as they were read last, by their number."""
    return {record["order_id"]: record for record in found(talk, before=before) if "order_id" in record}


def figures(talk: Talk, *, before: int) -> dict[str, str]:
    """Return figures of the records as people write them, each with the name of what it is about."""
    named: dict[str, str] = {}
    for record in found(talk, before=before):
        for item in record.get("items", ()):
            named.setdefault(money(item["price"]), f"the price of the {item['name']}")
        for payment in record.get("payment_history", ()):
            named.setdefault(money(payment["amount"]), f"the amount of order {record['order_id']}")
        for variant in record.get("variants", {}).values():
            options = ", ".join(variant["options"].values())
            named.setdefault(money(variant["price"]), f"the price of the {record['name']} ({options})")
    return named


def money(amount: float) -> str:
    """Return an amount as the agent writes it: two decimals, no currency."""
    return f"{amount:.2f}"
