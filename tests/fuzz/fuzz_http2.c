/*
 * HTTP/2 frames of one connection against a whole gateway, after a valid preface. The input is a
 * series of frames (tests/fuzz/frames.h).
 *
 * The first byte of the input says whether the client reads (bit 0: it does not). Checked: what
 * comes back is frames of allowed sizes that begin with SETTINGS, and the gateway forgets the
 * connection when it ends.
 */
#include <string.h>

#include "tests/fuzz/frames.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

#define FRAME_MAX 16384
#define SETTINGS 4

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_fuzz_gateway_start();
    return 0;
}

/* Whole frames; the last one may be cut where the connection ended. */
static void check_frames(const tw_fuzz_peer_t *peer)
{
    const uint8_t *at = (const uint8_t *)peer->output;

    for (size_t left = peer->output_len; left >= FRAME_HEAD;) {
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        tw_check(len <= FRAME_MAX && at[3] <= 9);
        tw_check((at[5] & 0x80) == 0);
        tw_check(at != (const uint8_t *)peer->output || at[3] == SETTINGS);
        if (left < FRAME_HEAD + len)
            break;
        at += FRAME_HEAD + len;
        left -= FRAME_HEAD + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    tw_fuzz_input_t input = {data, size};
    tw_fuzz_peer_t peer;

    tw_fuzz_connect(&peer);
    peer.reads = (tw_fuzz_byte(&input) & 1) == 0;
    tw_fuzz_send(&peer, preface, sizeof(preface) - 1);
    while (input.left > 0 && !peer.closed)
        tw_fuzz_send_frame(&peer, &input);
    tw_fuzz_settle(&peer);
    check_frames(&peer);
    tw_fuzz_disconnect(&peer);
    return 0;
}
