from tests.patterns.test_samples_gated import *

for n in ("sub-workflow, in a child inside a saga", "sub-workflow, in each child of a map"):
    f = played(n, approve)
    print(n, f.result.error.as_json())
