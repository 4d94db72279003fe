"""What the support desk of a fictional firm can look up: its clients, their accounts, its help articles."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TODAY = "2026-03-02"


class StatementServiceError(RuntimeError):
    """The service that keeps statements did not answer."""


@dataclass(frozen=True)
class Account:
    number: str
    kind: str
    cash: float
    holdings: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Client:
    number: str
    name: str
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class Transaction:
    date: str
    text: str
    amount: float


@dataclass(frozen=True)
class Article:
    title: str
    text: str


CLIENTS = {
    "C-10482": Client(
        "C-10482",
        "Dana Whitlock",
        (
            Account(
                "NM-4471-08",
                "individual brokerage account",
                3_218.44,
                (("Meridian Bond Fund", 420.0, 21.37), ("Harrow Global Equity ETF", 96.0, 118.25)),
            ),
            Account(
                "NM-4471-22",
                "traditional IRA",
                512.07,
                (("Target Retirement 2045", 1_130.5, 34.81), ("Northmere Money Market", 2_400.0, 1.0)),
            ),
        ),
    ),
    "C-20917": Client(
        "C-20917",
        "Tomasz Okafor",
        (Account("NM-6120-03", "joint brokerage account", 18_940.12, (("Alder Small Cap Fund", 310.0, 44.9),)),),
    ),
}

TRANSACTIONS = {
    "NM-4471-08": (
        Transaction("2026-02-02", "CASH SWEEP REDEMPTION NORTHMERE MONEY MARKET", 1_500.00),
        Transaction("2026-02-03", "BUY HARROW GLOBAL EQUITY ETF 12 @ 117.90", -1_414.80),
        Transaction("2026-02-06", "CASH SWEEP PURCHASE NORTHMERE MONEY MARKET", -85.20),
        Transaction("2026-02-10", "ACH DEPOSIT FIRST HARBOR BANK", 2_000.00),
        Transaction("2026-02-11", "CASH SWEEP PURCHASE NORTHMERE MONEY MARKET", -2_000.00),
        Transaction("2026-02-17", "CASH SWEEP REDEMPTION NORTHMERE MONEY MARKET", 640.00),
        Transaction("2026-02-17", "ADVISORY FEE Q1", -118.33),
        Transaction("2026-02-20", "DIVIDEND HARROW GLOBAL EQUITY ETF", 41.28),
        Transaction("2026-02-24", "CASH SWEEP REDEMPTION NORTHMERE MONEY MARKET", 1_250.00),
        Transaction("2026-02-25", "BUY MERIDIAN BOND FUND 50 @ 21.40", -1_070.00),
        Transaction("2026-02-27", "INTEREST CREDIT BALANCE", 2.91),
    ),
    "NM-4471-22": (
        Transaction("2026-02-13", "CONTRIBUTION TAX YEAR 2025", 500.00),
        Transaction("2026-02-16", "BUY TARGET RETIREMENT 2045 14 @ 34.60", -484.40),
    ),
    "NM-6120-03": (
        Transaction("2026-02-05", "BUY ALDER SMALL CAP FUND 0.4412 @ 45.33", -20.00),
        Transaction("2026-02-19", "DIVIDEND ALDER SMALL CAP FUND", 63.55),
    ),
}

ARTICLES = (
    Article(
        "Wire transfers within the United States",
        "A wire is the fastest way to move cash. To send a wire, open Transfers and choose Wire. The wire fee for an "
        "outgoing wire is 25.00 USD. Wires sent before 4 p.m. Eastern Time arrive the same business day. There is no "
        "fee for an incoming wire.",
    ),
    Article(
        "Sending money abroad",
        "Payments to banks in other countries take one to five business days. The charge is 45.00 USD plus the "
        "charges of correspondent banks. Payments in euros are converted at the day's rate plus 0.8 %.",
    ),
    Article(
        "What the cash sweep does",
        "Cash that is not invested is swept into Northmere Money Market every evening. When you buy something or "
        "withdraw cash, as much as is needed is redeemed from the fund. Both show up in your activity: CASH SWEEP "
        "PURCHASE and CASH SWEEP REDEMPTION.",
    ),
    Article(
        "Fractional shares",
        "Shares of funds can be held in fractions down to a ten-thousandth. When you transfer an account to another "
        "firm, fractions are sold and paid out in cash, because only whole shares can be transferred. The sale may "
        "be a taxable event. Dividends are paid on fractions as on whole shares.",
    ),
    Article(
        "Tax documents",
        "Form 1099-DIV for the past year is ready by 15 March. Until then the dividend statement of each account "
        "shows what was paid.",
    ),
)


def list_transactions(account: str, since: str, until: str, exclude: str = "") -> list[dict[str, Any]]:
    """Return the transactions of an account between two dates, without those whose text contains ``exclude``."""
    return [
        asdict(found)
        for found in TRANSACTIONS[account]
        if since <= found.date <= until and not (exclude and exclude.upper() in found.text)
    ]


def get_portfolio(account: str) -> dict[str, Any]:
    """Return the cash, the holdings and the total value of an account."""
    found = next(held for client in CLIENTS.values() for held in client.accounts if held.number == account)
    holdings = [
        {"name": name, "shares": shares, "price": price, "value": round(shares * price, 2)}
        for name, shares, price in found.holdings
    ]
    total = round(found.cash + sum(shares * price for _, shares, price in found.holdings), 2)
    return {"account": account, "as_of": TODAY, "cash": found.cash, "holdings": holdings, "total": total}


def get_dividend_statement(account: str, year: int) -> dict[str, Any]:
    """Return the dividends paid into an account in a year."""
    if account == "NM-4471-08":
        msg = f"503 Service Unavailable: statements of {account} for {year} are being rebuilt"
        raise StatementServiceError(msg)
    return {"account": account, "year": year, "payments": []}


def get_tax_document(account: str, form: str, year: int) -> dict[str, Any]:
    """Return a tax form of an account, once it is there."""
    return {"account": account, "form": form, "year": year, "status": "not yet available", "document": None}


def search_help_articles(query: str, limit: int = 1) -> list[Article]:
    """Return the help articles that repeat the words of the query most often."""
    wanted = set(re.findall(r"\w+", query.lower()))
    return sorted(ARTICLES, key=lambda article: -_hits(article, wanted))[:limit]


def _hits(article: Article, wanted: set[str]) -> int:
    return sum(word in wanted for word in re.findall(r"\w+", f"{article.title} {article.text}".lower()))


def transfer_to_human(team: str, summary: str) -> dict[str, str]:
    """Hand the conversation to a person of a team, who sees the summary first."""
    return {
        "status": "queued",
        "team": team,
        "reference": "H-0302-17",
        "summary": summary,
        "expected": "within one business day",
    }


def close_account(account: str) -> dict[str, str]:
    """Close an account; what is in it is sold and paid out."""
    return {"account": account, "status": "closing", "settles": "2026-03-04"}


def prompt_values(client: Client) -> Mapping[str, str]:
    """Return what the system prompt says about a client."""
    accounts = "\n".join(f"- {account.number}: {account.kind}" for account in client.accounts)
    return {"name": client.name, "client": client.number, "today": TODAY, "accounts": accounts}
