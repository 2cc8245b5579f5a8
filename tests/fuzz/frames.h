/**
 * HTTP/2 frames from a fuzzer's bytes. A frame is:
 *
 *     control  bits 0–3: type; 4: let the gateway work first; 5: the header tells another length
 *              (a byte that is added); 6: the length has two bytes; 7: no frame at all, the payload
 *              is sent as it is
 *     flags    one byte
 *     stream   one byte; 255: four bytes follow
 *     length   one byte, or two; then the payload
 *
 * Type 15 lets time pass instead, a tenth of a second for each of `flags`.
 */
#ifndef TW_FUZZ_FRAMES_H
#define TW_FUZZ_FRAMES_H

#include "tests/fuzz/gateway.h"
#include "tests/fuzz/input.h"

#define FRAME_HEAD 9

/** Sends the next frame. Returns how many octets it has. */
size_t tw_fuzz_send_frame(tw_fuzz_peer_t *peer, tw_fuzz_input_t *input);

#endif
