/**
 * The privileges of the process. Called once, before the first thread starts, because Linux keeps
 * capabilities for each thread.
 */
#ifndef TW_SERVER_PRIVILEGES_H
#define TW_SERVER_PRIVILEGES_H

/**
 * Gives up privileges that the gateway never needs, for itself and for whatever it might be made to
 * execute: set-user-id programs gain no privileges, and of root's capabilities only those stay that
 * the gateway uses. Privileges that the system does not let it give up stay.
 */
void tw_privileges_drop(void);

#endif
