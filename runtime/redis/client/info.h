/**
 * INFO: what a server tells about itself, and what of that endangers events.
 *
 * Any thread.
 *
 * What is written is the caller's, and so is `told`. Callers: runtime/redis/client/greeting.c,
 * runtime/redis/lane/session.c (tw_redis_risks_log(), on the control loop).
 */
#ifndef TW_REDIS_INFO_H
#define TW_REDIS_INFO_H

#include <stddef.h>
#include <stdint.h>

/** Copies the value of a line "name:value"; "" when there is no such line. */
void tw_redis_info_value(const char *info, const char *name, char *value, size_t size);

/** The risks that INFO tells of, a bit each: how the server is set up so that events can be lost.
 */
uint32_t tw_redis_info_risks(const char *info);

/** Logs one line for all of them when one is not in `*told` yet, and puts them there. */
void tw_redis_risks_log(uint32_t risks, uint32_t *told);

#endif
