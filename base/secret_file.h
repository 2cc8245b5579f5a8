/**
 * Files that hold a secret, as platforms mount them: small, often with a line end behind it, and
 * replaced while the process runs. Any thread; reading blocks.
 *
 * Callers: everybody, at the start and on the control loop, where reading may block.
 */
#ifndef TW_BASE_SECRET_FILE_H
#define TW_BASE_SECRET_FILE_H

#include <stddef.h>

#include "base/text.h"

/**
 * Reads the file into the buffer of the caller. *secret is what it holds, without the white space
 * around it; a NUL follows it. Returns NULL, or in a few words why it has none: then *secret is
 * not set. The reason is constant, or valid until the next error of this thread.
 */
const char *tw_secret_file_read(const char *path, char *buffer, size_t size, tw_text_t *secret);

#endif
