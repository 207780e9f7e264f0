"""Makes vectors for the first implementation."""

import json
import random
import messages
import scheme as s

CREATED, NOW, TTL = 1_760_000_000, 1_760_000_007, 60
EPOCH = CREATED // 3600


def outcome(run):
    """What the second implementation says."""
    try:
        run()
        return "ok"
    except s.Refused as refused:
        return str(refused)


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.s, self.kf = self.scalar(), self.rng.randbytes(32)
        self.params = s.Params("interop", (self.s * s.BASE).enc(), 3600, 30, 600, 1 << 26)
        self.records, self.keys, self.cases = {}, {}, []
        self.roles = {role: [name] for role, name in enumerate(("kgc", "csc", "css", "cp"), 1)}
        self.roles[s.EV] = [f"ev{i}" for i in range(40)]
        for role, names in self.roles.items():
            for name in names:
                self.person(name, s.ID, role)

    def scalar(self):
        return self.rng.randrange(1, s.Q)

    def bent(self, b, low=0):
        """With one bit turned, at or after `low`."""
        b = bytearray(b)
        b[self.rng.randrange(low, len(b))] ^= 1 << self.rng.randrange(8)
        return bytes(b)

    def add(self, kind, **fields):
        text = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
        self.cases.append({"kind": kind, **text})

    def person(self, name, cls, role):
        x, uid, rand = self.scalar(), len(self.records), self.rng.randbytes(32)
        public = (x * s.BASE).enc()
        rec, d = s.issue(self.params, self.s, self.kf, cls, role, EPOCH, EPOCH, uid, 0, public, rand)
        key = self.keys[name] = s.accept(self.params, cls, role, EPOCH, EPOCH, x, rec, s.enc_scalar(d))
        values = {"rid": key.rid, "h": s.enc_scalar(rec.h(self.params)), "g": s.enc_scalar(rec.g(self.params)),
                  "pk": rec.pk(self.params).enc(), "x": s.enc_scalar(x), "d": s.enc_scalar(d),
                  "sk": s.enc_scalar(key.sk)}
        self.records[name] = {"rec": rec.rec.hex(), "uid": str(uid), "ctr": 0,
                              **{n: b.hex() for n, b in values.items()}}
        self.add("issue", **{"class": cls, "from": EPOCH}, role=role, to=EPOCH, uid=str(uid), ctr=0, X=public,
                 rand=rand, rec=rec.rec, d=s.enc_scalar(d))
        return key

    # ---- ciphertexts

    def ciphertexts(self):
        for flow, (sr, rr) in s.FLOWS.items():
            for pad in (0, 6):
                names = self.rng.sample(self.roles[rr], min(len(self.roles[rr]), self.rng.randrange(1, 41)))
                sizes = [self.rng.choice((0, 12, 13, 44, 45, 200)) for _ in names]
                to = [(name, self.rng.randbytes(size)) for name, size in zip(names, sizes)]
                self.ciphertext(flow, self.roles[sr][0], to, pad)

    def sigma(self, flow, sender, to, pad):
        """A ciphertext and how it was made."""
        name, rand = f"ticket {len(self.records)}", self.rng.randbytes(32)
        ticket = self.person(name, s.TK, s.FLOWS[flow][0])
        how = {"flow": flow, "created": str(CREATED), "ttl": TTL, "sender": sender, "ticket": name,
               "rand": rand.hex(), "to": [{"record": n, "m": m.hex()} for n, m in to], "pad_to": pad}
        receivers = [(self.keys[name].rec, m) for name, m in to]
        return s.signcrypt(self.params, flow, CREATED, TTL, self.keys[sender], ticket, receivers, rand, 64, pad), how

    def ciphertext(self, flow, sender, to, pad):
        b, how = self.sigma(flow, sender, to, pad)
        seen, rid = s.Sigma(self.params, b, NOW), self.keys[sender].rid
        opened = [{"record": n, "k": s.decapsulate(seen, self.keys[n]).hex(), "decap": True, "pinned": "any",
                   "expect": "ok", "m": m.hex(), "sender": rid.hex()} for n, m in to]
        self.add("sigma", sigma=b, now=str(NOW), ledger=[], expect="ok", ctx=seen.ctx, sigma_id=seen.id,
                 nullifier=seen.nullifier, root=seen.root, make=how, opens=opened)
        for _ in range(8):
            bad = self.bent(b)
            wanted = outcome(lambda: s.Sigma(self.params, bad, NOW))
            self.add("sigma", sigma=bad, now=str(NOW), ledger=[], expect=wanted)
        name, rand = to[0][0], self.rng.randbytes(32)
        self.add("complaint", sigma=b, now=str(NOW), pinned=[rid.hex()], bytes=s.complain(seen, self.keys[name], rand),
                 expect="ok", k=opened[0]["k"], finding="ok", record=name, rand=rand)
        self.slices(b, seen)
        self.release(b, name, opened[0]["k"])

    def slices(self, b, seen):
        j = self.rng.randrange(seen.n)
        good = s.slice_of(b, seen, j)
        beyond = good[:456] + s.u32(seen.n) + good[460:]
        for tried in [good, good[:-1], beyond] + [self.bent(good, 452) for _ in range(4)]:
            wanted = outcome(lambda: s.check_slice(self.params, tried, NOW))
            self.add("slice", bytes=tried, now=str(NOW), expect=wanted, **({"j": j} if wanted == "ok" else {}))

    def release(self, b, name, k):
        key, sid, pile = self.keys[name], s.h32("sid", self.params.id, b[:388]).hex(), self.keys["cp"].rid.hex()
        cases = [(name, b[:452], 0, []), (name, b[:452], 0, [[sid, pile]]), (name, b[:452], 0, [[sid, key.rid.hex()]]),
                 (name, b[:452], CREATED + 31, []), ("ticket 44", b[:452], 0, []), (name, self.bent(b[:452]), 0, [])]
        for who, header, since, answered in cases:
            run = lambda: s.release(self.params, header, NOW, self.keys[who], since, pile, answered)
            wanted = outcome(run)
            self.add("release", header=header, now=str(NOW), record=who, since=str(since), cp=pile, answered=answered,
                     expect=wanted, **({"k": k} if wanted == "ok" else {}))
        status = self.rng.randrange(256)
        rc = s.receipt(bytes.fromhex(k), bytes.fromhex(sid), status)
        self.add("receipt", k=k, sigma_id=sid, status=status, rc=rc)

    # ---- registration

    def registration(self):
        kgc = self.keys["kgc"]
        to_kgc, ev, css = (kgc.rid, kgc.rec.pk(self.params)), self.keys["ev0"], self.keys["css"].rid
        code, uid = self.rng.randbytes(32), int(self.records["ev0"]["uid"])
        users = [{"uid": "1000", "role": s.EV, "code": code.hex(), "recs": []},
                 {"uid": str(uid), "role": s.EV, "code": None, "recs": [ev.rid.hex()]}]
        desk = {"users": {1000: {"role": s.EV, "code": code, "recs": set()},
                          uid: {"role": s.EV, "code": None, "recs": {ev.rid}}},
                "keys": set(), "answered": set(), "gateways": {css}, "attached": {}}

        def case(wire, **more):
            wanted = outcome(lambda: messages.check_request(self.params, kgc, NOW, wire, desk))
            self.add("request", wire=wire, now=str(NOW), register=users, keys=[], attached=[], gateways=[css.hex()],
                     expect=wanted, **more)

        kinds = [(1, s.ID, 1000, {"code": code.hex()}, 1), (2, s.TK, uid, {"signer": "ev0"}, 3),
                 (2, s.SS, uid, {"signer": "ev0"}, 1),
                 (3, s.ID, uid, {"signer": "ev0", "css": css.hex(), "time": str(CREATED)}, 0)]
        for kind, cls, who, more, count in kinds:
            xs, rands = [self.scalar() for _ in range(count)], (self.rng.randbytes(32), self.rng.randbytes(32))
            how = {"kind": kind, "class": cls, "role": s.EV, "uid": str(who), "from": EPOCH, "to": EPOCH, **more,
                   "x": [s.enc_scalar(x).hex() for x in xs], "rand_sig": rands[0].hex(), "rand_box": rands[1].hex()}
            wire = messages.request(self.params, to_kgc, how, xs, ev, *rands)
            got = messages.check_request(self.params, kgc, NOW, wire, desk)
            time = {} if got[2] is None else {"time": str(got[2])}
            case(wire, uid=str(who), digest=got[1], make=how, **time)
            inner = messages.unbox(self.params, b"request", kgc, wire[4:])
            for _ in range(24):
                # Half of them inside a good box: what the box would hide.
                bad = self.bent(wire) if self.rng.randrange(4) == 0 else wire[:4] + messages.box(
                    self.params, b"request", *to_kgc, self.bent(inner), bytes(32), self.rng.randbytes(32))
                extra = {"uid": str(who)} if outcome(
                    lambda: messages.check_request(self.params, kgc, NOW, bad, desk)) == "ok" else {}
                case(bad, **extra)
            if kind == 2:
                self.answer(cls, uid, xs, got[1])
        self.lists()

    def answer(self, cls, uid, xs, m):
        items = []
        for ctr, x in enumerate(xs):
            rec, d = s.issue(self.params, self.s, self.kf, cls, s.EV, EPOCH, EPOCH, uid, ctr, (x * s.BASE).enc(),
                             self.rng.randbytes(32))
            items.append((rec.rec, s.enc_scalar(d)))
        wanted = (cls, s.EV, EPOCH, EPOCH)

        def case(items, bend):
            rand = self.rng.randbytes(32)
            wire = bend(messages.answer(self.params, self.kf, m, (xs[0] * s.BASE).enc(), items, rand))
            got = outcome(lambda: messages.read_answer(self.params, wanted, xs, m, wire))
            more = {}
            if got == "ok":
                keys = messages.read_answer(self.params, wanted, xs, m, wire)
                more = {"sk": [s.enc_scalar(key.sk).hex() for key in keys],
                        "make": {"rand": rand.hex(), "items": [{"rec": r.hex(), "d": d.hex()} for r, d in items]}}
            self.add("answer", **{"class": cls, "from": EPOCH}, role=s.EV, to=EPOCH,
                     x=[s.enc_scalar(x).hex() for x in xs], digest=m, wire=wire, expect=got, **more)

        case(items, lambda wire: wire)
        case(items, self.bent)
        case(items, lambda wire: wire[:-1])
        for at in range(len(items)):
            for part in range(2):
                bad = list(items)
                bad[at] = (self.bent(bad[at][0]), bad[at][1]) if part else (bad[at][0], self.bent(bad[at][1]))
                case(bad, lambda wire: wire)

    def lists(self):
        self.person("ss", s.SS, s.EV)
        kgc, csc = self.keys["kgc"], self.keys["csc"]
        for names in ([], ["ev1"], ["ev2", "ss", "ev3"]):
            rand = self.rng.randbytes(32)
            b = messages.car_list(self.params, kgc, EPOCH, [self.keys[n].rec.rec for n in names], rand)
            self.add("list", bytes=b, expect="ok", epoch=EPOCH, count=len(names),
                     make={"records": names, "rand": rand.hex()})
            for _ in range(12):
                bad = self.bent(b)
                self.add("list", bytes=bad, expect=outcome(lambda: messages.read_list(self.params, kgc.rec, bad)))
            secret, rand = self.rng.randbytes(32), self.rng.randbytes(32)
            sealed = messages.box(self.params, b"list", csc.rid, csc.rec.pk(self.params), b, secret, rand)
            self.add("box", purpose="list", to="csc", bytes=sealed, expect="ok", pt=b, secret=secret, rand=rand)
            for to, bad in (("css", sealed), ("csc", self.bent(sealed)), ("csc", sealed[:47])):
                wanted = outcome(lambda: messages.unbox(self.params, b"list", self.keys[to], bad))
                self.add("box", purpose="list", to=to, bytes=bad, expect=wanted)

    # ---- payloads and frames

    def payloads(self):
        rng, ss = self.rng, self.keys["ss"]
        numbers = s.u64(CREATED) + b"".join(s.u32(rng.randrange(10**6)) for _ in range(3)) + rng.randbytes(20)
        numbers += s.u32(rng.randrange(10**6)) + rng.randbytes(32)
        receipts = b"\x02\x00" + rng.randbytes(98)
        times = s.u64(CREATED) + s.u64(CREATED + 3600)
        lent = ss.rec.rec + s.enc_scalar(ss.sk)
        routes = b"".join(bytes([cls]) + rng.randbytes(32) for cls in (s.ID, s.SS, s.ID))
        good = [(4, b"\x01\x00" + numbers), (4, b"\x01\x09" + numbers + ss.rec.rec),
                (4, b"\x01\x02" + numbers + receipts), (4, b"\x01\x0b" + numbers + ss.rec.rec + receipts),
                (5, b"\x01\x01" + rng.randbytes(48) + times),
                (5, b"\x01\x02" + rng.randbytes(48) + times + lent),
                (6, b"\x01\x00\x01\x00\x02\x00" + s.u32(3) + rng.randbytes(32) + routes)]
        for flow, m in good:
            self.payload(flow, m)
            assert self.cases[-1]["expect"] == "ok"
            for bad in [self.bent(m[:10]) + m[10:] for _ in range(6)] + [self.bent(m, 10) for _ in range(6)]:
                self.payload(flow, bad)
            self.payload(flow, m[:-1])
            self.payload(flow, m + b"\0")
            if flow == 5:
                for now in (CREATED - 1, CREATED, CREATED + 3600, CREATED + 3601):
                    self.payload(flow, m, plug=m[34:50].hex(), now=str(now))
                self.payload(flow, m, plug=bytes(16).hex(), now=str(CREATED))

    def payload(self, flow, m, **case):
        read = {4: lambda: messages.upload(self.params, m), 6: lambda: messages.routing(m),
                5: lambda: messages.plug_in(self.params, m, case.get("plug"), int(case.get("now", 0)))}[flow]
        wanted = outcome(read)
        if wanted == "ok":
            case["fields"] = {name: str(value) if name in ("time", "energy_wh", "departure") else value
                              for name, value in read().items()}
        self.add("payload", flow=flow, m=m, expect=wanted, **case)

    def frames(self):
        rng = self.rng
        plug, rand = rng.randbytes(16), rng.randbytes(32)
        kses = s.h32("kses", self.keys["ev1"].nk, plug, rand)
        self.add("kses", record="ev1", plug=plug, rand=rand, kses=kses)
        bill = b"\x05" + s.u64(7) + b"\x01" + rng.randbytes(16) + b"EUR" + s.u32(3)
        bodies = {1: [b"\x01" + rng.randbytes(64), b"\x02" + rng.randbytes(32), b"\x04"],
                  2: [b"\x03" + rng.randbytes(452), b"\x04", bill]}
        for direction, contents in bodies.items():
            steps, side = [], messages.Receiving(kses, direction)
            for i, content in enumerate(contents):
                ctr = rng.choice((i, 2**40 + i, 2**64 - 3 + i))
                whole = messages.frame(kses, direction, ctr, content)
                self.add("frame", kses=kses, dir=direction, last=-1, bytes=whole, expect="ok", ctr=str(ctr),
                         body=content)
                wrong = [self.bent(whole), self.bent(whole, 9), whole[:-1], whole[:25],
                         messages.frame(kses, 3 - direction, ctr, content),
                         messages.frame(kses, direction, ctr, self.bent(content[:1]) + content[1:]),
                         messages.frame(kses, direction, ctr, content + b"\0"),
                         messages.frame(kses, direction, ctr, b""),
                         messages.frame(kses, direction, ctr, content[:9] + b"\x02" + content[10:])]
                for bad in wrong:
                    self.frame(kses, direction, ctr - 1, bad)
                self.frame(kses, direction, ctr, whole)
                for b in (whole, rng.choice(wrong)):
                    wanted = outcome(lambda: side.read(b))
                    steps.append({"bytes": b.hex(), "expect": wanted, "last": str(side.last)})
            self.add("frames", kses=kses, dir=direction, steps=steps)

    def frame(self, kses, direction, last, b):
        side, more = messages.Receiving(kses, direction, last), {}
        wanted = outcome(lambda: more.update(body=side.read(b).hex()))
        if wanted == "ok":
            more["ctr"] = str(side.last)
        self.add("frame", kses=kses, dir=direction, last=str(last), bytes=b, expect=wanted, **more)

    # ---- votes and batches

    def votes(self):
        items = []
        for length in (0, 7, 300, 131, 131):
            body, rand, key = self.rng.randbytes(length), self.rng.randbytes(32), self.keys["css"]
            m = s.h64("vm", self.params.id, body)
            sig = s.sign("vote", key.rid, key.nk, key.sk, m, rand)
            self.add("vote", record="css", epoch=EPOCH, body=body, digest=m, sig=sig, expect="ok", rand=rand)
            items.append((body, m, sig))
        cancelling = list(items)
        for at, change in ((1, 1), (3, -1)):
            body, m, sig = items[at]
            cancelling[at] = (body, m, sig[:32] + s.enc_scalar(s.num(sig[32:]) + change))
        bad_n = items[:2] + [(items[2][0], items[2][1], b"\xff" * 32 + items[2][2][32:])]
        for chosen in (items, items[:1], cancelling, bad_n):
            self.vote_batch(chosen)

    def vote_batch(self, items):
        key = self.keys["css"]
        each = [outcome(lambda: s.verify(self.params, "vote", key.rec, m, sig)) for _, m, sig in items]
        terms = [lambda m=m, sig=sig: messages.vote_terms(self.params, key.rec, m, sig) for _, m, sig in items]
        votes = [{"record": "css", "body": body.hex(), "sig": sig.hex()} for body, _, sig in items]
        self.batch("vote-batch", "batch-v", [key.rid + sig + m for _, m, sig in items], terms, votes=votes, each=each)

    def batches(self):
        made = [self.sigma(1, "csc", [("ev0", b"go"), ("ev1", b"stop")], 0)[0] for _ in range(4)]
        low = bytearray(made[1])
        low[420:452] = s.enc_scalar(s.num(made[1][420:452]) + 1)
        for chosen in (made, made[:1], [made[0], bytes(low), made[2]], [made[0], self.bent(made[1], 460)]):
            each = [outcome(lambda: s.Sigma(self.params, b, NOW)) for b in chosen]
            heads = [b[:452] for b in chosen]
            terms = [lambda b=b: messages.outer_terms(self.params, b) for b in heads]
            self.batch("batch", "batch-o", heads, terms, now=str(NOW), sigmas=[b.hex() for b in chosen], each=each)
        issued = [(key.rec, s.enc_scalar(key.sk - key.rec.g(self.params) * s.num(bytes.fromhex(self.records[n]["x"]))))
                  for n, key in list(self.keys.items())[:6]]
        altered = [(issued[0][0], self.bent(issued[0][1])), *issued[1:]]
        for chosen in (issued, issued[:1], altered):
            terms = [lambda r=r, d=d: messages.accept_terms(self.params, r, d) for r, d in chosen]
            each = [outcome(lambda: s.refuse_if(not messages.vanishes(one()), "PartialKey")) for one in terms]
            self.batch("accept-batch", "batch-d", [r.rec + d for r, d in chosen], terms, each=each,
                       items=[{"rec": r.rec.hex(), "d": d.hex()} for r, d in chosen])

    def batch(self, kind, label, parts, terms, **fields):
        weights = [weight.hex() for weight in messages.weights(label, parts)]
        self.add(kind, weights=weights, expect=messages.batch(label, parts, terms), **fields)

    def file(self):
        p = self.params
        sizes = {"epoch_len": p.epoch_len, "skew": p.skew, "ttl_max": p.ttl_max, "max_bytes": str(p.max_bytes)}
        return {"schema": "clmmsc-vectors/1", "title": "interop", "about": "made by tests/interop",
                "params": {"suite": 1, "net": "interop", **sizes, "ppub": p.ppub.enc().hex(), "params_id": p.id.hex()},
                "kgc": {"s": s.enc_scalar(self.s).hex(), "kf": self.kf.hex(), "id": "kgc"}, "records": self.records,
                "cases": [{"id": f"{i:03}", **case} for i, case in enumerate(self.cases)]}


def make(seed, path):
    maker = Maker(seed)
    for part in (maker.ciphertexts, maker.registration, maker.payloads, maker.frames, maker.votes, maker.batches):
        part()
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(maker.file(), handle)
    print(f"{len(maker.cases)} cases in {path}")
    return True
