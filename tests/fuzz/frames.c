#include "tests/fuzz/frames.h"

#include "tests/fuzz/clock.h"

size_t tw_fuzz_send_frame(tw_fuzz_peer_t *peer, tw_fuzz_input_t *input)
{
    uint8_t control = tw_fuzz_byte(input), flags = tw_fuzz_byte(input);
    uint32_t stream;

    if ((control & 0x0f) == 15) {
        tw_fuzz_clock_advance((uint64_t)flags * 100);
        tw_fuzz_settle(peer);
        return 0;
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
    return ((control & 0x80) == 0 ? sizeof(head) : 0) + payload.len;
}
