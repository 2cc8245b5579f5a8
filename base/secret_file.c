#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

const char *tw_secret_file_read(const char *path, char *buffer, size_t size, tw_text_t *secret)
{
    /* A pipe must not hold up the process. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && len < size && (got = read(fd, buffer + len, size - len)) > 0)
        len += (size_t)got;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return strerror(error);
    if (len == size)
        return "it is too large";
    *secret = tw_text_strip(tw_text(buffer, len));
    buffer[(size_t)(secret->base - buffer) + secret->len] = '\0';
    return secret->len == 0 ? "it is empty" : NULL;
}
