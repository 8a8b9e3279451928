"""Public test doubles: scripted performers, a simulated loop and clock, failpoints, local model providers."""
