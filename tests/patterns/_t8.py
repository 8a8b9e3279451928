import time, sys
from tests.patterns import test_samples_cancelled as c
from tests.patterns.playing import prove
from tests.patterns.samples import ALL

names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(ALL)
for name in names:
    c.whole(name)
    b = time.process_time()
    try:
        c.everywhere(name, int(sys.argv[1]))
        ok = "ok"
    except Exception as e:
        ok = repr(e)[:400]
    print(name, round(time.process_time() - b, 2), ok, flush=True)
