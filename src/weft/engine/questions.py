"""What a gate asks and what an answer to it means: pure functions over the request, as the journal has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.canonical import digest
from weft.core.clock import iso
from weft.core.errors import ConflictError, InputError, Place, PolicyError, RejectedError, StepTimeoutError, WeftError
from weft.core.ids import path_key
from weft.core.patterns import Patience, PatternError, compiled
from weft.engine.forms import check_form, form_problems
from weft.engine.port import GateRequest

MAX_TEXT = 200_000
"""Characters of a prompt, of what is shown with it, or of an answer."""
MAX_MATCHED = 2_000
"""Characters of an answer that must have a form."""
_SHOWN = ("prompt", "show", "choices", "form", "given")
_CUT = "\n[cut here: the first {kept} of {whole} characters]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody says to a gate.

    `verdict` picks a choice without naming it: the first that is no rejection, or the first that is one. `saw` is the hash of
    what they were shown.
    """

    by: str
    choice: str | None = None
    response: str | None = None
    verdict: str | None = None
    values: Mapping[str, Any] | None = None
    why: str = ""
    saw: str | None = None


def gate_id(run_id: str, path: str, life: int) -> str:
    """The id of the gate at `path` in the given life of a run: the same when it is opened again after a crash, new in a fork."""
    return path_key(run_id, f"gate\n{path}\n{life}")


def as_opened(request: GateRequest, *, at: int, mask: Callable[[Any], Any]) -> dict[str, Any]:
    """The request as the journal and the gate's row have it; times count from `at`, microseconds since the epoch.

    Raises:
        InputError: its form is not a JSON Schema, or its pattern no regular expression.
    """
    if request.form is not None:
        check_form(request.form)
    if request.pattern is not None:
        _check_pattern(request.pattern)

    def when(seconds: float | None) -> int | None:
        return None if seconds is None else at + int(seconds * 1_000_000)

    data = {
        "prompt": _cut(request.prompt),
        "show": _cut(request.show),
        "choices": list(request.choices),
        "form": None if request.form is None else dict(request.form),
        "given": request.given,
        "pattern": request.pattern,
        "rejections": list(request.rejections),
        "on_reject": request.on_reject,
        "assignees": list(request.assignees),
        "due": when(request.deadline_s),
        "warn_at": when(request.warn_s),
        "escalate_at": when(request.escalate_s),
        "escalate_to": list(request.escalate_to),
        "default": request.default,
        "facts": dict(request.facts),
    }
    masked: dict[str, Any] = mask({name: value for name, value in data.items() if value not in (None, "", [], {})})
    return masked | {"shown": shown_hash(masked)}


def _check_pattern(text: str) -> None:
    try:
        compiled(text)
    except PatternError as error:
        raise InputError(
            f"the pattern of a gate cannot be used: {error}", fix="correct `validation.pattern`"
        ) from error


def shown_hash(request: Mapping[str, Any]) -> str:
    """The hash of what a person sees of a request."""
    return digest({name: request[name] for name in _SHOWN if name in request})


def assignees(request: Mapping[str, Any], at: int) -> list[str]:
    """Who may answer at `at`; nobody named means everybody."""
    named: list[str] = list(request.get("assignees") or ())
    escalate_at = request.get("escalate_at")
    if named and escalate_at is not None and at >= escalate_at:
        named += [name for name in request.get("escalate_to") or () if name not in named]
    return named


def decision(request: Mapping[str, Any], answer: Answer, *, at: int) -> dict[str, Any]:
    """The decision that `answer` makes, checked against what the gate asks.

    Raises:
        InputError: it is none of the choices, has not the form that is asked for, or its values do not fit the form.
        PolicyError: somebody else is asked.
        ConflictError: they were shown something else.
    """
    asked = assignees(request, at)
    if asked and answer.by not in asked:
        raise PolicyError(
            f"{answer.by!r} is not asked here", fix=f"it is for {', '.join(asked)}; --by says who answers"
        )
    if answer.saw is not None and answer.saw != request["shown"]:
        raise ConflictError("what was shown is not what this gate asks", fix="look at it again with `weft gates`")
    if len(answer.response or "") > MAX_TEXT or len(answer.why) > MAX_TEXT:
        raise InputError(f"an answer may have {MAX_TEXT} characters", fix="make it shorter")
    choice = _choice(request, answer)
    response = next(
        (said for said in (answer.response, choice, answer.choice, answer.verdict) if said is not None), None
    )
    if response is None:
        raise InputError("an answer is needed", fix="say what with --answer TEXT")
    rejected = is_rejection(request, choice, response)
    if not rejected:
        _check_text(request, response)
    return {
        "how": "answer",
        "choice": choice,
        "response": response,
        "values": answer.values if rejected else _values(request, answer),
        "by": answer.by,
        "why": answer.why,
        "at": at,
        "saw": request["shown"],
    }


def expired(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the deadline of a gate decides: its default, or that nobody answered."""
    default = request.get("default")
    made: dict[str, Any] = {"how": "deadline", "choice": None, "response": None, "values": None, "by": "", "why": ""}
    made |= {"at": request["due"], "saw": None}
    if default is None:
        return made
    if isinstance(default, Mapping) and request.get("form") is not None:
        return made | {"response": "", "values": dict(default)}
    if default in request.get("choices", ()):
        made["choice"] = default
    return made | {"response": default, "values": request.get("given")}


def is_rejection(request: Mapping[str, Any], choice: str | None, response: Any) -> bool:
    """Whether an answer is one of those that reject."""
    said = response if choice is None else choice
    words = {word.casefold() for word in request.get("rejections", ())}
    return isinstance(said, str) and said.strip().casefold() in words


def conclusion(request: Mapping[str, Any], made: Mapping[str, Any], path: str) -> dict[str, Any] | WeftError:
    """How the gate at `path` ends: with a value, or with an error."""
    place = Place(path=path)
    if made["how"] == "deadline" and request.get("default") is None:
        return StepTimeoutError(
            f"nobody answered before {iso(request['due'])}",
            fix="`weft resume RUN` asks again; a `default` would be the answer then",
            place=place,
        )
    if request.get("on_reject", "fail") == "fail" and is_rejection(request, made["choice"], made["response"]):
        who = made["by"] or "the deadline"
        return RejectedError(
            f"{who} rejected it" + (f": {made['why']}" if made["why"] else ""),
            fix="change what was asked for, then `weft resume RUN` asks again",
            place=place,
        )
    kept = {name: made[name] for name in ("response", "choice", "values", "why")}
    own = {"type": "hitl", **kept, "by": made["by"] or None, "at": iso(made["at"]), "prompt": request.get("prompt", "")}
    begun = {"given": request["given"]} if "given" in request else {}
    return {**request.get("facts", {}), **own, **begun}


def _choice(request: Mapping[str, Any], answer: Answer) -> str | None:
    choices: list[str] = list(request.get("choices", ()))
    if choices and answer.verdict is not None and answer.choice is None:
        return _by_verdict(request, choices, answer.verdict)
    said = answer.choice if answer.choice is not None else answer.response
    if not choices:
        return None
    if answer.choice is None and answer.response is None and request.get("form") is not None:
        said = _by_verdict(request, choices, "approve")
    near = [choice for choice in choices if said is not None and choice.casefold() == said.strip().casefold()]
    found = said if said in choices else near[0] if len(near) == 1 else None
    if found is None:
        raise InputError(
            f"{said!r} is none of the choices" if said is not None else "a choice is needed",
            fix=f"choose one of: {', '.join(choices)}",
        )
    return found


def _check_text(request: Mapping[str, Any], response: str) -> None:
    wanted = request.get("pattern")
    if wanted is None:
        return
    try:
        fits = len(response) <= MAX_MATCHED and Patience().fullmatch(wanted, response) is not None
    except PatternError as error:
        raise InputError(f"the answer cannot be held to the form that is asked for: {error}", fix="say less") from error
    if not fits:
        raise InputError(f"the answer does not match the form that is asked for: {wanted}", fix="answer in that form")


def _by_verdict(request: Mapping[str, Any], choices: list[str], verdict: str) -> str:
    """The first choice that approves or rejects."""
    rejects = verdict == "reject"
    fitting = [choice for choice in choices if is_rejection(request, choice, choice) == rejects]
    if not fitting:
        raise InputError(f"no choice of this gate means {verdict!r}", fix=f"choose one of: {', '.join(choices)}")
    return fitting[0]


def _values(request: Mapping[str, Any], answer: Answer) -> Any:
    form, given = request.get("form"), request.get("given")
    if form is None:
        if answer.values:
            raise InputError("this gate has no form to fill", fix="leave out the values")
        return None
    values = given if answer.values is None and given is not None else dict(answer.values or {})
    if problems := form_problems(form, values):
        raise InputError(
            f"the values do not fit the form: {'; '.join(problems)}", fix="give them with --set NAME=VALUE"
        )
    return values


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return text[:MAX_TEXT] + _CUT.format(kept=MAX_TEXT, whole=len(text))
