"""What Redis is asked per message: two Lua scripts, their keys and arguments, and what their answers mean. Knows no connection.

A user's last messages are one packed string, the users of one text a sorted set by time; both carry the room in braces, so that a
cluster keeps them on one node, and both expire by themselves. Texts are told apart by a 96-bit hash. Of what users wrote only
pieces short enough to be joined are stored, and no longer than the window.
"""

from __future__ import annotations

import hashlib

import msgspec

from inference.text.conversation import MAX_SPOKEN, Said, Windows

MAX_REMEMBERED = 128
"""Messages of one user in one room that Redis remembers; repeats beyond them are not seen."""

MAX_UIDS = 10_000
"""Users of one text in one room that Redis remembers; the count stays there."""

_OBSERVE = """
local now = tonumber(ARGV[4])
if not now then
  local clock = redis.call('TIME')
  now = clock[1] * 1000000 + clock[2]
end
local uid, digest, piece = ARGV[1], ARGV[2], ARGV[3]
local packed = redis.call('GET', KEYS[1])
local said = packed and cmsgpack.unpack(packed) or {}
local n = #said
if n > 0 and said[n - 2] > now then now = said[n - 2] end
local kept, repeats, spoken, pieces = {}, 1, 1, {}
for i = math.max(1, n - 3 * REMEMBERED + 4), n, 3 do
  local at, text = said[i], said[i + 2]
  if at > now - SAID_US then
    if said[i + 1] == digest then repeats = repeats + 1 end
    if at > now - SPOKEN_US then
      spoken = spoken + 1
      if text ~= '' then pieces[#pieces + 1] = text end
    else
      text = ''
    end
    local m = #kept
    kept[m + 1], kept[m + 2], kept[m + 3] = at, said[i + 1], text
  end
end
local m = #kept
kept[m + 1], kept[m + 2], kept[m + 3] = now, digest, piece
redis.call('SET', KEYS[1], cmsgpack.pack(kept), 'PX', SAID_MS)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - SAID_US))
redis.call('ZADD', KEYS[2], string.format('%.0f', now), uid)
redis.call('PEXPIRE', KEYS[2], SAID_MS)
local similar = redis.call('ZCARD', KEYS[2])
if similar > UIDS then
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, similar - UIDS - 1)
  similar = UIDS
end
local earlier = {}
for i = math.max(1, #pieces - JOINED + 1), #pieces do earlier[#earlier + 1] = pieces[i] end
return cmsgpack.pack({repeats, similar, math.min(spoken, SPOKEN), earlier})
"""

_FORGET = """
local packed = redis.call('GET', KEYS[1])
if packed then
  local said = cmsgpack.unpack(packed)
  for i = 3, #said, 3 do said[i] = '' end
  redis.call('SET', KEYS[1], cmsgpack.pack(said), 'KEEPTTL')
end
return 0
"""

_REPLY = msgspec.msgpack.Decoder(tuple[int, int, int, tuple[str, ...]])


def command(*parts: bytes) -> bytes:
    """Write one Redis command as it goes over the wire; the client library's own writer takes ten times as long."""
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


class RoomScripts:
    """The two scripts for given windows, as commands."""

    def __init__(self, windows: Windows, *, prefix: str = "livewarden") -> None:
        numbers = {
            "SAID_US": round(windows.said_s * 1e6),
            "SAID_MS": max(1, -(-round(windows.said_s * 1e6) // 1000)),
            "SPOKEN_US": round(windows.spoken_s * 1e6),
            "REMEMBERED": MAX_REMEMBERED,
            "UIDS": MAX_UIDS,
            "JOINED": windows.n_joined,
            "SPOKEN": MAX_SPOKEN,
        }
        observe = _OBSERVE
        for name in sorted(numbers, key=len, reverse=True):
            observe = observe.replace(name, str(numbers[name]))
        self.sources = (observe.encode(), _FORGET.encode())
        """What must be loaded before a command is sent."""
        self._observe, self._forget = (hashlib.sha1(source, usedforsecurity=False).hexdigest().encode() for source in self.sources)
        self._windows = windows
        self._prefix = prefix.encode()

    def observe(self, room_id: str, uid: str, key: str, text: str, *, now_us: int | None) -> bytes:
        """Return the command that counts one message.

        Args:
            room_id: see `Conversation.observe`; so are the next three.
            uid: see there.
            key: see there.
            text: see there.
            now_us: microseconds that never go back; None asks the server's clock, the one that all replicas share.
        """
        room, user = self._room(room_id), _encoded(uid)
        digest = hashlib.blake2b(_encoded(key), digest_size=12).digest()
        piece = text.encode(errors="replace") if len(text) <= self._windows.piece_chars else b""
        now = b"" if now_us is None else b"%d" % now_us
        return command(b"EVALSHA", self._observe, b"2", room + b"u:" + user, room + b"t:" + digest, user, digest, piece, now)

    def forget(self, room_id: str, uid: str) -> bytes:
        """Return the command that keeps what this user has said from being joined."""
        return command(b"EVALSHA", self._forget, b"1", self._room(room_id) + b"u:" + _encoded(uid))

    def said(self, reply: bytes) -> Said:
        """Read the answer to `observe`."""
        repeat, similar, spoken, earlier = _REPLY.decode(reply)
        return Said(repeat, similar, spoken, self._windows.fit(earlier))

    def _room(self, room_id: str) -> bytes:
        """Return the common beginning of a room's keys; braces around it make a cluster keep them together."""
        tag = room_id.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        return self._prefix + b":{r" + _encoded(tag) + b"}:"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
