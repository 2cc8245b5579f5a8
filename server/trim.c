#include "server/trim.h"

#include <malloc.h>
#include <uv.h>

/* Measured: a TLS connection in its handshake, a stream that waits for events. */
#define CONNECTION_BYTES (45 << 10)
#define STREAM_BYTES 2600
#define GONE_BYTES_MIN (8 << 20)

/* Half of what peers held at most is gone, and it was much. */
static bool crowd_has_left(tw_trim_t *trim, const tw_load_t *load)
{
    uint64_t held_bytes =
        load->connections * CONNECTION_BYTES + load->streams * STREAM_BYTES + load->event_bytes;
    uint64_t gone_bytes = 0;

    if (held_bytes > trim->held_bytes_max)
        trim->held_bytes_max = held_bytes;
    else
        gone_bytes = trim->held_bytes_max - held_bytes;
    if (gone_bytes < GONE_BYTES_MIN || gone_bytes < held_bytes)
        return false;
    trim->held_bytes_max = held_bytes;
    return true;
}

/* Nothing is delivered, nothing grows, and there is a tenth more than a trim has left. */
static bool idle_and_fat(const tw_trim_t *trim, const tw_load_t *load)
{
    return load->deliveries == trim->last.deliveries &&
           load->resident_bytes <= trim->last.resident_bytes &&
           load->resident_bytes > trim->trimmed_bytes + trim->trimmed_bytes / 10;
}

bool tw_trim_look(tw_trim_t *trim, const tw_load_t *load)
{
    bool idle = idle_and_fat(trim, load);
    bool due = crowd_has_left(trim, load) || idle;
    size_t left_bytes = load->resident_bytes;

    trim->last = *load;
    if (!due)
        return false;
    malloc_trim(0);
    uv_resident_set_memory(&left_bytes);
    /* What a busy gateway still uses after a trim is no measure for when it is idle. */
    if (idle || left_bytes < trim->trimmed_bytes)
        trim->trimmed_bytes = left_bytes;
    return true;
}
