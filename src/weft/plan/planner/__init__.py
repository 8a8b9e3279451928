"""Plans that are made at run time: from a request and the cards of agents to steps, by rules, and from steps to a plan."""
