"""Skills: instructions that an agent loads when it needs them. Their texts are part of the plan, so a run never sees them change."""

from __future__ import annotations

from collections.abc import Mapping

from weft.core.errors import InputError, ToolError
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, ToolContext, ToolSpec

_SHOWN = 50


class SkillTool:
    """Gives the instructions of a skill, or of one of its modules, once in a conversation.

    `skills` holds, by id, ``description``, ``text`` and ``modules``: further texts by name.
    """

    def __init__(
        self,
        name: str,
        skills: Mapping[str, Mapping[str, Json]],
        *,
        timeout_s: float = TIMEOUT_S,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        self._skills = skills
        self.spec = ToolSpec(
            name=name,
            description="Load the instructions of a skill by its id, or one of its modules as id/module.",
            input_schema={
                "type": "object",
                "properties": {
                    "skill_id": {
                        "type": "string",
                        "maxLength": 500,
                        "description": f"The id of a skill, or id/module. Skills: {', '.join(skills)}.",
                    }
                },
                "required": ["skill_id"],
                "additionalProperties": False,
            },
            effect="pure",
            timeout_s=timeout_s,
            max_result_bytes=max_result_bytes,
        )

    def effect_of(self, args: Mapping[str, Json]) -> Effect:  # noqa: ARG002 -- the same for all
        """Nothing changes."""
        return "pure"

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """The text, or that the agent has it already."""
        wanted = str(args["skill_id"]).strip()
        skill_id, _, module = wanted.partition("/")
        skill = self._skills.get(skill_id)
        if skill is None:
            raise ToolError(f"there is no skill {skill_id!r}", fix=f"skills are: {', '.join(self._skills) or 'none'}")
        texts: Mapping[str, str] = skill["modules"]
        if any(str(call.get("skill_id", "")).strip() == wanted for call in context.earlier):
            return f"The skill {wanted!r} is already loaded: its instructions stand above in this conversation."
        if not module:
            return _page(skill_id, str(skill["text"]), sorted(texts))
        text = texts.get(module.removesuffix(".md"))
        if text is None:
            have = ", ".join(sorted(texts)[:_SHOWN]) or "none"
            raise ToolError(f"the skill {skill_id!r} has no module {module!r}", fix=f"its modules are: {have}")
        return _page(wanted, text, [])

    async def check(self, key: str, context: ToolContext) -> Json | None:  # noqa: ARG002 -- the port's
        """Nothing happens, so nobody needs to ask.

        Raises:
            InputError: always.
        """
        raise InputError("loading a skill has no effect", fix="call it again")


def _page(name: str, text: str, more: list[str]) -> str:
    rest = f"\n\nModules, to be loaded in the same way: {', '.join(f'{name}/{one}' for one in more)}" if more else ""
    return f"# Skill: {name}\n\n{text.strip()}{rest}"
