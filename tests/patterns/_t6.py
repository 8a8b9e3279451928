from tests.patterns.test_samples_die import *
from weft.engine import replay as R
p=die("behavior_tree",whole("behavior_tree"),at=22,when="after")
f=p.family[0]
from weft.engine.rewalk import quietly
def go(seed,eager):
    box=[]
    async def m(loop):
        r=R._Replay(loop,f.plan,f.events,eager=eager); box.append(r)
        orig=r._abandon
        async def ab(place):
            if place==len(f.events) and r._walk:
                print(seed,eager,"left",[(k,q) for k,q,_ in r._walk.left()],"pending",r._walk.pending(),"due",[d[0] for d in r._due], 'done', r._task.done() if r._task else None, r._derived)
            await orig(place)
        r._abandon=ab
        return await r.run("x")
    return quietly(m,seed)
for s,e in ((None,False),(None,True),(1,False),(2,False)): 
    d=go(s,e).difference; print(d and (d.seq,d.path,d.replayed[:100]))
