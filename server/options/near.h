/** Finds mistakes in the names of options. Any thread. */
#ifndef TW_SERVER_OPTIONS_NEAR_H
#define TW_SERVER_OPTIONS_NEAR_H

#include "base/text.h"
#include "server/options/table.h"

/** The option whose variable (or flag, if `flags`) is so like `name` that it is probably meant;
 * NULL: none is. */
const tw_option_t *tw_option_near(tw_text_t name, bool flags);

#endif
