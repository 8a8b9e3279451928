"""`offline/extract`: a model of plain text work that needs no network and no key. `weft.models.offline.model` has it."""
