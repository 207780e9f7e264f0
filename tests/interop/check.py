#!/usr/bin/env python3
"""Checks vectors (CLMMSC.md section 19) with a second implementation, and makes some for the first one.

    python3 tests/interop/check.py FILE...             files of `voltcast vectors make`
    python3 tests/interop/check.py --make SEED FILE    for `voltcast vectors check`
"""

import json
import sys
from collections import Counter
import make
import messages
import scheme as s


def hexed(text):
    return bytes.fromhex(text)


class World:
    def __init__(self, file):
        p, k = file["params"], file["kgc"]
        sizes = (int(p[name]) for name in ("epoch_len", "skew", "ttl_max", "max_bytes"))
        self.params = s.Params(p["net"], hexed(p["ppub"]), *sizes)
        assert self.params.id.hex() == p["params_id"], "params_id"
        self.s, self.kf = s.num(hexed(k["s"])), hexed(k["kf"])
        self.kgc, self.records, self.keys = k["id"], {}, {}
        for name, r in file["records"].items():
            rec = s.Record(hexed(r["rec"]))
            self.records[name] = rec
            got = (rec.rid(self.params), s.enc_scalar(rec.h(self.params)), s.enc_scalar(rec.g(self.params)))
            assert [b.hex() for b in got] == [r["rid"], r["h"], r["g"]], name
            assert rec.pk(self.params).enc().hex() == r["pk"], name
            if r.get("uid") is not None:
                f = s.pseudonym(self.kf, rec.cls, rec.role, int(r["uid"]), rec.start, int(r["ctr"]))
                assert f == rec.f, name
            if r.get("x") is not None and r.get("d") is not None:
                x = s.num(hexed(r["x"]))
                key = s.accept(self.params, rec.cls, rec.role, rec.start, rec.end, x, rec, hexed(r["d"]))
                assert s.enc_scalar(key.sk).hex() == r["sk"], name
                self.keys[name] = key


def same(case, **values):
    for name, value in values.items():
        if case.get(name) is not None:
            assert value == case[name], f"{name} differs"


def hash_(w, c):
    parts = [hexed(part) for part in c["parts"]]
    same(c, h64=s.h64(c["label"], *parts).hex(), hs=s.enc_scalar(s.hs(c["label"], *parts)).hex())


def merkle(w, c):
    leaves = [hexed(leaf) for leaf in c["leaves"]]
    same(c, root=s.root_of(leaves, s.node).hex())
    for j, path in enumerate(c.get("paths", [])):
        assert b"".join(s.siblings(leaves, j, s.node)).hex() == path, f"path {j}"


def pseudonym_open(w, c):
    uid, epoch, ctr = s.open_pseudonym(w.kf, c["class"], c["role"], hexed(c["f"]))
    assert (uid, epoch, ctr) == (int(c["uid"]), int(c["epoch"]), int(c["ctr"]))


def pseudonym(w, c):
    f = s.pseudonym(w.kf, c["class"], c["role"], int(c["uid"]), int(c["epoch"]), int(c["ctr"]))
    same(c, f=f.hex())
    pseudonym_open(w, c)


def issue(w, c):
    rec, d = s.issue(w.params, w.s, w.kf, c["class"], c["role"], int(c["from"]), int(c["to"]), int(c["uid"]),
                     int(c["ctr"]), hexed(c["X"]), hexed(c["rand"]))
    same(c, rec=rec.rec.hex(), d=s.enc_scalar(d).hex())


def accept(w, c):
    key = s.accept(w.params, c["class"], c["role"], int(c["from"]), int(c["to"]), s.num(hexed(c["x"])),
                   s.Record(hexed(c["rec"])), hexed(c["d"]))
    same(c, sk=s.enc_scalar(key.sk).hex())


def sign(w, c):
    key = w.keys[c["record"]]
    same(c, sig=s.sign(c["label"], key.rid, key.nk, key.sk, hexed(c["m"]), hexed(c["rand"])).hex())
    s.verify(w.params, c["label"], key.rec, hexed(c["m"]), hexed(c["sig"]))


def verify_sig(w, c):
    rec = s.Record(hexed(c["rec"])) if c.get("rec") else w.records[c["record"]]
    s.verify(w.params, c["label"], rec, hexed(c["m"]), hexed(c["sig"]))


def made(w, m):
    to = [(s.Record(hexed(i["rec"])) if "rec" in i else w.records[i["record"]], hexed(i["m"])) for i in m["to"]]
    sender, ticket = w.keys[m["sender"]], w.keys[m["ticket"]]
    return s.signcrypt(w.params, int(m["flow"]), int(m["created"]), int(m["ttl"]), sender, ticket, to,
                       hexed(m["rand"]), int(m.get("floor", 64)), int(m.get("pad_to", 0)))


def sigma(w, c):
    b = hexed(c["sigma"])
    if c.get("make"):
        assert made(w, c["make"]) == b, "make gives other bytes"
    seen = s.Sigma(w.params, b, int(c["now"]))
    same(c, ctx=seen.ctx.hex(), sigma_id=seen.id.hex(), nullifier=seen.nullifier.hex(), root=seen.root.hex())
    seen.look_up({hexed(n): hexed(i) for n, i in c.get("ledger", [])})


def opens(w, c):
    for i, o in enumerate(c.get("opens", [])):
        rec, pinned = w.records[o["record"]], o["pinned"]

        def run():
            seen = s.Sigma(w.params, hexed(c["sigma"]), int(o.get("now", c["now"])))
            if o.get("decap"):
                assert s.decapsulate(seen, w.keys[o["record"]]).hex() == o["k"], f"k of opening {i}"
            ledger = [(hexed(n), hexed(x)) for n, x in o.get("ledger", [])]
            opened = {(hexed(a), hexed(b)) for a, b in o.get("opened", [])}
            allowed = None if pinned == "any" else {hexed(rid) for rid in pinned}
            m, sender = s.open_entry(w.params, seen, rec, hexed(o["k"]), allowed, int(o.get("since", 0)), ledger,
                                     opened)
            same(o, m=m.hex(), sender=sender.hex())
        expect(run, o["expect"])


def release(w, c):
    cp = c["cp"] if len(c["cp"]) == 64 else w.records[c["cp"]].rid(w.params).hex()
    k = s.release(w.params, hexed(c["header"]), int(c["now"]), w.keys[c["record"]], int(c["since"]), cp,
                  c.get("answered", []))
    same(c, k=k.hex())


def vote(w, c):
    rec, body = w.records[c["record"]], hexed(c["body"])
    m = s.h64("vm", w.params.id, body)
    same(c, digest=m.hex())
    if c.get("rand"):
        key = w.keys[c["record"]]
        same(c, sig=s.sign("vote", key.rid, key.nk, key.sk, m, hexed(c["rand"])).hex())
    s.check_vote(w.params, rec, int(c["epoch"]), body, hexed(c["sig"]))


def complaint(w, c):
    seen = s.Sigma(w.params, hexed(c["sigma"]), int(c["now"]))
    if c.get("rand"):
        same(c, bytes=s.complain(seen, w.keys[c["record"]], hexed(c["rand"])).hex())
    rec, k = s.check_complaint(w.params, seen, hexed(c["bytes"]))
    same(c, k=k.hex())
    if c.get("finding"):
        pinned = {hexed(rid) for rid in c["pinned"]}
        expect(lambda: s.open_entry(w.params, seen, rec, k, pinned), c["finding"])


def kses(w, c):
    key = w.keys[c["record"]]
    same(c, kses=s.h32("kses", key.nk, hexed(c["plug"]), hexed(c["rand"])).hex())


def receipt(w, c):
    same(c, rc=s.receipt(hexed(c["k"]), hexed(c["sigma_id"]), int(c["status"])).hex())


def request(w, c):
    kgc = w.keys[w.kgc]
    if c.get("make"):
        how = c["make"]
        xs, signer = [s.num(hexed(x)) for x in how["x"]], w.keys.get(how.get("signer"))
        rand = hexed(how["rand_sig"]), hexed(how["rand_box"])
        made = messages.request(w.params, (kgc.rid, kgc.rec.pk(w.params)), how, xs, signer, *rand)
        assert made.hex() == c["wire"], "make gives other bytes"
    users = {int(u["uid"]): {"role": int(u["role"]), "code": hexed(u["code"]) if u.get("code") else None,
                             "recs": {hexed(rid) for rid in u["recs"]}} for u in c["register"]}
    desk = {"users": users, "keys": {hexed(x) for x in c["keys"]}, "gateways": {hexed(g) for g in c["gateways"]},
            "attached": {int(uid): int(time) for uid, time in c["attached"]},
            "answered": {hexed(inner) for inner in c.get("answered", [])}}
    uid, m, time, stored = messages.check_request(w.params, kgc, int(c["now"]), hexed(c["wire"]), desk)
    same(c, digest=m.hex())
    assert stored == c.get("stored", False), "stored answer"
    assert uid == int(c["uid"]) and (c.get("time") is None or time == int(c["time"])), "uid or time"


def answer(w, c):
    xs, m = [s.num(hexed(x)) for x in c["x"]], hexed(c["digest"])
    if c.get("make"):
        items = [(hexed(item["rec"]), hexed(item["d"])) for item in c["make"]["items"]]
        made = messages.answer(w.params, w.kf, m, (xs[0] * s.BASE).enc(), items, hexed(c["make"]["rand"]))
        assert made.hex() == c["wire"], "make gives other bytes"
    wanted = [int(c[name]) for name in ("class", "role", "from", "to")]
    keys = messages.read_answer(w.params, wanted, xs, m, hexed(c["wire"]))
    same(c, sk=[s.enc_scalar(key.sk).hex() for key in keys])


def list_(w, c):
    key = w.keys[w.kgc]
    if c.get("make"):
        records = [w.records[name].rec for name in c["make"]["records"]]
        made = messages.car_list(w.params, key, int(c["epoch"]), records, hexed(c["make"]["rand"]))
        assert made.hex() == c["bytes"], "make gives other bytes"
    epoch, count = messages.read_list(w.params, key.rec, hexed(c["bytes"]))
    same(c, epoch=epoch, count=count)


def box(w, c):
    key, purpose = w.keys[c["to"]], c["purpose"].encode()
    same(c, pt=messages.unbox(w.params, purpose, key, hexed(c["bytes"])).hex())
    if c.get("rand"):
        made = messages.box(w.params, purpose, key.rid, key.rec.pk(w.params), hexed(c["pt"]), hexed(c["secret"]),
                            hexed(c["rand"]))
        same(c, bytes=made.hex())


def frame(w, c):
    side = messages.Receiving(hexed(c["kses"]), int(c["dir"]), int(c["last"]))
    content = side.read(hexed(c["bytes"]))
    same(c, body=content.hex())
    assert side.last == int(c["ctr"]), "ctr"
    assert messages.frame(hexed(c["kses"]), int(c["dir"]), side.last, content).hex() == c["bytes"], "sealed otherwise"


def frames(w, c):
    side = messages.Receiving(hexed(c["kses"]), int(c["dir"]))
    for step in c["steps"]:
        expect(lambda: side.read(hexed(step["bytes"])), step["expect"])
        assert side.last == int(step["last"]), "last accepted counter"


def payload(w, c):
    flow, m = int(c["flow"]), hexed(c["m"])
    s.refuse_if(flow not in (4, 5, 6), "Payload")
    if flow == 4:
        got = messages.upload(w.params, m)
    elif flow == 5:
        got = messages.plug_in(w.params, m, c.get("plug"), int(c.get("now", 0)))
    else:
        got = messages.routing(m)
    for name, wanted in c.get("fields", {}).items():
        value = got.get(name)
        assert value == (int(wanted) if isinstance(value, int) else wanted), f"{name} is {value}"


def batch(w, c):
    now, all_ = int(c["now"]), [hexed(b) for b in c["sigmas"]]
    for b, each in zip(all_, c["each"], strict=True):
        expect(lambda: s.Sigma(w.params, b, now), each)
    heads = [b[:452] for b in all_]
    compare_batch(c, "batch-o", heads, [lambda b=b: messages.outer_terms(w.params, b) for b in heads])


def vote_batch(w, c):
    items, terms = [], []
    for v, each in zip(c["votes"], c["each"], strict=True):
        rec, m, sig = w.records[v["record"]], s.h64("vm", w.params.id, hexed(v["body"])), hexed(v["sig"])
        expect(lambda: s.verify(w.params, "vote", rec, m, sig), each)
        items.append(rec.rid(w.params) + sig + m)
        terms.append(lambda rec=rec, m=m, sig=sig: messages.vote_terms(w.params, rec, m, sig))
    compare_batch(c, "batch-v", items, terms)


def accept_batch(w, c):
    items, terms = [], []
    for item, each in zip(c["items"], c["each"], strict=True):
        rec, d = s.Record(hexed(item["rec"])), hexed(item["d"])
        terms.append(lambda rec=rec, d=d: messages.accept_terms(w.params, rec, d))
        items.append(rec.rec + d)
        expect(lambda: s.refuse_if(not messages.vanishes(terms[-1]()), "PartialKey"), each)
    compare_batch(c, "batch-d", items, terms)


def compare_batch(c, label, items, terms):
    same(c, weights=[weight.hex() for weight in messages.weights(label, items)])
    assert messages.batch(label, items, terms) == c["expect"], "batch result"


KINDS = {
    "hash": hash_, "merkle": merkle, "pseudonym": pseudonym, "pseudonym-open": pseudonym_open, "issue": issue,
    "accept": accept, "sign": sign, "verify-sig": verify_sig, "sigma": sigma, "release": release, "vote": vote,
    "complaint": complaint, "kses": kses, "receipt": receipt,
    "request": request, "answer": answer, "list": list_, "box": box, "frame": frame, "frames": frames,
    "payload": payload, "batch": batch, "vote-batch": vote_batch, "accept-batch": accept_batch,
    "point": lambda w, c: s.dec(hexed(c["bytes"])),
    "scalar": lambda w, c: s.scal(hexed(c["bytes"])),
    "aead": lambda w, c: same(c, ct=s.seal(hexed(c["key"]), hexed(c["pt"])).hex()),
    "bucket": lambda w, c: same(c, L=s.bucket(int(c["need"]))),
    "signcrypt": lambda w, c: made(w, c["make"]),
    "slice": lambda w, c: same(c, j=s.check_slice(w.params, hexed(c["bytes"]), int(c["now"]))),
}


def expect(run, wanted):
    try:
        run()
        got = "ok"
    except s.Refused as refused:
        got = str(refused)
    assert got == (wanted or "ok"), f"got {got}, expected {wanted}"


def check(paths):
    passed, failed = Counter(), 0
    for path in paths:
        with open(path, encoding="utf-8") as handle:
            file = json.load(handle)
        w = World(file)
        for c in file["cases"]:
            try:
                wanted = c.get("expect")  # of a batch true or false, which it looks at itself
                expect(lambda: KINDS[c["kind"]](w, c), "ok" if isinstance(wanted, bool) else wanted)
                opens(w, c)
                passed[c["kind"]] += 1
            except (AssertionError, KeyError) as why:
                failed += 1
                print(f"{path}, {c['kind']} {c['id']}: {why}")
    print(", ".join(f"{kind} {count}" for kind, count in sorted(passed.items())))
    print(f"vectors: {sum(passed.values())} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    words = sys.argv[1:]
    if len(words) == 3 and words[0] == "--make":
        good = make.make(int(words[1]), words[2])
    elif words and words[0] != "--make":
        good = check(words)
    else:
        sys.exit(__doc__)
    sys.exit(0 if good else 1)
