/*
 * HTTP/1 bytes of one connection against a whole gateway. The first byte says how the client
 * behaves: bit 0, it does not read; the rest, into pieces of how many bytes the input is cut (0: it
 * comes at once). Checked: what comes back begins as HTTP/1, whatever was sent, and the gateway
 * forgets the connection when it ends.
 */
#include <string.h>

#include "tests/fuzz/gateway.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_fuzz_gateway_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    uint8_t how = tw_fuzz_byte(&input);
    size_t piece = how >> 1 != 0 ? (size_t)(how >> 1) * 4 : input.left;
    tw_fuzz_peer_t peer;

    tw_fuzz_connect(&peer);
    peer.reads = (how & 1) == 0;
    while (input.left > 0) {
        tw_fuzz_text_t bytes = tw_fuzz_bytes(&input, piece);
        tw_fuzz_send(&peer, bytes.base, bytes.len);
        tw_fuzz_settle(&peer);
    }
    bool is_http2 = size > 4 && memcmp(data + 1, "PRI ", 4) == 0;
    if (peer.output_len > 0 && !is_http2)
        tw_check(peer.output_len > 9 && memcmp(peer.output, "HTTP/1.1 ", 9) == 0);
    tw_fuzz_disconnect(&peer);
    return 0;
}
