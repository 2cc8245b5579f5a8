/*
 * HTTP/2 frames of one connection against a whole gateway, after a valid preface. The input is a
 * series of frames:
 *
 *     control  bits 0–3: type; 4: let the gateway work first; 5: the header tells another length (a
 * byte that is added); 6: the length has two bytes; 7: no frame at all, the payload is sent as it
 * is flags    one byte stream   one byte; 255: four bytes follow length   one byte, or two; then
 * the payload
 *
 * The first byte of the input says whether the client reads (bit 0: it does not). Checked: what
 * comes back is frames of allowed sizes that begin with SETTINGS, and the gateway forgets the
 * connection when it ends.
 */
#include <string.h>

#include "tests/fuzz/clock.h"
#include "tests/fuzz/gateway.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

#define FRAME_HEAD 9
#define FRAME_MAX 16384
#define SETTINGS 4

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_fuzz_gateway_start();
    return 0;
}

static void send_frame(tw_fuzz_peer_t *peer, tw_fuzz_input_t *input)
{
    uint8_t control = tw_fuzz_byte(input), flags = tw_fuzz_byte(input);
    uint32_t stream;

    if ((control & 0x0f) == 15) {
        tw_fuzz_clock_advance((uint64_t)flags * 100);
        tw_fuzz_settle(peer);
        return;
    }
    stream = tw_fuzz_byte(input);
    if (stream == 255)
        stream = (uint32_t)tw_fuzz_u16(input) << 16 | tw_fuzz_u16(input);
    size_t more = (control & 0x20) != 0 ? tw_fuzz_byte(input) : 0;
    size_t len = (control & 0x40) != 0 ? tw_fuzz_u16(input) : tw_fuzz_byte(input);
    tw_fuzz_text_t payload = tw_fuzz_bytes(input, len);
    size_t told = payload.len + more;
    const uint8_t head[FRAME_HEAD] = {(uint8_t)(told >> 16),
                                      (uint8_t)(told >> 8),
                                      (uint8_t)told,
                                      control & 0x0f,
                                      flags,
                                      (uint8_t)(stream >> 24),
                                      (uint8_t)(stream >> 16),
                                      (uint8_t)(stream >> 8),
                                      (uint8_t)stream};

    if ((control & 0x10) != 0)
        tw_fuzz_settle(peer);
    if ((control & 0x80) == 0)
        tw_fuzz_send(peer, head, sizeof(head));
    tw_fuzz_send(peer, payload.base, payload.len);
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
        send_frame(&peer, &input);
    tw_fuzz_settle(&peer);
    check_frames(&peer);
    tw_fuzz_disconnect(&peer);
    return 0;
}
