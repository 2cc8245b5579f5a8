#include "base/mailbox.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* A burst's buffer is not kept for ever. */
#define KEEP_CAPACITY 65536

static void on_wake(uv_async_t *wake)
{
    tw_mailbox_run(wake->data);
}

void tw_mailbox_init(tw_mailbox_t *mailbox, uv_loop_t *loop, void *owner,
                     void (*on_batch)(void *owner))
{
    *mailbox = (tw_mailbox_t){.owner = owner, .on_batch = on_batch};
    pthread_mutex_init(&mailbox->lock, NULL);
    int error = uv_async_init(loop, &mailbox->wake, on_wake);
    assert(error == 0);
    (void)error;
    mailbox->wake.data = mailbox;
}

void tw_mailbox_post(tw_mailbox_t *mailbox, tw_mailbox_fn run, void *data)
{
    pthread_mutex_lock(&mailbox->lock);
    tw_call_batch_t *batch = &mailbox->posted;
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        batch->calls = tw_realloc(batch->calls, batch->capacity * sizeof(*batch->calls));
    }
    batch->calls[batch->count++] = (tw_call_t){.run = run, .data = data};
    /* Under the lock: the call may be the one that closes the mailbox and ends its loop, so it must
     * not run while its post still touches them. */
    if (batch->count == 1)
        uv_async_send(&mailbox->wake);
    pthread_mutex_unlock(&mailbox->lock);
}

void tw_mailbox_run(tw_mailbox_t *mailbox)
{
    if (mailbox->running.capacity > KEEP_CAPACITY) {
        free(mailbox->running.calls);
        mailbox->running = (tw_call_batch_t){0};
    }
    pthread_mutex_lock(&mailbox->lock);
    tw_call_batch_t batch = mailbox->posted;
    mailbox->posted = mailbox->running;
    mailbox->posted.count = 0;
    pthread_mutex_unlock(&mailbox->lock);

    /* A call may run the mailbox again (the end of a worker does), so `running` must not be this
     * batch meanwhile. */
    mailbox->running = (tw_call_batch_t){0};
    for (size_t i = 0; i < batch.count; ++i)
        batch.calls[i].run(mailbox->owner, batch.calls[i].data);
    free(mailbox->running.calls);
    batch.count = 0;
    mailbox->running = batch;
    if (mailbox->on_batch != NULL)
        mailbox->on_batch(mailbox->owner);
}

void tw_mailbox_close(tw_mailbox_t *mailbox)
{
    uv_close((uv_handle_t *)&mailbox->wake, NULL);
}

void tw_mailbox_dispose(tw_mailbox_t *mailbox)
{
    free(mailbox->posted.calls);
    free(mailbox->running.calls);
    pthread_mutex_destroy(&mailbox->lock);
}
