/**
 * The judge: what docs/redis.md and docs/resume.md promise, held against what has happened.
 *
 * The first broken promise of a world counts; what comes after it may follow from it.
 */
#ifndef TW_SIM_CHECKER_H
#define TW_SIM_CHECKER_H

#include "tests/simulation/world/history.h"

/* name, label, the promise */
#define TW_SIM_VERDICT_TABLE(X)                                                                    \
    X(NONE, "none", "nothing is wrong")                                                            \
    X(LOST, "lost", "an accepted event comes to every stream that was open or resumes, or a gap")  \
    X(TWICE, "twice", "an event comes once")                                                       \
    X(ORDER, "order", "all streams see one order, in which a publisher's answers are")             \
    X(WRONG, "wrong", "a stream gets what it follows")                                             \
    X(FALSE_DROP, "false-drop", "dropped means that no stream was open")                           \
    X(FALSE_GAP, "false-gap", "a gap names topics of which events are missing")                    \
    X(LISTING, "listing", "listings are right once nothing changes")                               \
    X(NOT_READY, "not-ready", "gateways are ready soon after the last fault")                      \
    X(BUSY, "busy", "a gateway sends few commands when nothing happens")                           \
    X(HELD, "held", "Redis holds little that gateways have asked for and not read")                \
    X(LET_IN, "let-in", "who was revoked has no stream")                                           \
    X(REFUSED, "refused", "without a fault nothing is refused")                                    \
    X(UNANSWERED, "unanswered", "every question is answered")

typedef enum tw_sim_verdict {
#define X(name, label, promise) TW_SIM_##name,
    TW_SIM_VERDICT_TABLE(X)
#undef X
} tw_sim_verdict_t;

const char *tw_sim_verdict_label(tw_sim_verdict_t verdict);

/** The first broken promise, and what was seen; reset by tw_sim_judge_anew(). */
tw_sim_verdict_t tw_sim_verdict(void);
const char *tw_sim_verdict_text(void);
void tw_sim_judge_anew(void);

__attribute__((format(printf, 2, 3))) void tw_sim_fail(tw_sim_verdict_t verdict, const char *format,
                                                       ...);

/** What one client has got, at its end or the world's. */
void tw_sim_judge_record(const tw_sim_history_t *history, const tw_sim_record_t *record);

#endif
