"""The actions column of ``policy.csv``: ``read|write``, or ``*`` for all."""

from __future__ import annotations

from difflib import get_close_matches

from proxy.authorise.decision import Action

ALL = "*"
SEPARATOR = "|"


class ActionsError(ValueError):
    """Not a list of actions. ``offset`` is where in the text, in characters, the part at fault begins."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(message)


def read_actions(text: str) -> tuple[Action, ...]:
    """The actions that ``text`` names, as written; ``*`` names all.

    Raises:
        ActionsError: an action is unknown, empty or given twice.
    """
    if text == ALL:
        return tuple(Action)
    actions: list[Action] = []
    offset = 0
    for part in text.split(SEPARATOR):
        action = _action(part, offset)
        if action in actions:
            raise ActionsError(f"action {part} is given twice", offset)
        actions.append(action)
        offset += len(part) + len(SEPARATOR)
    return tuple(actions)


def _action(part: str, offset: int) -> Action:
    try:
        return Action(part)
    except ValueError:
        raise ActionsError(_advice(part), offset) from None


def _advice(part: str) -> str:
    if not part:
        return f"an action is missing; write some of {', '.join(Action)} joined by |, or * for all"
    if part == ALL:
        return "* stands for all actions and stands alone"
    if part != part.strip():
        return f"action {part!r}: no spaces around |"
    close = get_close_matches(part.lower(), list(Action), n=1)
    hint = f"did you mean {close[0]}?" if close else f"the actions are {', '.join(Action)}"
    return f"unknown action {part!r}; {hint}"
