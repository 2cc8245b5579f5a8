/**
 * What commands of hashes and of sets do alike: both are dictionaries.
 */
#ifndef TW_MODEL_DICTS_H
#define TW_MODEL_DICTS_H

#include "tests/simulation/redis/model.h"

/** Removes the names that argv has from 2 on, after `dispose` (may be NULL) has freed an entry's
 * value, and answers how many there were. */
void tw_model_dict_remove_named(tw_model_call_t *call, tw_model_type_t type,
                                void (*dispose)(tw_model_entry_t *entry));

/** Answers how many entries the key has. */
void tw_model_dict_reply_size(tw_model_call_t *call, tw_model_type_t type);

/** Answers whether the key has the name in argv[2]. */
void tw_model_dict_reply_has(tw_model_call_t *call, tw_model_type_t type);

/** Visits an entry of a scan whose answer is names. */
void tw_model_dict_visit_name(tw_model_entry_t *entry, void *scan);

#endif
