/** A uv loop for one test: runs until something holds, and proves at the end that everything on it
 * was closed. */
#ifndef TW_TEST_LOOP_H
#define TW_TEST_LOOP_H

#include <stdbool.h>
#include <uv.h>

void tw_test_loop_init(uv_loop_t *loop);

/** Runs the loop until `holds(data)`; fails the test after `deadline_ms`. */
void tw_test_loop_until(uv_loop_t *loop, bool (*holds)(void *data), void *data,
                        unsigned deadline_ms);

/** Runs the loop until *flag. */
void tw_test_loop_until_set(uv_loop_t *loop, const bool *flag, unsigned deadline_ms);

/** Runs what is left of the loop and closes it: fails the test when a handle is still open after
 * `deadline_ms`. */
void tw_test_loop_close(uv_loop_t *loop, unsigned deadline_ms);

#endif
