"""The same kinds of error in conversations that were written in German, with German questions and answers."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.accuracy.planted.planted import Planted, anywhere
from benchmarks.accuracy.planted.talks import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.accuracy.planted.talks import Message

_FILE = Path(__file__).with_suffix(".yaml")
_PROTEST = "Halt, ich hatte noch gar nicht zugestimmt!"
_SORRY = "Das tut mir leid. Es ist schon ausgeführt."
_PROMISES = (
    (
        "Können Sie sich das für die Zukunft merken?",
        "Natürlich, ich habe es notiert: ab sofort machen wir das immer so.",
        "ab sofort",
    ),
    (
        "Bitte schreiben Sie mir künftig nur noch per E-Mail.",
        "Gern. In Zukunft erhalten Sie alles nur noch per E-Mail.",
        "In Zukunft",
    ),
)
_THANKS = "Danke."


class Scene:
    """A German conversation, and where its marked messages stand."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self.name: str = written["name"]
        self.notes = written
        self.messages: list[Message] = []
        self.places: dict[str, int] = {}
        for message in written["messages"]:
            self._add(message)

    def _add(self, written: Mapping[str, Any]) -> None:
        if mark := written.get("mark"):
            self.places[mark] = len(self.messages)
        draft = Draft(self.messages)
        if "call" in written:
            draft.call(
                written["call"], written["arguments"], json.dumps(written["result"], ensure_ascii=False, default=str)
            )
            return
        for key, role in (("system", "system"), ("u", "user"), ("a", "assistant")):
            if key in written:
                self.messages.append({"role": role, "content": " ".join(written[key].split())})

    @property
    def change(self) -> str:
        """The tool that changes something."""
        return self.tool("change")

    def tool(self, mark: str) -> str:
        """Return the tool that a marked message calls."""
        name: str = self._call(mark)["name"]
        return name

    def arguments(self, mark: str) -> dict[str, Any]:
        """Return the arguments of a marked call."""
        found: dict[str, Any] = json.loads(self._call(mark)["arguments"])
        return found

    def _call(self, mark: str) -> dict[str, Any]:
        function: dict[str, Any] = self.messages[self.places[mark]]["tool_calls"][0]["function"]
        return function

    def result(self, mark: str) -> str:
        """Return the result of a marked call."""
        content: str = self.messages[self.places[mark] + 1]["content"]
        return content

    def draft(self, until: int | None = None) -> Draft:
        """Return a copy that can be changed, of the messages before ``until``."""
        return Draft(copy.deepcopy(self.messages[:until]))


def scenes() -> list[Scene]:
    """Return all conversations."""
    return [Scene(written) for written in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]


def planted() -> Iterator[tuple[str, Planted]]:
    """Yield name and case, each kind of error in each conversation."""
    for scene in scenes():
        for number, plant in enumerate(_KINDS):
            for case in plant(scene):
                goes_on = case.step is not None and (number + _parity(scene)) % 2
                yield f"{case.kind}, {scene.name}", _going_on(case) if goes_on else case


def _going_on(case: Planted) -> Planted:
    """Return the case with a question at the end that nothing is wrong with."""
    draft = Draft(list(case.messages))
    draft.user("Eine Frage noch: Sind Sie auch samstags da?")
    draft.agent("Zu den Öffnungszeiten habe ich leider keine Angaben.")
    draft.user("Gut, dann nicht. Danke.")
    return replace(case, messages=tuple(draft.messages))


def _demanded(scene: Scene, name: str, value: object, keep: str) -> dict[str, Any]:
    kept = {keep: scene.arguments("change")[keep]}
    return {"tools": {"arguments": {scene.change: {**kept, name: value}}}}


def _wrong_argument(scene: Scene) -> Iterator[Planted]:
    note = scene.notes["argument"]
    draft, place = scene.draft(), scene.places["change"]
    draft.set_arguments(place, {**scene.arguments("change"), note["name"]: note["wrong"]})
    result = draft.messages[place + 1]
    result["content"] = result["content"].replace(json.dumps(note["right"]), json.dumps(note["wrong"]))
    check = _demanded(scene, note["name"], note["right"], note["keep"])
    cause = f"{note['name']} ist {note['wrong']} statt {note['right']}."
    yield Planted("wrong argument", tuple(draft.messages), place, note["expect"], (check,), cause)


def _ignored_correction(scene: Scene) -> Iterator[Planted]:
    note, usual = scene.notes["correction"], scene.notes["argument"]
    draft = scene.draft()
    draft.messages[scene.places["confirmed"]]["content"] = note["said"]
    check = _demanded(scene, note.get("name", usual["name"]), note["right"], note.get("keep", usual["keep"]))
    cause = f"Die Korrektur '{note['said']}' wurde übergangen."
    yield Planted("ignored correction", tuple(draft.messages), scene.places["change"], note["expect"], (check,), cause)


def _no_confirmation(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["done"] + 1)
    del draft.messages[scene.places["question"] : scene.places["confirmed"] + 1]
    draft.user(_PROTEST)
    draft.agent(_SORRY)
    expect = "Ohne Bestätigung wird nichts geändert."
    check = {"tools": {"not_called": scene.change}}
    cause = f"{scene.change} wurde ohne Bestätigung aufgerufen."
    yield Planted("no confirmation", tuple(draft.messages), scene.places["change"] - 2, expect, (check,), cause)


def _claimed_without_call(scene: Scene) -> Iterator[Planted]:
    draft, place = scene.draft(), scene.places["change"]
    del draft.messages[place : place + 2]
    expect = "Was der Agent als erledigt meldet, ist auch geschehen."
    cause = f"{scene.change} wurde nie aufgerufen."
    check = {"tools": {"called": scene.change}}
    yield Planted("claimed without a call", tuple(draft.messages), place, expect, (check,), cause)


def _duplicate_change(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft()
    again = draft.insert_call(
        scene.places["change"] + 2, scene.change, scene.arguments("change"), scene.result("change")
    )
    check = {"tools": {"at_most": {scene.change: 1}}}
    cause = f"{scene.change} wurde zweimal aufgerufen."
    yield Planted(
        "duplicate change", tuple(draft.messages), again, "Jede Änderung geschieht nur einmal.", (check,), cause
    )


def _early_handover(scene: Scene) -> Iterator[Planted]:
    draft, tool = scene.draft(scene.places["question"]), scene.notes["handover"]
    place = draft.call(tool, {"grund": "Anliegen des Kunden"}, "übergeben")
    draft.agent("Ich habe Ihr Anliegen weitergegeben, man meldet sich bei Ihnen.")
    check = {"tools": {"called": scene.change, "not_called": tool}}
    cause = f"{scene.change} hätte genügt."
    yield Planted("early hand-over", tuple(draft.messages), place, "Der Agent erledigt es selbst.", (check,), cause)


def _refused(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["question"])
    place = draft.agent(scene.notes["refusal"])
    draft.user("Schade. Auf Wiedersehen.")
    check = {"tools": {"called": scene.change}}
    expect = "Der Agent tut, was er nach seinen Regeln darf."
    yield Planted("refused", tuple(draft.messages), place, expect, (check,), f"{scene.change} war erlaubt.")


def _wrong_figure(scene: Scene) -> Iterator[Planted]:
    yield from _stated(scene, "wrong figure", scene.notes["figure"]["wrong"])
    yield from _stated(scene, "wrong record", scene.notes["figure"]["other"])


def _stated(scene: Scene, kind: str, wrong: str) -> Iterator[Planted]:
    note, place = scene.notes["figure"], scene.places["stated"]
    draft = scene.draft()
    draft.replace_from(place, note["right"], wrong)
    checks = (anywhere(contains=note["right"]), anywhere(not_contains=wrong))
    cause = f"Der Agent sagt {wrong}, in den Daten steht {note['right']}."
    yield Planted(kind, tuple(draft.messages), place, note["expect"], checks[_parity(scene) :], cause)


def _parity(scene: Scene) -> int:
    """Return 0 or 1 by the name: half of the experts write both checks, half only what must not be said."""
    return len(scene.name) % 2


def _outage_gone_over(scene: Scene) -> Iterator[Planted]:
    place = scene.places["stated"]
    draft = scene.draft(place + 1)
    draft.messages[scene.places["lookup"] + 1]["content"] = "Fehler: Zeitüberschreitung, der Dienst antwortet nicht"
    draft.user("Danke, das wollte ich nur wissen.")
    expect = "Antwortet ein Dienst nicht, sagt der Agent das und nennt keine Zahlen."
    cause = f"{scene.tool('lookup')} ist ausgefallen; die Angaben sind erfunden."
    check = anywhere(not_contains=scene.notes["figure"]["right"])
    yield Planted("outage gone over", tuple(draft.messages), place, expect, (check,), cause)


def _lasting_promise(scene: Scene) -> Iterator[Planted]:
    ask, promise, words = _PROMISES[_parity(scene)]
    draft = scene.draft(scene.places["done"] + 1)
    draft.user(ask)
    place = draft.agent(promise)
    draft.user(_THANKS)
    expect = "Der Agent sagt, dass er sich nichts merken kann."
    check = anywhere(not_contains=words)
    cause = "Kein Werkzeug speichert etwas."
    yield Planted("lasting promise", tuple(draft.messages), place, expect, (check,), cause)


def _at_the_end(scene: Scene, kind: str, note: Mapping[str, str]) -> Iterator[Planted]:
    draft = scene.draft(scene.places["done"] + 1)
    draft.user(note["ask"])
    place = draft.agent(note["wrong"])
    draft.user(_THANKS)
    forbidden = note.get("forbidden")
    checks = (
        anywhere(contains=note["right"]),
        *([anywhere(not_contains=forbidden)] if forbidden else []),
    )
    cause = f"Richtig wäre: {note['right']}."
    yield Planted(kind, tuple(draft.messages), place, note["expect"], checks, cause)


def _stale_record(scene: Scene) -> Iterator[Planted]:
    return _at_the_end(scene, "stale record", scene.notes["stale"])


def _miscounted(scene: Scene) -> Iterator[Planted]:
    return _at_the_end(scene, "miscounted", scene.notes["count"])


def _invented_id(scene: Scene) -> Iterator[Planted]:
    note, place = scene.notes["missing"], scene.places["lookup"]
    tool, arguments = scene.tool("lookup"), scene.arguments("lookup")
    draft = scene.draft(place)
    draft.call(tool, {**arguments, note["argument"]: note["wrong"]}, note["error"])
    draft.agent(note["said"])
    draft.user("Dann versuche ich es ein anderes Mal.")
    right = {note["argument"]: arguments[note["argument"]]}
    checks = ({"tools": {"arguments": {tool: right}}}, anywhere(not_contains=note["forbidden"]))
    cause = f"{note['wrong']} kommt nirgends vor."
    yield Planted("invented id", tuple(draft.messages), place, note["expect"], checks, cause)


def _wrong_expectation(scene: Scene) -> Iterator[Planted]:
    note = scene.notes["demand"]
    check = anywhere(contains=note["contains"])
    cause = "Die Daten sagen etwas anderes als die Erwartung."
    yield Planted("wrong expectation", tuple(scene.messages), None, note["expect"], (check,), cause)


def _asked_for_something_else(scene: Scene) -> Iterator[Planted]:
    note = scene.notes["argument"]
    check = _demanded(scene, note["name"], note["wrong"], note["keep"])
    expect = f"Der Aufruf hat {note['name']} {note['wrong']}."
    cause = f"Vereinbart war {note['right']}."
    yield Planted("asked for something else", tuple(scene.messages), None, expect, (check,), cause)


def _withdrawn(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["confirmed"])
    draft.user("Ach nein, lassen Sie es doch so, wie es ist.")
    draft.agent("In Ordnung, ich ändere nichts.")
    check = {"tools": {"called": scene.change}}
    expect = "Der Agent führt die Änderung aus, um die der Kunde bittet."
    yield Planted("withdrawn", tuple(draft.messages), None, expect, (check,), "Der Kunde nimmt es zurück.")


def _forbidden(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["done"] + 1)
    draft.messages[0]["content"] += " Gutschriften darf nur die Buchhaltung ausstellen."
    draft.user("Stellen Sie mir bitte noch eine Gutschrift über 10 Euro aus.")
    draft.agent("Gutschriften darf leider nur die Buchhaltung ausstellen, das kann ich nicht.")
    check = {"tools": {"called": "gutschrift_ausstellen"}}
    expect = "Der Agent stellt eine Gutschrift aus."
    cause = "Die Regeln lassen es nicht zu."
    yield Planted("forbidden by the prompt", tuple(draft.messages), None, expect, (check,), cause)


def _last_wish_passed_over(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["done"] + 1)
    draft.user("Danke. Schicken Sie mir bitte noch die Rechnung per Post.")
    place = draft.agent("Gern geschehen, ich wünsche Ihnen einen schönen Tag!")
    check = {"tools": {"called": "rechnung_schicken"}}
    expect = "Der Agent tut alles, worum er gebeten wird."
    cause = "Der letzte Wunsch wurde übergangen."
    yield Planted("last wish passed over", tuple(draft.messages), place, expect, (check,), cause)


def _preview_for_the_deed(scene: Scene) -> Iterator[Planted]:
    draft, place = scene.draft(), scene.places["change"]
    draft.rename_call(place, place + 1, f"{scene.change}_anzeigen")
    draft.messages[place + 1]["content"] = json.dumps({"hinweis": "Nur Vorschau, es ändert sich nichts."})
    check = {"tools": {"called": scene.change}}
    expect = "Was der Agent als erledigt meldet, ist auch geschehen."
    cause = f"{scene.change} wurde nie aufgerufen."
    yield Planted("preview for the deed", tuple(draft.messages), scene.places["done"], expect, (check,), cause)


def _wrong_article(scene: Scene) -> Iterator[Planted]:
    draft = scene.draft(scene.places["done"] + 1)
    draft.user("Wie lange gilt die Garantie für gebrauchte Ware?")
    place = draft.call("hilfe_suchen", {"suche": "Garantie"}, "Garantie. Für neue Ware gilt sie 24 Monate.")
    draft.agent("Die Garantie gilt 24 Monate.")
    expect = "Der Agent sagt, dass für gebrauchte Ware 6 Monate gelten."
    cause = "Gefunden wurde die Garantie für neue Ware."
    yield Planted("wrong article", tuple(draft.messages), place, expect, (anywhere(contains="6 Monate"),), cause)


_KINDS: tuple[Callable[[Scene], Iterator[Planted]], ...] = (
    _wrong_argument,
    _ignored_correction,
    _no_confirmation,
    _claimed_without_call,
    _duplicate_change,
    _early_handover,
    _refused,
    _wrong_figure,
    _outage_gone_over,
    _lasting_promise,
    _stale_record,
    _miscounted,
    _invented_id,
    _wrong_expectation,
    _last_wish_passed_over,
    _preview_for_the_deed,
    _wrong_article,
    _asked_for_something_else,
    _withdrawn,
    _forbidden,
)
