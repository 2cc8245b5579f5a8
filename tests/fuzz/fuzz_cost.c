/*
 * What an octet costs the gateway: CPU time and memory that stays. Inputs that cost more than any
 * before are new features to the fuzzer, which so climbs towards the dearest one. The first byte
 * says which protocol follows: HTTP/2 frames (tests/fuzz/frames.h), which a frame of type 14
 * repeats (as often as its flags say), HTTP/1.1, or TLS records.
 *
 * Checked: nothing costs more than so much an octet, beyond what a connection may cost at once.
 * With TIDEWAY_FUZZ_COST=1 it says what each input costs.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/fuzz/frames.h"
#include "tests/support/check.h"

#define BUCKETS 1024 /* of each kind of cost: eight for each doubling */
/* What a connection may hold for itself: buffers, tables, a request for each of eight streams. */
#define HELD_FREE (512 * 1024)
#define HELD_AN_OCTET 64
/* Of a build with sanitizers. */
#define CPU_FREE_NS UINT64_C(200000000)
#define CPU_AN_OCTET_NS 50000
#define CONNECT_OCTETS 200 /* deemed to be sent by everybody: a connection has a price */
#define TRIES 3            /* other programs may disturb a measurement */

/* libFuzzer takes each of these that is set for a feature of the input. */
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t tw_fuzz_cost[2 * BUCKETS];

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
size_t __sanitizer_get_current_allocated_bytes(void);
#define ALLOCATED() __sanitizer_get_current_allocated_bytes()
#endif
#endif
#ifndef ALLOCATED
#define ALLOCATED() mallinfo2().uordblks
#endif

typedef struct tw_cost {
    uint64_t octets;
    uint64_t cpu_ns;
    int64_t held; /* bytes */
} tw_cost_t;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_fuzz_gateway_start();
    return 0;
}

static uint64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static size_t send_frames(tw_fuzz_peer_t *peer, tw_fuzz_input_t *input)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    size_t octets = CONNECT_OCTETS;
    tw_fuzz_input_t last = {0};

    tw_fuzz_send(peer, preface, sizeof(preface) - 1);
    while (input->left > 1 && !peer->closed) {
        uint8_t type = input->at[0] & 0x0f;
        if (type != 14) {
            if (type != 15) /* time passes for nothing, so it is not repeated */
                last = *input;
            octets += tw_fuzz_send_frame(peer, input);
            continue;
        }
        tw_fuzz_byte(input);
        for (uint8_t n = tw_fuzz_byte(input); n > 0 && !peer->closed; --n) {
            tw_fuzz_input_t again = last;
            octets += tw_fuzz_send_frame(peer, &again);
        }
    }
    return octets;
}

static tw_cost_t measure(tw_fuzz_input_t input)
{
    tw_fuzz_peer_t peer;
    tw_cost_t cost = {.held = -(int64_t)ALLOCATED(), .cpu_ns = cpu_ns()};
    uint8_t kind = tw_fuzz_byte(&input);

    if ((kind & 3) == 2)
        tw_fuzz_connect_tls(&peer);
    else
        tw_fuzz_connect(&peer);
    peer.reads = (kind & 4) == 0;
    if ((kind & 3) == 0) {
        cost.octets = send_frames(&peer, &input);
    } else {
        cost.octets = CONNECT_OCTETS + input.left;
        tw_fuzz_send(&peer, input.at, input.left);
    }
    tw_fuzz_settle(&peer);
    cost.cpu_ns = cpu_ns() - cost.cpu_ns;
    cost.held += (int64_t)ALLOCATED() - (int64_t)peer.output_capacity;
    tw_fuzz_disconnect(&peer);
    return cost;
}

/* The logarithm, in eighths of a doubling. */
static unsigned bucket(uint64_t value)
{
    unsigned log = value > 0 ? 63 - (unsigned)__builtin_clzll(value) : 0;
    unsigned eighth = log >= 3 ? (unsigned)(value >> (log - 3)) & 7 : 0;
    return (log * 8 + eighth) % BUCKETS;
}

static bool too_much(const tw_cost_t *cost)
{
    return cost->cpu_ns > CPU_FREE_NS + cost->octets * CPU_AN_OCTET_NS ||
           cost->held > (int64_t)(HELD_FREE + cost->octets * HELD_AN_OCTET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_cost_t cost = measure((tw_fuzz_input_t){data, size});

    for (int tries = 1; too_much(&cost) && tries < TRIES; ++tries)
        cost = measure((tw_fuzz_input_t){data, size});
    if (getenv("TIDEWAY_FUZZ_COST") != NULL)
        fprintf(stderr, "%" PRIu64 " octets: %" PRIu64 " ns and %" PRId64 " bytes for each\n",
                cost.octets, cost.cpu_ns / cost.octets, cost.held / (int64_t)cost.octets);
    tw_check(!too_much(&cost));
    tw_fuzz_cost[bucket(cost.cpu_ns / cost.octets)] = 1;
    if (cost.held > 0)
        tw_fuzz_cost[BUCKETS + bucket((uint64_t)cost.held * 16 / cost.octets)] = 1;
    return 0;
}
