#include "server/trim.h"

#include <malloc.h>
#include <stdlib.h>
#include <uv.h>

/* Measured: what a TLS connection in its handshake and an idle stream occupy. */
#define CONNECTION_BYTES (45 << 10)
#define STREAM_BYTES 2600
#define GONE_BYTES_MIN (8 << 20)
/* What may be resident without use: above what malloc keeps of an arena. */
#define WASTE_BYTES_MIN ((size_t)96 << 20)
#define ASK_EVERY 10

/* malloc checks whether it can shrink an arena only when a piece of at least 64 KiB is freed. */
#define LARGE_PIECE_BYTES (128 << 10)

static void keep_memory(int bytes_max, int pad_bytes)
{
    mallopt(M_TRIM_THRESHOLD, bytes_max);
    mallopt(M_TOP_PAD, pad_bytes);
}

/*
 * In every loop turn of a busy worker, output buffers grow to megabytes and are freed again. With
 * malloc's defaults each of them would be mapped and unmapped, which costs as much as the rest of a
 * delivery. So malloc keeps memory up to these bounds.
 */
void tw_trim_init(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    keep_memory(64 << 20, 1 << 20);
}

void tw_trim_thread(void)
{
    void *volatile piece = malloc(LARGE_PIECE_BYTES);
    free(piece);
}

/* Whether at least half of what peers have held at most is free again, and that is a lot. */
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

/* Whether most of what is resident is free, and that is a lot. Requests that were held and have
 * ended leave it so, while their connections stay. */
static bool is_wasted(const tw_load_t *load)
{
    return load->malloc_bytes > 0 && load->resident_bytes > 2 * load->malloc_bytes &&
           load->resident_bytes - load->malloc_bytes > WASTE_BYTES_MIN;
}

size_t tw_trim_malloc_bytes(tw_trim_t *trim, size_t resident_bytes)
{
    if (resident_bytes < WASTE_BYTES_MIN || ++trim->asked % ASK_EVERY != 0)
        return 0;
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static bool is_idle(const tw_trim_t *trim, const tw_load_t *load)
{
    return load->deliveries == trim->last.deliveries;
}

/* Whether nothing is delivered, memory does not grow, and a tenth more is in use than after the
 * last trim. */
static bool is_idle_and_large(const tw_trim_t *trim, const tw_load_t *load)
{
    return is_idle(trim, load) && load->resident_bytes <= trim->last.resident_bytes &&
           load->resident_bytes > trim->trimmed_bytes + trim->trimmed_bytes / 10;
}

static void run(tw_trim_t *trim, const tw_load_t *load)
{
    size_t left_bytes = load->resident_bytes;

    malloc_trim(0);
    uv_resident_set_memory(&left_bytes);
    /* What a busy gateway uses after a trim says nothing about an idle one. */
    if (is_idle(trim, load) || left_bytes < trim->trimmed_bytes)
        trim->trimmed_bytes = left_bytes;
    trim->worth_another = left_bytes < load->resident_bytes - load->resident_bytes / 20;
}

bool tw_trim_look(tw_trim_t *trim, const tw_load_t *load)
{
    bool due = !trim->due && (crowd_has_left(trim, load) || is_wasted(load) ||
                              is_idle_and_large(trim, load) || trim->worth_another);

    trim->worth_another = false;
    if (trim->due) {
        run(trim, load);
        tw_trim_init();
    }
    if (due)
        keep_memory(0, 0); /* until the threads have freed what they keep */
    trim->due = due;
    trim->last = *load;
    return due;
}
