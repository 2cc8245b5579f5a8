/* Channels: commands of publishing and subscribing. */
#include <stdlib.h>

#include "base/alloc.h"
#include "tests/simulation/redis/server_inside.h"

static void free_dict(void *value)
{
    tw_model_dict_clear(value, NULL);
    free(value);
}

static tw_model_dict_t *subscribers_of(tw_model_server_t *server, const tw_model_arg_t *channel)
{
    const tw_model_entry_t *entry =
        tw_model_dict_find(&server->channels, channel->base, channel->len);
    return entry != NULL ? entry->value : NULL;
}

void tw_model_publish(tw_model_call_t *call)
{
    const tw_model_arg_t *channel = &call->argv[1], *message = &call->argv[2];
    const tw_model_dict_t *subscribers = subscribers_of(call->server, channel);
    tw_model_buffer_t out = {0};

    if (subscribers == NULL) {
        tw_model_reply_integer(call->out, 0);
        return;
    }
    tw_model_reply_array(&out, 3);
    tw_model_reply_text(&out, "message");
    tw_model_reply_bulk(&out, channel->base, channel->len);
    tw_model_reply_bulk(&out, message->base, message->len);
    for (const tw_model_entry_t *entry = subscribers->first; entry != NULL; entry = entry->next)
        tw_model_session_write(entry->value, &out);
    tw_model_buffer_dispose(&out);
    tw_model_reply_integer(call->out, (int64_t)subscribers->used);
}

static void reply_change(tw_model_call_t *call, const char *kind, const tw_model_arg_t *channel)
{
    tw_model_reply_array(call->out, 3);
    tw_model_reply_text(call->out, kind);
    if (channel != NULL)
        tw_model_reply_bulk(call->out, channel->base, channel->len);
    else
        tw_model_reply_nil(call->out);
    tw_model_reply_integer(call->out, (int64_t)call->session->channels.used);
}

void tw_model_subscribe(tw_model_call_t *call)
{
    tw_model_session_t *session = call->session;
    tw_model_server_t *server = call->server;

    for (int i = 1; i < call->argc; ++i) {
        const tw_model_arg_t *channel = &call->argv[i];
        if (tw_model_dict_find(&session->channels, channel->base, channel->len) == NULL) {
            tw_model_dict_t *subscribers = subscribers_of(server, channel);
            if (subscribers == NULL) {
                subscribers = tw_alloc(sizeof(*subscribers));
                tw_model_dict_add(&server->channels, channel->base, channel->len)->value =
                    subscribers;
            }
            tw_model_dict_add(subscribers, (const char *)&session->id, sizeof(session->id))->value =
                session;
            tw_model_dict_add(&session->channels, channel->base, channel->len);
        }
        reply_change(call, "subscribe", channel);
    }
}

static void leave(tw_model_session_t *session, const tw_model_arg_t *channel)
{
    tw_model_server_t *server = session->server;
    tw_model_entry_t *ours = tw_model_dict_find(&session->channels, channel->base, channel->len);

    if (ours == NULL)
        return;
    tw_model_entry_t *theirs = tw_model_dict_find(&server->channels, channel->base, channel->len);
    tw_model_dict_t *subscribers = theirs->value;
    tw_model_dict_remove(subscribers, tw_model_dict_find(subscribers, (const char *)&session->id,
                                                         sizeof(session->id)));
    if (subscribers->used == 0) {
        free_dict(subscribers);
        tw_model_dict_remove(&server->channels, theirs);
    }
    tw_model_dict_remove(&session->channels, ours);
}

void tw_model_unsubscribe_all(tw_model_session_t *session)
{
    while (session->channels.used > 0) {
        const tw_model_entry_t *entry = session->channels.first;
        char *name = tw_strndup(entry->key, entry->len);
        const tw_model_arg_t channel = {name, entry->len};
        leave(session, &channel);
        free(name);
    }
    tw_model_dict_clear(&session->channels, NULL);
}

void tw_model_unsubscribe(tw_model_call_t *call)
{
    tw_model_session_t *session = call->session;

    if (call->argc == 1 && session->channels.used == 0)
        reply_change(call, "unsubscribe", NULL);
    while (call->argc == 1 && session->channels.used > 0) {
        const tw_model_entry_t *entry = session->channels.first;
        char *name = tw_strndup(entry->key, entry->len);
        const tw_model_arg_t channel = {name, entry->len};
        leave(session, &channel);
        reply_change(call, "unsubscribe", &channel);
        free(name);
    }
    for (int i = 1; i < call->argc; ++i) {
        leave(session, &call->argv[i]);
        reply_change(call, "unsubscribe", &call->argv[i]);
    }
}

void tw_model_pubsub(tw_model_call_t *call)
{
    if (tw_model_arg_is(&call->argv[1], "numsub")) {
        tw_model_reply_array(call->out, (size_t)(call->argc - 2) * 2);
        for (int i = 2; i < call->argc; ++i) {
            const tw_model_dict_t *subscribers = subscribers_of(call->server, &call->argv[i]);
            tw_model_reply_bulk(call->out, call->argv[i].base, call->argv[i].len);
            tw_model_reply_integer(call->out, subscribers != NULL ? (int64_t)subscribers->used : 0);
        }
    } else if (tw_model_arg_is(&call->argv[1], "channels") && call->argc == 2) {
        tw_model_reply_array(call->out, call->server->channels.used);
        for (const tw_model_entry_t *entry = call->server->channels.first; entry != NULL;
             entry = entry->next)
            tw_model_reply_bulk(call->out, entry->key, entry->len);
    } else {
        tw_model_reply_error(call->out,
                             "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                             "Try PUBSUB HELP.",
                             (int)call->argv[1].len, call->argv[1].base);
    }
}
