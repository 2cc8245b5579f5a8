/**
 * The fuzzer's bytes, taken from the front piece by piece: numbers that steer a target, and texts.
 * What is missing at the end is zero or empty, so that every input means something.
 */
#ifndef TW_FUZZ_INPUT_H
#define TW_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** libFuzzer calls it once, before the first input, where a target has it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

typedef struct tw_fuzz_input {
    const uint8_t *at; /* borrowed */
    size_t left;
} tw_fuzz_input_t;

typedef struct tw_fuzz_text {
    const char *base; /* borrowed from the input; not NUL-terminated */
    size_t len;
} tw_fuzz_text_t;

static inline uint8_t tw_fuzz_byte(tw_fuzz_input_t *input)
{
    if (input->left == 0)
        return 0;
    --input->left;
    return *input->at++;
}

static inline uint16_t tw_fuzz_u16(tw_fuzz_input_t *input)
{
    uint16_t high = tw_fuzz_byte(input);
    return (uint16_t)(high << 8 | tw_fuzz_byte(input));
}

/** The next bytes, at most len of them. */
static inline tw_fuzz_text_t tw_fuzz_bytes(tw_fuzz_input_t *input, size_t len)
{
    tw_fuzz_text_t text = {(const char *)input->at, len < input->left ? len : input->left};
    input->at += text.len;
    input->left -= text.len;
    return text;
}

/** Everything up to the next `end` byte, which is taken too; without one, all that is left. */
static inline tw_fuzz_text_t tw_fuzz_until(tw_fuzz_input_t *input, char end)
{
    const uint8_t *found = input->left > 0 ? memchr(input->at, end, input->left) : NULL;
    tw_fuzz_text_t text =
        tw_fuzz_bytes(input, found != NULL ? (size_t)(found - input->at) : input->left);
    if (found != NULL)
        tw_fuzz_byte(input);
    return text;
}

#endif
