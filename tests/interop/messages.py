"""What goes beside ciphertexts, and batches, from CLMMSC.md alone (section numbers are its)."""

import scheme as s
from group import BASE, ZERO, decode
from scheme import CSC, CSS, EV, ID, KGC, SS, TK, dec, enc_scalar, h32, h64, hs, num, refuse_if, scal, u8, u32, u64


def check_format(cls, role, start, end):
    """The format rule of section 3.2."""
    refuse_if(cls not in (ID, TK, SS) or not KGC <= role <= EV or start > end, "RecordFormat")
    refuse_if(cls != ID and start != end, "RecordFormat")
    refuse_if(cls == TK and role not in (CSC, CSS, EV) or cls == SS and role != EV, "RecordFormat")


def check_record(rec):
    check_format(rec.cls, rec.role, rec.start, rec.end)


# ---- 3.5 box

def box(params, purpose, rid, pk, pt, secret, rand):
    eps = hs("box-e", secret, purpose, rid, rand, pt)
    e, z = eps * BASE, eps * pk
    return e.enc() + s.seal(h32("box", params.id, purpose, rid, e.enc(), z.enc()), pt)


def unbox(params, purpose, key, b):
    refuse_if(len(b) < 48, "Length")
    z = key.sk * dec(b[:32])
    return s.unseal(h32("box", params.id, purpose, key.rid, b[:32], z.enc()), b[32:], "SealAuth")


# ---- 3.6 requests and answers

def body(kind, cls, role, uid, start, end, rest, count):
    head = b"CLR1" + bytes([kind, cls, role, 0]) + u64(uid) + u32(start) + u32(end) + u32(count)
    return head + rest


def digest(params, b):
    return h64("regm", params.id, b)


def first_nk(x):
    return h32("nk", enc_scalar(x), bytes(32))


def prove_possession(params, x, m, rand):
    n = hs("nonce", first_nk(x), b"pop", params.id, m, rand)
    commitment = (n * BASE).enc()
    e = hs("pop", (x * BASE).enc(), commitment, m)
    return commitment + enc_scalar(n + e * x)


def signed(params, name, key, b, rand):
    return b + key.rec.rec + s.sign(name, key.rid, key.nk, key.sk, digest(params, b), rand)


def request(params, kgc, how, xs, signer, rand_sig, rand_box):
    """The wire of a request; `kgc` is rid and PK, `how` has the fields of a vector's `make`."""
    def number(name):
        return int(how[name])

    head = [number(name) for name in ("kind", "class", "role", "uid", "from", "to")]
    keys = b"".join((x * BASE).enc() for x in xs)
    if head[0] == 1:
        b = body(*head, keys, 1)
        inner = b + bytes.fromhex(how["code"]) + prove_possession(params, xs[0], digest(params, b), rand_sig)
        secret = first_nk(xs[0])
    elif head[0] == 2:
        inner, secret = signed(params, "keyreq", signer, body(*head, keys, len(xs)), rand_sig), signer.nk
    else:
        b = body(*head, bytes.fromhex(how["css"]) + u64(number("time")), 0)
        inner, secret = signed(params, "attach", signer, b, rand_sig), signer.nk
    return b"CLQ1" + box(params, b"request", *kgc, inner, secret, rand_box)


def check_request(params, kgc, now, wire, desk):
    """uid, M, time of an attach, whether the stored answer goes out; `desk` holds what the KGC remembers."""
    refuse_if(len(wire) < 52, "Length")
    refuse_if(wire[:4] != b"CLQ1", "Magic")
    b = unbox(params, b"request", kgc, wire[4:])
    refuse_if(len(b) < 28, "Length")
    refuse_if(b[:4] != b"CLR1", "Magic")
    kind, cls, role, zero = b[4:8]
    uid, start, end, count = num(b[8:16]), num(b[16:20]), num(b[20:24]), num(b[24:28])
    refuse_if(not 1 <= kind <= 3, "Kind")
    refuse_if(zero != 0, "Flags")
    check_format(cls, role, start, end)
    refuse_if(role == KGC or kind != 2 and cls != ID or kind == 3 and role != EV, "RecordFormat")
    refuse_if(not {1: count == 1, 2: 1 <= count <= 4096, 3: count == 0}[kind], "Count")
    size = 28 + (40 if kind == 3 else 32 * count)
    refuse_if(len(b) != size + (96 if kind == 1 else 170), "Length")
    m = digest(params, b[:size])
    if kind != 3:
        xs = [b[at:at + 32] for at in range(28, size, 32)]
        for x in xs:
            dec(x)
        if b in desk["answered"]:
            return uid, m, None, True
        refuse_if(len(set(xs)) < count or any(x in desk["keys"] for x in xs), "DuplicateKey")
    user, auth = desk["users"].get(uid), b[size:]
    if kind == 1:
        refuse_if(user is None or user["role"] != role or user["code"] != auth[:32], "Enrolment")
        check_possession(xs[0], m, auth[32:64], auth[64:])
        return uid, m, None, False
    rec = s.Record(auth[:106])
    known = user is not None and rec.rid(params) in user["recs"]
    right = (rec.cls, rec.role) == (ID, role) and rec.valid(params.epoch(now))
    refuse_if(not known or not right, "RequesterRecord")
    s.verify(params, "keyreq" if kind == 2 else "attach", rec, m, auth[106:])
    if kind == 2:
        return uid, m, None, False
    time = num(b[60:68])
    refuse_if(b[28:60] not in desk["gateways"], "Unpinned")
    refuse_if(now > time + params.ttl_max or time > now + params.skew, "Stale")
    refuse_if(uid in desk["attached"] and time <= desk["attached"][uid], "Replay")
    return uid, m, time, False


def check_possession(x, m, commitment, z):
    n = scal(z) * BASE - hs("pop", x, commitment, m) * dec(x)
    refuse_if(n.enc() == bytes(32) or n.enc() != commitment, "Signature")


def answer(params, kf, m, x1, items, rand):
    pt = b"".join(rec + d for rec, d in items)
    eps = hs("seal-e", kf, m, rand, pt)
    e, z = eps * BASE, eps * dec(x1)
    return b"CLA1" + e.enc() + s.seal(h32("seal", params.id, m, e.enc(), x1, z.enc()), pt)


def read_answer(params, wanted, xs, m, wire):
    """The keys of an answer; `wanted` is class, role, first and last epoch."""
    refuse_if(len(wire) != 52 + 138 * len(xs), "Length")
    refuse_if(wire[:4] != b"CLA1", "Magic")
    e, z = wire[4:36], xs[0] * dec(wire[4:36])
    pt = s.unseal(h32("seal", params.id, m, e, (xs[0] * BASE).enc(), z.enc()), wire[36:], "SealAuth")
    items = [pt[at:at + 138] for at in range(0, len(pt), 138)]
    return [s.accept(params, *wanted, x, s.Record(item[:106]), item[106:]) for x, item in zip(xs, items)]


# ---- 3.7 lists

def car_list(params, kgc, epoch, records, rand):
    b = b"CLL1" + u32(epoch) + u32(len(records)) + b"".join(records)
    return b + s.sign("list", kgc.rid, kgc.nk, kgc.sk, h64("lm", params.id, b), rand)


def read_list(params, kgc, b):
    refuse_if(len(b) < 76, "Length")
    refuse_if(b[:4] != b"CLL1", "Magic")
    epoch, count = num(b[4:8]), num(b[8:12])
    refuse_if(len(b) != 76 + 106 * count, "Length")
    records = [s.Record(b[at:at + 106]) for at in range(12, 12 + 106 * count, 106)]
    for rec in records:
        check_record(rec)
        refuse_if(rec.role != EV or rec.cls not in (ID, SS) or not rec.valid(epoch), "RecordFormat")
    s.verify(params, "list", kgc, h64("lm", params.id, b[:-64]), b[-64:])
    for rec in records:
        rec.pk(params)
    return epoch, count


# ---- 9.2 payloads

class Fields:
    """Reads from the front; what is missing or left over is `Payload`."""

    def __init__(self, b):
        self.b = b

    def take(self, count):
        refuse_if(len(self.b) < count, "Payload")
        taken, self.b = self.b[:count], self.b[count:]
        return taken

    def int(self, count):
        return num(self.take(count))

    def end(self):
        refuse_if(self.b, "Payload")


def session_record(params, b):
    rec = s.Record(b)
    try:
        check_record(rec)
        rec.pk(params)
    except s.Refused:
        raise s.Refused("Payload") from None
    refuse_if((rec.cls, rec.role) != (SS, EV), "Payload")
    return b.hex()


def upload(params, m):
    r = Fields(m)
    version, flags = r.int(1), r.int(1)
    refuse_if(version != 1 or flags & ~0b1011, "Payload")
    got = {"time": r.int(8), "soc_ppm": r.int(4), "capacity_wh": r.int(4), "max_power_w": r.int(4)}
    got["power_w"] = int.from_bytes(r.take(4), "little", signed=True)
    got |= {"energy_wh": r.int(8), "departure": r.int(8), "target_ppm": r.int(4), "pile": r.take(32).hex()}
    got["discharge"] = bool(flags & 8)
    refuse_if(max(got["soc_ppm"], got["target_ppm"]) > 10**6, "Payload")
    if flags & 1:
        got["ss"] = session_record(params, r.take(106))
    if flags & 2:
        count = r.int(2)
        refuse_if(count == 0, "Payload")
        got["receipts"] = [{"sigma_id": r.take(32).hex(), "status": r.int(1), "rc": r.take(16).hex()}
                           for _ in range(count)]
    r.end()
    return got


def plug_in(params, m, plug=None, now=0):
    r = Fields(m)
    version, mode = r.int(1), r.int(1)
    refuse_if(version != 1 or mode not in (1, 2), "Payload")
    got = {"mode": mode, "kses": r.take(32).hex(), "plug": r.take(16).hex(),
           "not_before": r.int(8), "not_after": r.int(8)}
    refuse_if(got["not_after"] < got["not_before"], "Payload")
    if mode == 2:
        got["ss"], sk = session_record(params, r.take(106)), r.take(32)
        refuse_if(not 0 < num(sk) < s.Q, "Payload")
        got["sk"] = sk.hex()
    r.end()
    if plug is not None:
        refuse_if(got["plug"] != plug, "PlugChallenge")
        refuse_if(now < got["not_before"], "NotYetValid")
        refuse_if(now > got["not_after"], "Expired")
    return got


def routing(m):
    r = Fields(m)
    version, zero, part, parts, count = r.int(1), r.int(1), r.int(2), r.int(2), r.int(4)
    refuse_if((version, zero) != (1, 0) or part >= parts or count == 0 or len(m) != 42 + 33 * count, "Payload")
    got = {"part": part, "parts": parts, "sigma_id": r.take(32).hex()}
    got["to"] = [{"class": r.int(1), "f": r.take(32).hex()} for _ in range(count)]
    refuse_if(any(one["class"] not in (ID, SS) for one in got["to"]), "Payload")
    return got


# ---- 9.3 frames

BODIES = {1: {1: 65, 2: 33, 4: 1}, 2: {3: 453, 4: 1, 5: 33}}  # by direction and type


def frame(kses, direction, ctr, content):
    key = h32("ses", kses, u8(direction), u64(ctr))
    return u8(direction) + u64(ctr) + s.seal(key, content)


class Receiving:
    """One side of a session that has accepted the counter `last`, or none (-1)."""

    def __init__(self, kses, direction, last=-1):
        self.kses, self.direction, self.last = kses, direction, last

    def read(self, b):
        refuse_if(len(b) < 26, "Length")
        refuse_if(b[0] != self.direction, "Kind")
        ctr = num(b[1:9])
        refuse_if(ctr <= self.last, "Replay")
        content = s.unseal(h32("ses", self.kses, b[:1], b[1:9]), b[9:], "FrameAuth")
        self.last = ctr
        refuse_if(not content or len(content) != BODIES[self.direction].get(content[0]), "Payload")
        refuse_if(content[0] == 5 and content[9] > 1, "Payload")
        return content


# ---- 3.4, 7.2, 10 batches

def weights(label, items):
    seed = h64(label, *items)
    return [s.h16("bw", seed, u32(j)) for j in range(len(items))]


def vanishes(pairs):
    total = ZERO
    for k, point in pairs:
        total = total + k * point
    return total.enc() == bytes(32)


def batch(label, items, terms):
    """Whether the weighted sum of every item's `terms()`, pairs of scalar and point, is O; None: it does not decode."""
    pairs = []
    for w, one in zip(weights(label, items), terms):
        try:
            pairs += [(num(w) * k, point) for k, point in one()]
        except s.Refused:
            return False
    return vanishes(pairs)


def accept_terms(params, rec, d):
    return [(scal(d), BASE), (-1, dec(rec.r)), (-rec.h(params), params.ppub)]


def nonce_point(b):
    """N may be any encoding of a group element but that of O, which no accepted signature has."""
    point = decode(b)
    refuse_if(point is None or b == bytes(32), "Signature")
    return point


def vote_terms(params, rec, m, sig):
    e = hs("chal", b"vote", rec.rid(params), sig[:32], m)
    return [(scal(sig[32:]), BASE), (-1, nonce_point(sig[:32])), (-e, rec.pk(params))]


def outer_terms(params, b):
    tk = s.Record(b[64:170])
    t, n, z = dec(b[32:64]), nonce_point(b[388:420]), scal(b[420:452])
    e = hs("chal", b"outer", tk.rid(params), b[388:420], h64("om", params.id, b[:388]))
    bind = hs("bind", h32("ctx", params.id, b[:170]))
    return [(z, BASE), (-1, n), (-e, dec(tk.r)), (-e * tk.h(params), params.ppub), (-e * tk.g(params), dec(tk.x)),
            (-e * bind, t)]
