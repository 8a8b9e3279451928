"""Run a plan durably: the interpreter, the runtime port, and the embedded runtime over the journal."""
