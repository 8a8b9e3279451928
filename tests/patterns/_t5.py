from tests.patterns.test_samples_die import *

w = whole("evaluator_optimizer")
for e in w.events:
    print(e.seq, e.kind, e.path, str(e.data)[:300])
