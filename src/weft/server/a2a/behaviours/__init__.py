"""What the conformance kit makes the service do."""
