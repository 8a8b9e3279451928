"""The composition root: settings in, a wired application out. The only room that knows every other."""
