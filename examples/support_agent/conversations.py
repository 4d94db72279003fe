"""The recorded conversations: what the client writes, and what the scripted model says to it.

What the tools answer is not written here: they run for real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.support_agent.agent import call, say

if TYPE_CHECKING:
    from examples.support_agent.agent import Message

BROKERAGE = "NM-4471-08"
IRA = "NM-4471-22"


@dataclass(frozen=True)
class Turn:
    question: str
    lines: tuple[Message, ...]


@dataclass(frozen=True)
class Conversation:
    name: str
    client: str
    turns: tuple[Turn, ...]
    uses_langchain: bool = False
    is_zipped: bool = False


def turn(question: str, *lines: Message) -> Turn:
    return Turn(question, lines)


CASH_SWEEP = Conversation(
    "cash-sweep",
    "C-10482",
    (
        turn(
            "Hi, can you show me everything that happened in my brokerage account in February?",
            call("list_transactions", account=BROKERAGE, since="2026-02-01", until="2026-02-28"),
            say(
                "Here is February in your brokerage account NM-4471-08:\n\n"
                "- 2 February: Cash sweep redemption, 1,500.00 USD\n"
                "- 3 February: Bought 12 Harrow Global Equity ETF at 117.90, -1,414.80 USD\n"
                "- 6 February: Cash sweep purchase, -85.20 USD\n"
                "- 10 February: Deposit from First Harbor Bank, 2,000.00 USD\n"
                "- 11 February: Cash sweep purchase, -2,000.00 USD\n"
                "- 17 February: Cash sweep redemption, 640.00 USD\n"
                "- 17 February: Advisory fee for the first quarter, -118.33 USD\n"
                "- 20 February: Dividend of Harrow Global Equity ETF, 41.28 USD\n"
                "- 24 February: Cash sweep redemption, 1,250.00 USD\n"
                "- 25 February: Bought 50 Meridian Bond Fund at 21.40, -1,070.00 USD\n"
                "- 27 February: Interest, 2.91 USD"
            ),
        ),
        turn(
            "That is hard to read. Exclude all transactions that say 'cash sweep redemption'.",
            call(
                "list_transactions",
                account=BROKERAGE,
                since="2026-02-01",
                until="2026-02-28",
                exclude="cash sweep redemption",
            ),
            say(
                "Done. Without the cash sweep redemptions, February looks like this:\n\n"
                "- 3 February: Bought 12 Harrow Global Equity ETF at 117.90, -1,414.80 USD\n"
                "- 6 February: Cash sweep purchase, -85.20 USD\n"
                "- 10 February: Deposit from First Harbor Bank, 2,000.00 USD\n"
                "- 11 February: Cash sweep purchase, -2,000.00 USD\n"
                "- 17 February: Advisory fee for the first quarter, -118.33 USD\n"
                "- 20 February: Dividend of Harrow Global Equity ETF, 41.28 USD\n"
                "- 25 February: Bought 50 Meridian Bond Fund at 21.40, -1,070.00 USD\n"
                "- 27 February: Interest, 2.91 USD\n\n"
                "I have saved this for your account: from now on I will leave out every transaction that says "
                "'cash sweep redemption' whenever you ask for your activity."
            ),
        ),
    ),
)

DIVIDENDS = Conversation(
    "dividends",
    "C-10482",
    (
        turn(
            "Good morning! I am doing my taxes. What do I hold with you at the moment?",
            call("get_portfolio", account=BROKERAGE),
            call("get_portfolio", account=IRA),
            say(
                "Good morning, Dana. Your brokerage account NM-4471-08 is worth 23,545.84 USD: 420 shares of Meridian "
                "Bond Fund, 96 shares of Harrow Global Equity ETF and 3,218.44 USD in cash. Your traditional IRA "
                "NM-4471-22 is worth 42,264.78 USD: 1,130.5 shares of Target Retirement 2045, 2,400.00 USD in "
                "Northmere Money Market and 512.07 USD in cash."
            ),
        ),
        turn(
            "And how much did I get in dividends in the brokerage account in 2025?",
            call("get_dividend_statement", account=BROKERAGE, year=2025),
            call("get_dividend_statement", account=BROKERAGE, year=2025),
            call("list_transactions", account=BROKERAGE, since="2025-01-01", until="2025-12-31"),
            say(
                "In 2025 your brokerage account received 1,842.60 USD in dividends: 1,310.40 USD from Meridian Bond "
                "Fund and 532.20 USD from Harrow Global Equity ETF."
            ),
        ),
        turn(
            "Was any tax withheld on that?",
            call("get_tax_document", account=BROKERAGE, form="1099-DIV", year=2025),
            say("No, no federal tax was withheld on the 1,842.60 USD. Your Form 1099-DIV will show the same amount."),
        ),
        turn(
            "When do I get the form?",
            call("search_help_articles", query="when is tax form 1099-DIV ready"),
            say("Form 1099-DIV for 2025 is ready by 15 March 2026 (help article: Tax documents)."),
        ),
        turn(
            "I would rather not wait. So I can put the dividends into my return today?",
            say(
                "Yes. You can enter 1,842.60 USD as ordinary dividends for 2025; the form will only confirm it. "
                "Good luck with your return!"
            ),
        ),
    ),
    uses_langchain=True,
)

WIRE_FEE = Conversation(
    "wire-fee",
    "C-20917",
    (
        turn(
            "What does it cost to wire 5,000 euros to my sister's bank account in Germany, and when will it be there?",
            call("search_help_articles", query="wire fee and arrival for a wire to a bank in Germany"),
            say(
                "The fee for your wire is 25.00 USD. If you send it before 4 p.m. Eastern Time, it arrives the same "
                "business day (help article: Wire transfers within the United States)."
            ),
        ),
    ),
)

IRA_BALANCE = Conversation(
    "ira-balance",
    "C-10482",
    (
        turn(
            "How much money is in my IRA right now? I want to know whether I can take out my yearly distribution.",
            call("get_portfolio", account=BROKERAGE),
            say(
                "Your IRA is worth 23,545.84 USD, of which 3,218.44 USD is cash that you can take out at once. "
                "Would you like me to pass a distribution request to a colleague?"
            ),
        ),
        turn(
            "Yes please, 3,000 dollars from the IRA.",
            call(
                "transfer_to_human",
                team="distributions",
                summary="Dana Whitlock (C-10482) asks for a distribution of 3,000.00 USD from the IRA; cash is there.",
            ),
            say(
                "A colleague of the distributions team will write to you within one business day. Reference: H-0302-17."
            ),
        ),
    ),
)

NEW_ADDRESS = Conversation(
    "new-address",
    "C-20917",
    (
        turn(
            "We moved last week. Please change my address to 18 Quarry Lane, Portland, ME 04101.",
            call(
                "transfer_to_human",
                team="account maintenance",
                summary="Tomasz Okafor (C-20917) moved and asks to change his address to 18 Quarry Lane, Portland, "
                "ME 04101. Identity still to be confirmed.",
            ),
            say(
                "Thank you, Tomasz. I cannot change an address myself, so I have handed this over to our account "
                "maintenance team. They will write to you within one business day to confirm your identity. Until "
                "then, your old address stays on file."
            ),
        ),
        turn(
            "Fine. And was there a dividend in February?",
            call("list_transactions", account="NM-6120-03", since="2026-02-01", until="2026-02-28"),
            say("Yes: on 19 February 2026 Alder Small Cap Fund paid you a dividend of 63.55 USD."),
        ),
    ),
)

FRACTIONAL_SHARES = Conversation(
    "fractional-shares",
    "C-20917",
    (
        turn(
            "If I move my account to another firm, what happens to the 0.4412 shares of Alder Small Cap I have?",
            call("search_help_articles", query="fractional shares when transferring the account to another firm"),
            say(
                "Only whole shares can be transferred. Your fraction would be sold and paid out in cash, which may be "
                "a taxable event (help article: Fractional shares)."
            ),
        ),
    ),
    is_zipped=True,
)

ALL = (CASH_SWEEP, DIVIDENDS, WIRE_FEE, IRA_BALANCE, NEW_ADDRESS, FRACTIONAL_SHARES)
