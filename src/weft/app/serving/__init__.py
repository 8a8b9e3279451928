"""What every protocol of the service is made of: what is served, turns of a conversation, and the replies to them."""
