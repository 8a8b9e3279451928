from tests.patterns.test_samples_forked import *

name = "state_machine"
import weft.engine.local

orig = World.to_its_end


async def spy(self, *a, **k):
    r = await orig(self, *a, **k)
    if r.status == "waiting":
        print("WAITS", r.waits)
        for e in self.journal.events(r.run_id)[-14:]:
            print(e.seq, e.kind, e.path, str(e.data)[:150])
    return r


World.to_its_end = spy
whole(name)
for seq in range(1, 78):
    try:
        forked(name, seq)
    except AssertionError as e:
        print(seq, str(e)[:100])
        break
