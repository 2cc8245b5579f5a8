"""A parser of event streams, as WHATWG HTML section 9.2.6 describes it."""

import codecs
import dataclasses


@dataclasses.dataclass(frozen=True)
class Event:
    id: str
    event: str
    data: str


class Parser:
    """Takes bytes in any portions; what they amount to is in its attributes."""

    def __init__(self):
        self.events = []
        self.comments = []
        self.retry_ms = None
        self.last_id = ""  # of the last block that has ended
        self._id = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._buffer = ""
        self._after_cr = False
        self._event = ""
        self._data = []

    def feed(self, data):
        self._buffer += self._decoder.decode(data)
        while True:
            if self._after_cr and self._buffer:
                self._after_cr = False
                if self._buffer[0] == "\n":
                    self._buffer = self._buffer[1:]
            ends = [at for at in (self._buffer.find("\n"), self._buffer.find("\r")) if at >= 0]
            if not ends:
                return
            end = min(ends)
            line, self._after_cr = self._buffer[:end], self._buffer[end] == "\r"
            self._buffer = self._buffer[end + 1:]
            self._line(line)

    def _line(self, line):
        if not line:
            self._dispatch()
            return
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if not field:
            self.comments.append(value)
        elif field == "event":
            self._event = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)

    def _dispatch(self):
        self.last_id = self._id
        if self._data:
            self.events.append(Event(self.last_id, self._event or "message", "\n".join(self._data)))
        self._event, self._data = "", []
