"""The scheme a second time, from CLMMSC.md alone (section numbers are its)."""

import hashlib
from group import BASE, Q, decode
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


class Refused(Exception):
    """With the error name of section 18."""


def refuse_if(condition, name):
    if condition:
        raise Refused(name)


def u8(x):
    return x.to_bytes(1, "little")


def u32(x):
    return x.to_bytes(4, "little")


def u64(x):
    return x.to_bytes(8, "little")


def num(b):
    return int.from_bytes(b, "little")


# ---- 2 hashing, AEAD, signatures

def lp(b):
    return u32(len(b)) + b


def h64(label, *parts):
    return hashlib.sha512(lp(b"CLMMSC1") + lp(label.encode()) + u32(len(parts)) + b"".join(map(lp, parts))).digest()


def h32(label, *parts):
    return h64(label, *parts)[:32]


def h16(label, *parts):
    return h64(label, *parts)[:16]


def hs(label, *parts):
    return num(h64(label, *parts)) % Q


def dec(b):
    point = decode(b)
    refuse_if(point is None or b == bytes(32), "PointEncoding")
    return point


def scal(b):
    refuse_if(not 0 < num(b) < Q, "ScalarEncoding")
    return num(b)


def enc_scalar(x):
    return (x % Q).to_bytes(32, "little")


def seal(key, plain):
    return ChaCha20Poly1305(key).encrypt(bytes(12), plain, None)


def unseal(key, sealed, name):
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), sealed, None)
    except InvalidTag:
        raise Refused(name) from None


def sign(name, rid, nk, sk, m, rand):
    n = hs("nonce", nk, name.encode(), rid, m, rand)
    commitment = (n * BASE).enc()
    e = hs("chal", name.encode(), rid, commitment, m)
    return commitment + enc_scalar(n + e * sk)


def verify(params, name, rec, m, sig):
    x, r = dec(rec.x), dec(rec.r)
    z = scal(sig[32:])
    e = hs("chal", name.encode(), rec.rid(params), sig[:32], m)
    n = z * BASE - e * r - (e * rec.h(params)) * params.ppub - (e * rec.g(params)) * x
    refuse_if(n.enc() == bytes(32) or n.enc() != sig[:32], "Signature")


# ---- 3 parameters, records, pseudonyms, keys

KGC, CSC, CSS, CP, EV = range(1, 6)
ID, TK, SS = range(1, 4)


class Params:
    def __init__(self, net, ppub, epoch_len, skew, ttl_max, max_bytes):
        self.ppub = dec(ppub)
        self.epoch_len, self.skew, self.ttl_max, self.max_bytes = epoch_len, skew, ttl_max, max_bytes
        policy = u32(epoch_len) + u32(skew) + u32(ttl_max) + u64(max_bytes)
        self.id = h32("params", b"\x01", net.encode(), ppub, policy)

    def epoch(self, t):
        return t // self.epoch_len


class Record:
    def __init__(self, rec):
        self.rec = rec
        self.cls, self.role = rec[0], rec[1]
        self.start, self.end = num(rec[2:6]), num(rec[6:10])
        self.f, self.x, self.r = rec[10:42], rec[42:74], rec[74:106]

    def h(self, params):
        return hs("h", params.id, self.rec)

    def g(self, params):
        return hs("g", params.id, self.rec)

    def rid(self, params):
        return h32("rid", params.id, self.rec)

    def pk(self, params):
        key = dec(self.r) + self.h(params) * params.ppub + self.g(params) * dec(self.x)
        refuse_if(key.enc() == bytes(32), "PointEncoding")
        return key

    def valid(self, epoch):
        return self.start <= epoch <= self.end

    def receives(self, role):
        return self.role == role and (self.cls == ID or self.cls == SS and role == EV)


def pseudonym(kf, cls, role, uid, start, ctr):
    pt = u64(uid) + u32(start) + u32(ctr)
    t = h16("f-siv", kf, u8(cls) + u8(role), pt)
    return t + bytes(a ^ b for a, b in zip(pt, h16("f-str", kf, t)))


def open_pseudonym(kf, cls, role, f):
    pt = bytes(a ^ b for a, b in zip(f[16:], h16("f-str", kf, f[:16])))
    refuse_if(h16("f-siv", kf, u8(cls) + u8(role), pt) != f[:16], "Pseudonym")
    return num(pt[:8]), num(pt[8:12]), num(pt[12:])


def issue(params, s, kf, cls, role, start, end, uid, ctr, x, rand):
    dec(x)
    f = pseudonym(kf, cls, role, uid, start, ctr)
    r = hs("kgc-r", params.id, kf, enc_scalar(s), u8(cls) + u8(role), u32(start), u32(end), f, x, rand)
    rec = Record(u8(cls) + u8(role) + u32(start) + u32(end) + f + x + (r * BASE).enc())
    return rec, (r + rec.h(params) * s) % Q


class Key:
    def __init__(self, params, rec, x, d):
        self.rec, self.sk = rec, (d + rec.g(params) * x) % Q
        self.nk = h32("nk", enc_scalar(x), enc_scalar(d))
        self.rid = rec.rid(params)


def accept(params, cls, role, start, end, x, rec, d):
    wanted = (rec.cls, rec.role, rec.start, rec.end) == (cls, role, start, end)
    refuse_if(not wanted or rec.x != (x * BASE).enc(), "RecordMismatch")
    r, d = dec(rec.r), scal(d)
    key = Key(params, rec, x, d)
    refuse_if(d * BASE != r + rec.h(params) * params.ppub or key.sk == 0, "PartialKey")
    return key


# ---- 5 signcrypt, 6 wire

FLOWS = {1: (CSC, EV), 2: (CSC, CSS), 3: (CSS, CP), 4: (EV, CSC), 5: (EV, CP), 6: (CSC, KGC), 7: (CSC, CP)}
BUCKETS = sorted([64 << k for k in range(15)] + [96 << k for k in range(14)])


def root_of(hashes, node):
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:k], node), root_of(hashes[k:], node))


def siblings(hashes, j, node):
    """From the leaf to the root."""
    if len(hashes) == 1:
        return []
    k = 1 << (len(hashes) - 1).bit_length() - 1
    if j < k:
        return siblings(hashes[:k], j, node) + [root_of(hashes[k:], node)]
    return siblings(hashes[k:], j - k, node) + [root_of(hashes[:k], node)]


def node(left, right):
    return h32("node", left, right)


def leaf(ctx, j, entry):
    return h32("leaf", ctx, u32(j), entry)


def kem(ctx, rid, z):
    return h32("kem", ctx, rid, z.enc())


def entry_keys(k):
    o = h64("ek", k)
    return o[:16], o[16:48]


def bucket(need):
    return next((length for length in BUCKETS if length >= need), None)


def signcrypt(params, flow, created, ttl, sender, ticket, to, rand, floor=64, pad_to=0):
    """`to`: pairs of record and message."""
    bad = "SenderInput"
    refuse_if(flow not in FLOWS, bad)
    sr, rr = FLOWS[flow]
    epoch = params.epoch(created)
    refuse_if(epoch >= 2**32 or not 1 <= ttl <= params.ttl_max or not 1 <= len(to) <= 2**20, bad)
    refuse_if((sender.rec.cls, sender.rec.role) != (ID, sr) or not sender.rec.valid(epoch), bad)
    tk = ticket.rec
    refuse_if((tk.cls, tk.role, tk.start, tk.end) != (TK, sr, epoch, epoch), bad)
    refuse_if(any(not rec.receives(rr) or not rec.valid(epoch) for rec, _ in to), bad)
    refuse_if(len({rec.rec for rec, _ in to}) < len(to), bad)
    size = bucket(max(floor, 52 + max(len(m) for _, m in to)))
    n = max(len(to), pad_to)
    refuse_if(size is None or n > 2**20 or 452 + n * (32 + size) > params.max_bytes, bad)
    try:
        keys = [rec.pk(params) for rec, _ in to]
    except Refused:
        raise Refused(bad) from None
    head = b"CLM1" + bytes([1, 1, flow, 0]) + u32(epoch) + u64(created) + u32(ttl) + u32(n) + u32(size)
    parts = [part for rec, m in to for part in (rec.rid(params), m)]
    w = h64("eph", ticket.nk, rand, head, sender.rid, *parts)
    t, ks = hs("eph-t", w), h16("eph-k", w)
    head += (t * BASE).enc() + tk.rec
    ctx = h32("ctx", params.id, head)
    entries = []
    for (rec, m), key in zip(to, keys):
        tag, ke = entry_keys(kem(ctx, rec.rid(params), t * key))
        entries.append(tag + seal(ke, (ks + rec.f + u32(len(m)) + m).ljust(size, b"\0")))
    for j in range(len(to), n):
        blocks = (h64("eph-d", w, u32(j), u32(i)) for i in range((32 + size + 63) // 64))
        entries.append(b"".join(blocks)[:32 + size])
    entries.sort()
    refuse_if(any(a[:16] == b[:16] for a, b in zip(entries, entries[1:])), bad)
    root = root_of([leaf(ctx, j, entry) for j, entry in enumerate(entries)], node)
    alpha = sign("inner", sender.rid, sender.nk, sender.sk, h64("im", ctx, root), h32("eph-a", w))
    head += root + seal(h32("cap", ks, ctx), sender.rec.rec + alpha)
    bound = (ticket.sk + hs("bind", ctx) * t) % Q
    head += sign("outer", ticket.rid, ticket.nk, bound, h64("om", params.id, head), h32("eph-o", w))
    return head + b"".join(entries)


# ---- 7 public verification

class Sigma:
    def __init__(self, params, b, now, header_only=False):
        """V1 to V6."""
        refuse_if(len(b) < 452, "Length")
        refuse_if(b[:4] != b"CLM1", "Magic")
        refuse_if(b[4] != 1, "Version")
        refuse_if(b[5] != 1, "Suite")
        refuse_if(b[6] not in FLOWS, "Flow")
        refuse_if(b[7] != 0, "Flags")
        self.flow, self.epoch, self.created, self.ttl = b[6], num(b[8:12]), num(b[12:20]), num(b[20:24])
        self.n, self.size = num(b[24:28]), num(b[28:32])
        refuse_if(not 1 <= self.n <= 2**20, "Count")
        refuse_if(self.size not in BUCKETS, "Bucket")
        total = 452 + self.n * (32 + self.size)
        refuse_if(total > params.max_bytes or len(b) != (452 if header_only else total), "Length")
        tk = Record(b[64:170])
        refuse_if(tk.cls != TK, "TicketClass")
        refuse_if(tk.role != FLOWS[self.flow][0], "TicketRole")
        refuse_if(self.epoch != params.epoch(self.created), "EpochMismatch")
        refuse_if((tk.start, tk.end) != (self.epoch, self.epoch), "TicketValidity")
        refuse_if(not 1 <= self.ttl <= params.ttl_max, "Ttl")
        refuse_if(self.created > min(now + params.skew, 2**64 - 1), "NotYetValid")
        refuse_if(now > min(self.created + self.ttl, 2**64 - 1), "Expired")
        self.t, x, r = dec(b[32:64]), dec(tk.x), dec(tk.r)
        self.ctx = h32("ctx", params.id, b[:170])
        self.id = h32("sid", params.id, b[:388])
        self.nullifier = tk.rid(params)
        z = scal(b[420:452])
        e = hs("chal", b"outer", self.nullifier, b[388:420], h64("om", params.id, b[:388]))
        key = r + tk.h(params) * params.ppub + tk.g(params) * x + hs("bind", self.ctx) * self.t
        n = z * BASE - e * key
        refuse_if(n.enc() == bytes(32) or n.enc() != b[388:420], "Signature")
        self.root, self.capsule = b[170:202], b[202:388]
        if header_only:
            return
        step = 32 + self.size
        self.entries = [b[at:at + step] for at in range(452, total, step)]
        refuse_if(any(a[:16] >= c[:16] for a, c in zip(self.entries, self.entries[1:])), "TagOrder")
        self.leaves = [leaf(self.ctx, j, entry) for j, entry in enumerate(self.entries)]
        refuse_if(root_of(self.leaves, node) != self.root, "Root")

    def look_up(self, ledger):
        """V7."""
        if self.nullifier in ledger:
            raise Refused("Duplicate" if ledger[self.nullifier] == self.id else "TicketReuse")


# ---- 8 unsigncrypt

def check_receiver(params, sigma, rec, since):
    refuse_if(not rec.receives(FLOWS[sigma.flow][1]), "RecordRole")
    refuse_if(not rec.valid(sigma.epoch), "RecordValidity")
    refuse_if(sigma.created + params.skew < since, "Stale")


def decapsulate(sigma, key):
    return kem(sigma.ctx, key.rid, key.sk * sigma.t)


def release(params, header, now, key, since, pile, answered):
    """E1 to E5; `pile` and the pairs of σ_id and rid in `answered` in hex."""
    sigma = Sigma(params, header, now, header_only=True)
    check_receiver(params, sigma, key.rec, since)
    refuse_if(any(sid == sigma.id.hex() and rid != pile for sid, rid in answered), "Replay")
    return decapsulate(sigma, key)


def open_entry(params, sigma, rec, k, pinned, since=0, ledger=(), opened=()):
    """R1 (its look-up) to R10; `pinned` None: any. Gives message and rid of the sender."""
    try:
        sigma.look_up(dict(ledger))
    except Refused as refused:
        if str(refused) == "TicketReuse":
            raise
    check_receiver(params, sigma, rec, since)
    refuse_if((sigma.id, rec.rid(params)) in opened, "Replay")
    tag, ke = entry_keys(k)
    entry = next((entry for entry in sigma.entries if entry[:16] == tag), None)
    refuse_if(entry is None, "NotAReceiver")
    pt = unseal(ke, entry[16:], "EntryAuth")
    refuse_if(pt[16:48] != rec.f, "PseudonymMismatch")
    length = num(pt[48:52])
    refuse_if(length > sigma.size - 52 or any(pt[52 + length:]), "Padding")
    inside = unseal(h32("cap", pt[:16], sigma.ctx), sigma.capsule, "CapsuleAuth")
    sender, alpha = Record(inside[:106]), inside[106:]
    refuse_if((sender.cls, sender.role) != (ID, FLOWS[sigma.flow][0]), "SenderRole")
    refuse_if(not sender.valid(sigma.epoch), "SenderValidity")
    refuse_if(pinned is not None and sender.rid(params) not in pinned, "Unpinned")
    try:
        verify(params, "inner", sender, h64("im", sigma.ctx, sigma.root), alpha)
    except Refused:
        raise Refused("InnerSignature") from None
    return pt[52:52 + length], sender.rid(params)


# ---- 10 votes, 11 extensions

def check_vote(params, rec, epoch, body, sig):
    refuse_if((rec.cls, rec.role) != (ID, CSS) or not rec.valid(epoch), "VoteRecord")
    verify(params, "vote", rec, h64("vm", params.id, body), sig)


def complain(sigma, key, rand):
    z = key.sk * sigma.t
    a = hs("nonce", key.nk, b"dleq", key.rid, h64("dm", sigma.ctx, z.enc()), rand)
    c = hs("dleq", sigma.ctx, key.rid, z.enc(), (a * BASE).enc(), (a * sigma.t).enc())
    return b"CLC1" + key.rec.rec + z.enc() + enc_scalar(c) + enc_scalar(a + c * key.sk)


def check_complaint(params, sigma, b):
    """Record and k of a complaint that holds."""
    refuse_if(len(b) != 206, "Length")
    refuse_if(b[:4] != b"CLC1", "Magic")
    rec = Record(b[4:110])
    pk, z = rec.pk(params), dec(b[110:142])
    c, s = scal(b[142:174]), scal(b[174:206])
    rid = rec.rid(params)
    a1, a2 = s * BASE - c * pk, s * sigma.t - c * z
    refuse_if(hs("dleq", sigma.ctx, rid, z.enc(), a1.enc(), a2.enc()) != c, "Dleq")
    return rec, kem(sigma.ctx, rid, z)


def slice_of(b, sigma, j):
    path = b"".join(siblings(sigma.leaves, j, node))
    return b"CLP1" + b[:452] + u32(j) + sigma.entries[j] + path


def receipt(k, sigma_id, status):
    return h16("ack", k, sigma_id, u8(status))


def check_slice(params, b, now):
    """The index of a slice that holds."""
    refuse_if(len(b) < 460, "Length")
    refuse_if(b[:4] != b"CLP1", "Magic")
    sigma = Sigma(params, b[4:456], now, header_only=True)
    j, n = num(b[456:460]), sigma.n
    refuse_if(j >= n, "Path")
    sides, low, high = [], 0, n  # from the root down: is our half the left one
    while high - low > 1:
        k = 1 << (high - low - 1).bit_length() - 1
        sides.append(j < low + k)
        low, high = (low, low + k) if j < low + k else (low + k, high)
    refuse_if(len(b) != 460 + 32 + sigma.size + 32 * len(sides), "Length")
    at = 460 + 32 + sigma.size
    current = leaf(sigma.ctx, j, b[460:at])
    for left in reversed(sides):
        sibling, at = b[at:at + 32], at + 32
        current = node(current, sibling) if left else node(sibling, current)
    refuse_if(current != sigma.root, "Path")
    return j
