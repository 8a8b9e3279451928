"""Templates that cannot work: not valid, or reading what is not there at their place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from weft.core.errors import Problem, TemplateError
from weft.spec.model.base import Pointer, walk
from weft.spec.model.patterns import EvaluatorConfig
from weft.spec.model.workflow import Workflow
from weft.spec.references import Key, Reads, reads
from weft.spec.scopes import ALWAYS, OURS, STEP_FACTS, Site
from weft.spec.sites import sites
from weft.spec.sites_flow import flow_sites
from weft.spec.sites_nested import nested_sites
from weft.spec.suggest import did_you_mean
from weft.spec.template import is_template
from weft.spec.tree import Source

_NOUNS = {"branches": "branch", "tasks": "task", "nodes": "node"}
_METHODS = frozenset({"get", "keys", "values", "items"})


def template_problems(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Findings about every template of `workflow` that this version renders."""
    inputs = workflow.inputs.names() | ALWAYS
    seen: set[Pointer] = set()
    for site in chain(sites(workflow), nested_sites(workflow), flow_sites(workflow)):
        for pointer, text in site.texts:
            # Who knows a place best comes first.
            if pointer in seen:
                continue
            seen.add(pointer)
            try:
                found = reads(text)
            except TemplateError as error:
                yield source.problem("template", pointer, error.message, error.fix)
                continue
            for rule, message, fix, severity in _findings(found, site, inputs):
                yield source.problem(rule, pointer, message, fix, severity=severity)
    yield from _prompts(workflow, source)


_Finding = tuple[str, str, str, str]


def _findings(found: Reads, site: Site, inputs: frozenset[str]) -> Iterator[_Finding]:
    visible = site.names | inputs
    for name in sorted(found.names - visible):
        fix = did_you_mean(name, visible, noun="available here")
        if name in OURS:
            yield "not-available", f"{name!r} is not available here", fix, "error"
        else:
            message = f"{name!r} is not declared; it may come by --var"
            yield "undeclared-name", message, f"declare it under `inputs`; {fix}", "warning"
    if site.steps is not None and "steps" not in inputs:
        for keys in found.keys_of("steps"):
            yield from _step(keys, site.steps)
    for name in site.keyed:
        if name not in inputs:
            for keys in found.keys_of(name):
                yield from _keyed(name, keys, site)


def _step(keys: tuple[Key, ...], count: int) -> Iterator[_Finding]:
    if not keys or keys[0] is ...:
        return
    key = keys[0]
    have = f"steps 0 to {count - 1} are done here" if count else "no step is done here"
    if not isinstance(key, int):
        yield "unknown-step", f"`steps` is a list, it has no {key!r}", f"write steps[0]; {have}", "error"
    elif not -count <= key < count:
        yield "later-step", f"steps[{key}] is not done when this is filled", have, "error"
    else:
        yield from _fact(f"steps[{key}]", keys)


def _keyed(name: str, keys: tuple[Key, ...], site: Site) -> Iterator[_Finding]:
    if not keys or not isinstance(key := keys[0], str):
        return
    noun = _NOUNS[name]
    known = site.keyed[name]
    if key in known:
        yield from _fact(f"{name}.{key}", keys)
    elif key in site.everything.get(name, ()):
        message = f"the task {key!r} is not done when this is filled"
        yield "later-task", message, f"add {key!r} to `deps`, if it does not itself wait for this one", "error"
    elif key not in _METHODS:
        yield f"unknown-{noun}", f"there is no {noun} {key!r}", did_you_mean(key, known, noun="done here"), "error"


def _fact(what: str, keys: tuple[Key, ...]) -> Iterator[_Finding]:
    if len(keys) > 1 and isinstance(keys[1], str) and keys[1] not in STEP_FACTS | _METHODS:
        fix = did_you_mean(keys[1], STEP_FACTS, noun="there is")
        yield "unknown-fact", f"{what} has no {keys[1]!r}", fix, "warning"


def prompt_is_template(prompt: str, workflow: Workflow) -> bool:
    """Whether the prompt of an agent is rendered: it reads names, and all of them are ones that the file declares."""
    try:
        names = reads(prompt).names
    except TemplateError:
        return False
    return bool(names) and names <= workflow.inputs.names() | ALWAYS


def _prompts(workflow: Workflow, source: Source) -> Iterator[Problem]:
    known = workflow.inputs.names() | ALWAYS
    filled = _producers(workflow)
    for agent, entry in workflow.inline_agents().items():
        if agent in filled:
            yield from _producer(agent, entry.prompt, known, source)
            continue
        if not is_template(entry.prompt) or prompt_is_template(entry.prompt, workflow):
            continue
        try:
            stray = sorted(reads(entry.prompt).names - known)
        except TemplateError:
            continue
        if stray:
            message = f"this prompt is sent as it stands, because {stray[0]!r} is not declared"
            fix = f"declare it under `inputs`; {did_you_mean(stray[0], known, noun='available here')}"
            yield source.problem("verbatim-prompt", ("agents", agent, "prompt"), message, fix, severity="warning")


def _producers(workflow: Workflow) -> frozenset[str]:
    """The agents whose prompt is the first message of a pattern, filled in whatever it names."""
    sections = (section for _pointer, section in walk(workflow.pattern))
    return frozenset(section.producer for section in sections if isinstance(section, EvaluatorConfig))


def _producer(agent: str, prompt: str, known: frozenset[str], source: Source) -> Iterator[Problem]:
    spot: Pointer = ("agents", agent, "prompt")
    try:
        stray = sorted(reads(prompt).names - known)
    except TemplateError as error:
        message = f"this prompt is sent as it stands: {error.message}"
        yield source.problem("verbatim-prompt", spot, message, error.fix, severity="warning")
        return
    for name in stray:
        message = f"{name!r} is not declared; it may come by --var"
        fix = f"declare it under `inputs`; {did_you_mean(name, known, noun='available here')}"
        yield source.problem("undeclared-name", spot, message, fix, severity="warning")
