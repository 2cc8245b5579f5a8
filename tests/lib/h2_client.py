"""An HTTP/2 client for tests, on python3-h2."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from lib.clients import Client, Exchange, client_tls


class H2Client(Client):
    """One HTTP/2 connection with any number of exchanges."""

    def __init__(self, address, context=None, tls=True, window=1 << 24, credit=True, **options):
        """`window`: what each stream may receive unacknowledged; `credit` False: no more than that."""
        if tls and context is None:
            context = client_tls()
        super().__init__(address, context if tls else None, **options)
        if tls:
            assert self.sock.selected_alpn_protocol() == "h2"
        self.credit = credit
        self.exchanges = {}
        self.goaway = None
        self._received = bytearray()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
            codes.INITIAL_WINDOW_SIZE: window, codes.ENABLE_PUSH: 0, codes.MAX_FRAME_SIZE: 16384,
            codes.MAX_HEADER_LIST_SIZE: 65536})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window((1 << 30) - 1)
        self.flush()
        self._settings_seen = False

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.send(data)

    def wait_settings(self):
        self.wait(lambda: self._settings_seen, "SETTINGS")
        return self.h2.remote_settings

    def start(self, method, path, headers=(), body=None, end=True):
        """`end` False leaves the request open: finish it with send_body()."""
        self.wait_settings()
        exchange = Exchange(self)
        exchange.stream_id = self.h2.get_next_available_stream_id()
        self.exchanges[exchange.stream_id] = exchange
        fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"),
                  (":path", path), *((name.lower(), value) for name, value in headers)]
        self.h2.send_headers(exchange.stream_id, fields, end_stream=end and not body)
        self.flush()
        if body:
            self.send_body(exchange, body, end)
        return exchange

    def send_body(self, exchange, body, end=True):
        """Sends as the windows allow; returns early when the server has ended or reset the stream."""
        body = memoryview(body.encode() if isinstance(body, str) else body)
        while True:
            if exchange.ended or exchange.reset is not None:
                return
            room = min(self.h2.local_flow_control_window(exchange.stream_id),
                       self.h2.max_outbound_frame_size, len(body))
            if room or not len(body):
                last = room == len(body)
                self.h2.send_data(exchange.stream_id, bytes(body[:room]), end_stream=end and last)
                self.flush()
                body = body[room:]
                if last:
                    return
                self.pump()
            else:
                self.wait(lambda: exchange.ended or exchange.reset is not None or
                          self.h2.local_flow_control_window(exchange.stream_id) > 0, "a window")

    def cancel(self, exchange):
        self.h2.reset_stream(exchange.stream_id, h2.errors.ErrorCodes.CANCEL)
        exchange.reset = h2.errors.ErrorCodes.CANCEL
        self.flush()

    def ping(self):
        """Sends a PING and waits for its answer: what was sent before has been handled."""
        self._pong = False
        self.h2.ping(b"tideway!")
        self.flush()
        self.wait(lambda: self._pong, "the PING's answer")

    def receive(self, data):
        self._received += data
        while len(self._received) >= 9:
            size = 9 + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            frame = bytes(self._received[:size])
            del self._received[:size]
            for event in self.h2.receive_data(frame):
                self._handle(event)
        self.flush()

    def _handle(self, event):
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            fields = dict(event.headers)
            exchange.on_headers(int(fields.pop(":status")), fields)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            exchange.interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            exchange.on_data(event.data)
            if self.credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.ended = True
        elif isinstance(event, h2.events.StreamReset):
            exchange.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
            # Streams go on after a GOAWAY (RFC 9113 section 6.8); python3-h2 takes it for the end.
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        elif isinstance(event, h2.events.PingAckReceived):
            self._pong = True
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self._settings_seen = True
