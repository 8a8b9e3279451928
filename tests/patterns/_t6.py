import sys
from tests.patterns.test_samples_die import *
from weft.engine import replay as R
from weft.engine.rewalk import quietly

place = eval(sys.argv[2])
p = die(sys.argv[1], whole(sys.argv[1]), **place)
f = p.family[0]
for pace in list(R._paces())[:10]:
    found = quietly(lambda loop: R._Replay(loop, f.plan, f.events, pace).run("r"), pace.seed)
    d = found.difference
    print(pace, d and (d.seq, d.path, "REC", d.recorded[-400:], "REP", d.replayed[-400:]))
