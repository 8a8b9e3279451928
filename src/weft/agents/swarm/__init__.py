"""What groups of agents compute together: votes, statements, boards, gossip and ballots, as pure functions of what they said."""
