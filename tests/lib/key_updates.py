"""A TLS 1.3 client that changes its keys as often as it likes (RFC 8446 4.6.3), which Python's ssl cannot."""

import ctypes

libssl = ctypes.CDLL("libssl.so.3")
libcrypto = ctypes.CDLL("libcrypto.so.3")
for function in (libssl.TLS_client_method, libssl.SSL_CTX_new, libssl.SSL_new, libcrypto.BIO_s_mem, libcrypto.BIO_new):
    function.restype = ctypes.c_void_p

NOT_REQUESTED, REQUESTED = 0, 1
RECORD_OCTETS = 27  # of a KeyUpdate
PIECE = 1 << 16


class KeyUpdates:
    """TLS over a connected socket, whose owner sends what `updates` and `written` return."""

    def __init__(self, sock, alpn=b"h2"):
        self.socket = sock
        context = libssl.SSL_CTX_new(ctypes.c_void_p(libssl.TLS_client_method()))
        self.ssl = ctypes.c_void_p(libssl.SSL_new(ctypes.c_void_p(context)))
        self.input, self.output = (ctypes.c_void_p(libcrypto.BIO_new(ctypes.c_void_p(libcrypto.BIO_s_mem())))
                                   for _ in range(2))
        libssl.SSL_set_bio(self.ssl, self.input, self.output)
        libssl.SSL_set_alpn_protos(self.ssl, bytes([len(alpn)]) + alpn, len(alpn) + 1)
        libssl.SSL_set_connect_state(self.ssl)
        while libssl.SSL_do_handshake(self.ssl) != 1:
            sock.sendall(self._pending())
            data = sock.recv(PIECE)
            assert data, "the handshake has failed"
            libcrypto.BIO_write(self.input, data, len(data))
        sock.sendall(self._pending())

    def _pending(self):
        data, size = b"", 1
        buffer = ctypes.create_string_buffer(PIECE)
        while size > 0:
            size = libcrypto.BIO_read(self.output, buffer, PIECE)
            data += buffer.raw[:max(size, 0)]
        return data

    def read(self, timeout):
        """The next data; empty at the end of the connection."""
        buffer = ctypes.create_string_buffer(PIECE)
        self.socket.settimeout(timeout)
        while (size := libssl.SSL_read(self.ssl, buffer, PIECE)) <= 0:
            try:
                data = self.socket.recv(PIECE)
            except ConnectionError:
                data = b""
            if not data:
                return b""
            libcrypto.BIO_write(self.input, data, len(data))
        return buffer.raw[:size]

    def written(self, data):
        """The records of some data."""
        assert libssl.SSL_write(self.ssl, data, len(data)) == len(data)
        return self._pending()

    def updates(self, count, kind=NOT_REQUESTED):
        """The records of so many changes of keys; with REQUESTED the peer has to change its own each time."""
        for _ in range(count):
            assert libssl.SSL_key_update(self.ssl, kind) == 1
            assert libssl.SSL_do_handshake(self.ssl) == 1
        return self._pending()
