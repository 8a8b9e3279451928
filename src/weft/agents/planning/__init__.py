"""Making plans while a run goes: the performer of the planner's calls, what a plan will cost, and questions to people."""
