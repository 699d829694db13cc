"""Numbers that stand for a text, compiled: BLAKE2b with a key (RFC 7693) for people, SipHash for events."""

from __future__ import annotations

from typing import Any

import numpy as np

from bihuan.epi.compiled import njit

_IV = np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179], np.uint64,
)  # fmt: skip
_SIGMA = np.array(
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
     [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
     [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
     [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
     [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
     [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
     [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
     [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
     [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
     [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0]], np.uint8,
)  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def _turn(x: Any, n: Any) -> Any:
    return (x >> np.uint64(n)) | (x << np.uint64(64 - n))


@njit(cache=True, nogil=True, inline="always")
def _mix(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + x
    d = _turn(d ^ a, 32)
    c = c + d
    b = _turn(b ^ c, 24)
    a = a + b + y
    d = _turn(d ^ a, 16)
    c = c + d
    b = _turn(b ^ c, 63)
    return a, b, c, d


@njit(cache=True, nogil=True)
def compress(h: Any, m: Any, count: int, last: bool, out: Any) -> None:
    """One block `m` (16 words) into the state `h`; the new state into `out`."""
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, va, vb = _IV[0], _IV[1], _IV[2], _IV[3]
    vc, vd, ve, vf = _IV[4] ^ np.uint64(count), _IV[5], _IV[6], _IV[7]
    if last:
        ve = ~ve
    for r in range(12):
        s = _SIGMA[r % 10]
        v0, v4, v8, vc = _mix(v0, v4, v8, vc, m[s[0]], m[s[1]])
        v1, v5, v9, vd = _mix(v1, v5, v9, vd, m[s[2]], m[s[3]])
        v2, v6, va, ve = _mix(v2, v6, va, ve, m[s[4]], m[s[5]])
        v3, v7, vb, vf = _mix(v3, v7, vb, vf, m[s[6]], m[s[7]])
        v0, v5, va, vf = _mix(v0, v5, va, vf, m[s[8]], m[s[9]])
        v1, v6, vb, vc = _mix(v1, v6, vb, vc, m[s[10]], m[s[11]])
        v2, v7, v8, vd = _mix(v2, v7, v8, vd, m[s[12]], m[s[13]])
        v3, v4, v9, ve = _mix(v3, v4, v9, ve, m[s[14]], m[s[15]])
    out[0] = h[0] ^ v0 ^ v8
    out[1] = h[1] ^ v1 ^ v9
    out[2] = h[2] ^ v2 ^ va
    out[3] = h[3] ^ v3 ^ vb
    out[4] = h[4] ^ v4 ^ vc
    out[5] = h[5] ^ v5 ^ vd
    out[6] = h[6] ^ v6 ^ ve
    out[7] = h[7] ^ v7 ^ vf


def state_of(key: bytes) -> Any:
    """The state after the block of the key, from which every number begins (digest of 8 bytes)."""
    h = _IV.copy()
    h[0] ^= np.uint64(0x01010000 ^ (len(key) << 8) ^ 8)
    block = np.frombuffer(key.ljust(128, b"\0"), "<u8").astype(np.uint64)
    out = np.empty(8, np.uint64)
    compress(h, block, 128, False, out)
    return out


@njit(cache=True, nogil=True)
def number_of(state: Any, data: Any, a: int, b: int, m: Any, out: Any) -> Any:
    """Keyed number of 1 to 128 bytes, ASCII letters as capitals."""
    m[:] = np.uint64(0)
    word, shift, n = np.uint64(0), np.uint64(0), 0
    for i in range(a, b):
        byte = data[i]
        if 97 <= byte <= 122:
            byte -= np.uint8(32)
        word |= np.uint64(byte) << shift
        shift += np.uint64(8)
        if shift == np.uint64(64):
            m[n] = word
            word, shift, n = np.uint64(0), np.uint64(0), n + 1
    if shift:
        m[n] = word
    compress(state, m, 128 + b - a, True, out)
    return max(out[0], np.uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _sip(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 = v0 + v1
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 = v2 + v3
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 = v0 + v3
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 = v2 + v1
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@njit(cache=True, nogil=True)
def sip_hash(key: Any, data: Any, a: int, b: int) -> Any:
    """SipHash-2-4 (Aumasson and Bernstein 2012) of data[a:b] under two 64-bit words."""
    v0, v1 = key[0] ^ np.uint64(0x736F6D6570736575), key[1] ^ np.uint64(0x646F72616E646F6D)
    v2, v3 = key[0] ^ np.uint64(0x6C7967656E657261), key[1] ^ np.uint64(0x7465646279746573)
    word, shift = np.uint64(0), np.uint64(0)
    for i in range(a, b):
        word |= np.uint64(data[i]) << shift
        shift += np.uint64(8)
        if shift == np.uint64(64):
            v3 ^= word
            v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
            v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
            v0 ^= word
            word, shift = np.uint64(0), np.uint64(0)
    word |= np.uint64((b - a) & 255) << np.uint64(56)
    v3 ^= word
    v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= np.uint64(255)
    for _round in range(4):
        v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3
