/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_WAL_CHECK_H
#define ZN_COORDINATOR_WAL_CHECK_H

#include <stdbool.h>

/* Looks at the write-ahead log of a database before SQLite does, which cuts a torn tail without a
 * word, and logs it if there is one: frames of the present log whose checksums do not fit, or half
 * a frame. True if so. To be called while nobody has the database open. */
bool zn_wal_check(const char *database);

#endif
