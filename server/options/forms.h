/**
 * What the values of options may look like: checked at the start, so that no mistake waits until
 * somebody wonders why nothing matches. Any thread.
 */
#ifndef TW_SERVER_OPTIONS_FORMS_H
#define TW_SERVER_OPTIONS_FORMS_H

#include <stdbool.h>

#include "base/text.h"

/** Whether a value has the form; it is not empty. If not, *bad is the part of it that does not. */
typedef bool (*tw_option_form_t)(const char *value, tw_text_t *bad);

/** Addresses to listen on, comma-separated. They are looked up and bound later. */
bool tw_form_addresses(const char *value, tw_text_t *bad);

/** One address, or `off`. */
bool tw_form_address_or_off(const char *value, tw_text_t *bad);

/** Addresses and networks, comma-separated. */
bool tw_form_networks(const char *value, tw_text_t *bad);

/** Origins of pages, comma-separated. */
bool tw_form_origins(const char *value, tw_text_t *bad);

/** Patterns of topics, comma-separated. */
bool tw_form_patterns(const char *value, tw_text_t *bad);

/** The name of a cookie: a token of RFC 9110 section 5.6.2. */
bool tw_form_cookie_name(const char *value, tw_text_t *bad);

/** A node's id, which is part of keys in Redis, of log lines and of JSON. */
bool tw_form_node_id(const char *value, tw_text_t *bad);

#endif
