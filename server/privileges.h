/**
 * What the process may still do: called once, before the first thread starts, since Linux keeps
 * capabilities per thread.
 */
#ifndef TW_SERVER_PRIVILEGES_H
#define TW_SERVER_PRIVILEGES_H

/**
 * Gives up what the gateway never needs, for itself and for whatever it might be made to execute:
 * no new privileges by set-user-id programs, and of root's capabilities only those that the gateway
 * uses. What the system does not allow to be given up stays: a sandbox around it does more.
 */
void tw_privileges_drop(void);

#endif
