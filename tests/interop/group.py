"""ristretto255 (RFC 9496) on plain integers, for checking only: nothing here runs in constant time."""

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def odd(x):
    return x % P & 1


def sqrt_ratio(u, v):
    """(was it a square, the non-negative root of u/v or of i*u/v)"""
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    right, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return right or flipped, P - r if odd(r) else r


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]


class Point:
    """Extended coordinates of a representative."""

    def __init__(self, x, y, z, t):
        self.c = (x % P, y % P, z % P, t % P)

    def __add__(self, other):
        (x1, y1, z1, t1), (x2, y2, z2, t2) = self.c, other.c
        a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
        c, d = 2 * D * t1 * t2, 2 * z1 * z2
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f, g * h, f * g, e * h)

    def __neg__(self):
        x, y, z, t = self.c
        return Point(-x, y, z, -t)

    def __sub__(self, other):
        return self + -other

    def __rmul__(self, k):
        sum, k = ZERO, k % Q
        for bit in bin(k)[2:]:
            sum = sum + sum
            if bit == "1":
                sum = sum + self
        return sum

    def enc(self):
        x, y, z, t = self.c
        u1, u2 = (z + y) * (z - y) % P, x * y % P
        root = sqrt_ratio(1, u1 * u2 * u2)[1]
        d1, d2 = root * u1 % P, root * u2 % P
        inv = d1 * d2 * t % P
        if odd(t * inv):
            x, y, other = y * SQRT_M1 % P, x * SQRT_M1 % P, d1 * INVSQRT_A_MINUS_D % P
        else:
            other = d2
        if odd(x * inv):
            y = -y
        s = other * (z - y) % P
        return (P - s if odd(s) else s).to_bytes(32, "little")

    def __eq__(self, other):
        return self.enc() == other.enc()


ZERO = Point(0, 1, 1, 0)


def decode(b):
    """The point, or None."""
    s = int.from_bytes(b, "little")
    if s >= P or odd(s):
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, root = sqrt_ratio(1, v * u2 * u2)
    dx = root * u2 % P
    x, y = 2 * s * dx % P, u1 * root * dx * v % P
    x = P - x if odd(x) else x
    t = x * y % P
    return Point(x, y, 1, t) if square and not odd(t) and y else None


BASE = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
