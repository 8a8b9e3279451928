from tests.patterns.test_samples_die import *
from weft.engine.replay import replay
import sys

name = sys.argv[1]
for place in places(name, 1000, "many"):
    try:
        p = die(name, whole(name), **place)
    except AssertionError as e:
        print(place, str(e)[:200])
        continue
    for f in p.family:
        d = replay(f.run.id, f.plan, f.events).difference
        if d:
            print(place, d)
            for e in f.events:
                print(e.seq, e.kind, e.path, str(e.data)[:110])
            raise SystemExit
