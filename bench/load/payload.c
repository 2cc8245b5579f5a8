#include "bench/load/payload.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum { MARK_BYTES = sizeof(LOAD_PAYLOAD_MARK) - 1 };

/* Each octet of `x` holds a nibble: makes it the nibble's hexadecimal digit. */
static uint64_t nibbles_to_digits(uint64_t x)
{
    uint64_t above_nine = ((x + UINT64_C(0x0606060606060606)) >> 4) & UINT64_C(0x0101010101010101);
    return x + UINT64_C(0x3030303030303030) + above_nine * ('a' - '0' - 10);
}

/* Eight digits, most significant first, eight at a time in one register. */
static void write_hex32(char *text, uint32_t value)
{
    uint64_t x = be32toh(value);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 | x << 8) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = htole64(nibbles_to_digits(x));
    memcpy(text, &x, sizeof(x));
}

/* The reverse; what is not a digit gives some wrong value, which the checker then reports. */
static uint32_t read_hex32(const char *text)
{
    uint64_t x;
    memcpy(&x, text, sizeof(x));
    x = le64toh(x);
    uint64_t letters = x >> 6 & UINT64_C(0x0101010101010101);
    x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) + letters * 9;
    x = (x << 4 | x >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    return htobe32((uint32_t)(x | x >> 16));
}

/* Made once before main(), so that no thread ever sees half of it. */
static char filler[LOAD_PAYLOAD_BYTES_MAX];

__attribute__((constructor)) static void make_filler(void)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < sizeof(filler); i++)
        filler[i] = alphabet[i % (sizeof(alphabet) - 1)];
}

void load_payload_write(char *text, size_t bytes, const load_payload_t *payload)
{
    assert(bytes >= LOAD_PAYLOAD_BYTES_MIN && bytes <= LOAD_PAYLOAD_BYTES_MAX);
    assert(payload->topic < LOAD_PAYLOAD_TOPICS_MAX && payload->lane < LOAD_PAYLOAD_LANES_MAX);
    memcpy(text, LOAD_PAYLOAD_MARK, MARK_BYTES);
    write_hex32(text + MARK_BYTES, (uint32_t)(payload->time_ns >> 32));
    write_hex32(text + MARK_BYTES + 8, (uint32_t)payload->time_ns);
    write_hex32(text + MARK_BYTES + 16, payload->sequence);
    write_hex32(text + MARK_BYTES + 24, payload->topic << 8 | payload->lane);
    memcpy(text + LOAD_PAYLOAD_BYTES_MIN, filler, bytes - LOAD_PAYLOAD_BYTES_MIN);
}

int load_payload_read(const char *text, size_t bytes, load_payload_t *payload)
{
    if (bytes < LOAD_PAYLOAD_BYTES_MIN || bytes > LOAD_PAYLOAD_BYTES_MAX ||
        memcmp(text, LOAD_PAYLOAD_MARK, MARK_BYTES) != 0 ||
        memcmp(text + LOAD_PAYLOAD_BYTES_MIN, filler, bytes - LOAD_PAYLOAD_BYTES_MIN) != 0)
        return -1;
    payload->time_ns = (uint64_t)read_hex32(text + MARK_BYTES) << 32;
    payload->time_ns |= read_hex32(text + MARK_BYTES + 8);
    payload->sequence = read_hex32(text + MARK_BYTES + 16);
    uint32_t topic_lane = read_hex32(text + MARK_BYTES + 24);
    payload->topic = topic_lane >> 8;
    payload->lane = topic_lane & 0xff;
    return 0;
}
