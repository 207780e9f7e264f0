#!/usr/bin/env python3
"""Checks vectors (CLMMSC.md section 19) with a second implementation, and makes some for the first one.

    python3 tests/interop/check.py FILE...             files of `voltcast vectors make`
    python3 tests/interop/check.py --make SEED FILE    for `voltcast vectors check`
"""

import json
import random
import sys
from collections import Counter
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
        self.records, self.keys = {}, {}
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
            m, sender = s.open_entry(w.params, seen, rec, hexed(o["k"]), allowed, int(o.get("since", 0)), ledger, opened)
            same(o, m=m.hex(), sender=sender.hex())
        expect(run, o["expect"])


def release(w, c):
    seen = s.Sigma(w.params, hexed(c["header"]), int(c["now"]), header_only=True)
    key = w.keys[c["record"]]
    s.check_receiver(w.params, seen, key.rec, int(c["since"]))
    cp = c["cp"] if len(c["cp"]) == 64 else w.records[c["cp"]].rid(w.params).hex()
    for sid, rid in c.get("answered", []):
        s.refuse_if(sid == seen.id.hex() and rid != cp, "Replay")
    same(c, k=s.decapsulate(seen, key).hex())


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
    same(c, rc=s.h16("ack", hexed(c["k"]), hexed(c["sigma_id"]), s.u8(int(c["status"]))).hex())


KINDS = {
    "hash": hash_, "merkle": merkle, "pseudonym": pseudonym, "pseudonym-open": pseudonym_open, "issue": issue,
    "accept": accept, "sign": sign, "verify-sig": verify_sig, "sigma": sigma, "release": release, "vote": vote,
    "complaint": complaint, "kses": kses, "receipt": receipt,
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
    passed, failed, others = Counter(), 0, Counter()
    for path in paths:
        with open(path, encoding="utf-8") as handle:
            file = json.load(handle)
        w = World(file)
        for c in file["cases"]:
            if c["kind"] not in KINDS:
                others[c["kind"]] += 1
                continue
            try:
                expect(lambda: KINDS[c["kind"]](w, c), c.get("expect"))
                opens(w, c)
                passed[c["kind"]] += 1
            except AssertionError as why:
                failed += 1
                print(f"{path}, {c['kind']} {c['id']}: {why}")
    print(", ".join(f"{kind} {count}" for kind, count in sorted(passed.items())))
    print(f"vectors: {sum(passed.values())} passed, {failed} failed; not looked at: {dict(others)}")
    return failed == 0


def make(seed, path):
    rng = random.Random(seed)
    now, epoch = 1_760_000_007, 1_760_000_000 // 3600
    msk, kf = rng.randrange(1, s.Q), rng.randbytes(32)
    ppub = (msk * s.BASE).enc()
    sizes = {"epoch_len": 3600, "skew": 30, "ttl_max": 600, "max_bytes": str(1 << 26)}
    params = s.Params("interop", ppub, 3600, 30, 600, 1 << 26)
    records, keys, cases = {}, {}, []

    def person(name, cls, role):
        x, uid, rand = rng.randrange(1, s.Q), len(records), rng.randbytes(32)
        public = (x * s.BASE).enc()
        rec, d = s.issue(params, msk, kf, cls, role, epoch, epoch, uid, 0, public, rand)
        key = keys[name] = s.accept(params, cls, role, epoch, epoch, x, rec, s.enc_scalar(d))
        values = {"rid": key.rid, "h": s.enc_scalar(rec.h(params)), "g": s.enc_scalar(rec.g(params)),
                  "pk": rec.pk(params).enc(), "x": s.enc_scalar(x), "d": s.enc_scalar(d), "sk": s.enc_scalar(key.sk)}
        records[name] = {"rec": rec.rec.hex(), "uid": str(uid), "ctr": 0, **{n: b.hex() for n, b in values.items()}}
        cases.append({"kind": "issue", "class": cls, "role": role, "from": epoch, "to": epoch, "uid": str(uid),
                      "ctr": 0, "X": public.hex(), "rand": rand.hex(), "rec": rec.rec.hex(), "d": s.enc_scalar(d).hex()})

    for role, name in enumerate(("kgc", "csc", "css", "cp"), 1):
        person(name, s.ID, role)
    for i in range(40):
        person(f"ev{i}", s.ID, s.EV)
    roles = {s.KGC: ["kgc"], s.CSC: ["csc"], s.CSS: ["css"], s.CP: ["cp"], s.EV: [f"ev{i}" for i in range(40)]}
    for flow, (sr, rr) in s.FLOWS.items():
        for pad in (0, 6):
            ticket = f"ticket {flow} {pad}"
            person(ticket, s.TK, sr)
            names = rng.sample(roles[rr], min(len(roles[rr]), rng.randrange(1, 41)))
            to = [(name, rng.randbytes(rng.choice((0, 12, 13, 44, 45, 200)))) for name in names]
            how = {"flow": flow, "created": "1760000000", "ttl": 60, "sender": roles[sr][0], "ticket": ticket,
                   "rand": rng.randbytes(32).hex(), "to": [{"record": n, "m": m.hex()} for n, m in to], "pad_to": pad}
            receivers = [(keys[name].rec, m) for name, m in to]
            b = s.signcrypt(params, flow, 1_760_000_000, 60, keys[roles[sr][0]], keys[ticket], receivers,
                            hexed(how["rand"]), 64, pad)
            seen = s.Sigma(params, b, now)
            opened = [{"record": n, "k": s.decapsulate(seen, keys[n]).hex(), "decap": True, "pinned": "any",
                       "expect": "ok", "m": m.hex(), "sender": keys[roles[sr][0]].rid.hex()} for n, m in to]
            cases.append({"kind": "sigma", "sigma": b.hex(), "now": str(now), "ledger": [], "expect": "ok",
                          "ctx": seen.ctx.hex(), "sigma_id": seen.id.hex(), "nullifier": seen.nullifier.hex(),
                          "root": seen.root.hex(), "make": how, "opens": opened})
            for _ in range(8):
                bad = bytearray(b)
                bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
                try:
                    s.Sigma(params, bytes(bad), now)
                    wanted = "ok"
                except s.Refused as refused:
                    wanted = str(refused)
                cases.append({"kind": "sigma", "sigma": bad.hex(), "now": str(now), "ledger": [], "expect": wanted})
            rand = rng.randbytes(32)
            cases.append({"kind": "complaint", "sigma": b.hex(), "now": str(now), "pinned": [opened[0]["sender"]],
                          "bytes": s.complain(seen, keys[names[0]], rand).hex(), "expect": "ok", "k": opened[0]["k"],
                          "finding": "ok", "record": names[0], "rand": rand.hex()})
    for body in (b"", b"prepare", rng.randbytes(300)):
        rand, key = rng.randbytes(32), keys["css"]
        m = s.h64("vm", params.id, body)
        cases.append({"kind": "vote", "record": "css", "epoch": epoch, "body": body.hex(), "digest": m.hex(),
                      "sig": s.sign("vote", key.rid, key.nk, key.sk, m, rand).hex(), "expect": "ok", "rand": rand.hex()})
    file = {"schema": "clmmsc-vectors/1", "title": "interop", "about": "made by tests/interop",
            "params": {"suite": 1, "net": "interop", **sizes, "ppub": ppub.hex(), "params_id": params.id.hex()},
            "kgc": {"s": s.enc_scalar(msk).hex(), "kf": kf.hex(), "id": "kgc"}, "records": records,
            "cases": [{"id": f"{i:03}", **case} for i, case in enumerate(cases)]}
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(file, handle)
    print(f"{len(cases)} cases in {path}")
    return True


if __name__ == "__main__":
    words = sys.argv[1:]
    if len(words) == 3 and words[0] == "--make":
        good = make(int(words[1]), words[2])
    elif words and words[0] != "--make":
        good = check(words)
    else:
        sys.exit(__doc__)
    sys.exit(0 if good else 1)
