#include "bench/load/h2_frame.h"

int load_h2_frame_strip(load_h2_frame_t *frame)
{
    uint32_t before = 0, after = 0;
    if (frame->flags & LOAD_H2_FLAG_PADDED) {
        if (frame->bytes < 1)
            return -1;
        before = 1;
        after = (uint8_t)frame->payload[0];
    }
    if (frame->type == LOAD_H2_HEADERS && frame->flags & LOAD_H2_FLAG_PRIORITY)
        before += 5;
    if (before + after > frame->bytes)
        return -1;
    frame->payload += before;
    frame->bytes -= before + after;
    return 0;
}
