"""Verbs that begin tasks, and the few kinds of work whose order follows from what they are."""

from __future__ import annotations

from weft.plan.planner.words import concept, listed, words

_COMMON = """
add adjust advise allocate analyse analyze announce answer apologize append apply approve archive arrange ask assemble assess
assign attach audit bake balance book brainstorm brew build buy calculate call cancel capture categorize change charge chart check
choose classify clean close code collect combine come comment compare compile complete compose compress compute conduct configure
confirm connect consult contact convert cook copy correct count crawl create critique cut debug decide deduplicate define delete
deliver deploy describe design detect determine develop diagnose digitize discuss display distribute divide document download draft
draw drive edit eliminate email enter estimate evaluate examine execute explain explore export extract fact fetch file fill filter
find fix fly forecast format forward gather generate give go grade greet group handle hire identify illustrate implement import
improve inform insert inspect install interpret interview invent investigate invite invoice issue label launch lead learn list
listen locate log look mail maintain make manage map measure meet mend merge migrate mix model moderate monitor move narrate
negotiate normalize notify number obtain offer open optimize optimise order organize outline pack paint pay perform photograph
pick place plan play plot polish post prepare present price print prioritize process produce program proofread propose provide
prune publish pull purchase push put query rank rate read recommend reconcile record redact reduce refactor refund register
release remind remove rename render rent repair replace reply report request research reserve resolve respond restore retrieve
review revise rewrite run sail save scan schedule score screen search select sell send serve set share ship shoot shorten show
sign sing solve sort speak specify split start stop store study submit subscribe suggest summarise summarize survey tag teach tell
test trace track train transcribe transfer transform translate transport travel troubleshoot turn update upgrade upload validate
verify visualise visualize walk wash watch weigh write
"""
_ALL = listed(_COMMON)
GATHERING = frozenset(map(concept, listed("research find search collect gather look investigate retrieve")))
"""Finding out what others work on."""
STUDYING = frozenset(map(concept, listed("analyze compute calculate compare study")))
"""Working on what was found."""
COMPOSING = frozenset(map(concept, listed("write draft summarize report compose")))
"""Putting into words what was found or worked out."""
JUDGING = frozenset(map(concept, listed("check verify proofread validate fact confirm")))
"""Looking at what was written."""
VAGUE = listed("do handle make help improve deal work continue go proceed take care fix sort promote")
"""Verbs that say nothing about who could do it, when nothing else does."""
_NOTHING = listed(
    """
    it this that them thing things something anything everything somehow better stuff text yesterday today option matter issue
    usual well nice good best us me our with of the a an from about some more please again for to and properly
    """
)


def verb_of(text: str) -> str:
    """What the verb at the beginning of `text` means; empty when there is none."""
    found = words(text)[:1]
    if not found:
        return ""
    return concept(found[0]) if is_verb(found[0]) else ""


def is_verb(word: str) -> bool:
    """Whether a task can begin with `word`: a verb, or its form in -ing."""
    if word in _ALL:
        return True
    if not word.endswith("ing"):
        return False
    stem = word[:-3]
    return stem in _ALL or f"{stem}e" in _ALL or (len(stem) > 1 and stem[-1] == stem[-2] and stem[:-1] in _ALL)


def starts_with_verb(text: str) -> bool:
    """Whether `text` begins like a task of its own."""
    return bool(verb_of(text))


def says_nothing(text: str) -> bool:
    """Whether `text` does not say what is to be done."""
    said = words(text)
    return all(word in VAGUE or word in _NOTHING for word in said)
