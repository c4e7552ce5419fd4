/* SPDX-License-Identifier: MPL-2.0 */
/* The transition table of a worker's registration. Only the table decides about states; the slot
 * manager carries the reactions out. A WELCOME is good also when it comes late, while the worker
 * looks for its coordinator again: it names the newest epoch that the coordinator knows. Without an
 * epoch (LOOKING, JOINING) no message of one can be current, so the cells for those events ignore.
 */
#include "worker/registration.h"

#include "base/assert.h"

#define STAY(state)                                                                                \
    { ZN_REGISTRATION_##state, ZN_REACT_IGNORE }
#define TO(state, reaction)                                                                        \
    { ZN_REGISTRATION_##state, ZN_REACT_##reaction }

static const zn_registration_cell TABLE[ZN_REGISTRATION_STATES][ZN_REGISTRATION_EVENTS] = {
    [ZN_REGISTRATION_LOOKING] = {
        [ZN_REGISTRATION_FOUND] = TO(JOINING, JOIN),
        [ZN_REGISTRATION_WELCOMED] = TO(REGISTERED, ADOPT),
        [ZN_REGISTRATION_CURRENT] = STAY(LOOKING),
        [ZN_REGISTRATION_REJOIN] = STAY(LOOKING),
        [ZN_REGISTRATION_GAP] = STAY(LOOKING),
        [ZN_REGISTRATION_SILENCE] = TO(LOOKING, LOOK),
        [ZN_REGISTRATION_REFUSED] = TO(LEAVING, FAIL),
        [ZN_REGISTRATION_DONE_ALL] = STAY(LOOKING),
        [ZN_REGISTRATION_STOP] = TO(LEAVING, LEAVE),
        [ZN_REGISTRATION_EMPTY] = STAY(LOOKING),
    },
    [ZN_REGISTRATION_JOINING] = {
        [ZN_REGISTRATION_FOUND] = STAY(JOINING),
        [ZN_REGISTRATION_WELCOMED] = TO(REGISTERED, ADOPT),
        [ZN_REGISTRATION_CURRENT] = STAY(JOINING),
        [ZN_REGISTRATION_REJOIN] = STAY(JOINING),
        [ZN_REGISTRATION_GAP] = STAY(JOINING),
        [ZN_REGISTRATION_SILENCE] = TO(LOOKING, LOOK),
        [ZN_REGISTRATION_REFUSED] = TO(LEAVING, FAIL),
        [ZN_REGISTRATION_DONE_ALL] = STAY(JOINING),
        [ZN_REGISTRATION_STOP] = TO(LEAVING, LEAVE),
        [ZN_REGISTRATION_EMPTY] = STAY(JOINING),
    },
    [ZN_REGISTRATION_REGISTERED] = {
        [ZN_REGISTRATION_FOUND] = STAY(REGISTERED),
        [ZN_REGISTRATION_WELCOMED] = TO(REGISTERED, ADOPT),
        [ZN_REGISTRATION_CURRENT] = TO(REGISTERED, ACCEPT),
        [ZN_REGISTRATION_REJOIN] = TO(JOINING, JOIN),
        [ZN_REGISTRATION_GAP] = TO(JOINING, JOIN),
        [ZN_REGISTRATION_SILENCE] = TO(LOOKING, LOOK),
        [ZN_REGISTRATION_REFUSED] = TO(LEAVING, FAIL),
        [ZN_REGISTRATION_DONE_ALL] = TO(LEAVING, LEAVE),
        [ZN_REGISTRATION_STOP] = TO(LEAVING, LEAVE),
        [ZN_REGISTRATION_EMPTY] = STAY(REGISTERED),
    },
    [ZN_REGISTRATION_LEAVING] = {
        [ZN_REGISTRATION_FOUND] = STAY(LEAVING),
        [ZN_REGISTRATION_WELCOMED] = STAY(LEAVING),
        [ZN_REGISTRATION_CURRENT] = STAY(LEAVING),
        [ZN_REGISTRATION_REJOIN] = STAY(LEAVING),
        [ZN_REGISTRATION_GAP] = STAY(LEAVING),
        [ZN_REGISTRATION_SILENCE] = STAY(LEAVING),
        [ZN_REGISTRATION_REFUSED] = STAY(LEAVING),
        [ZN_REGISTRATION_DONE_ALL] = STAY(LEAVING),
        [ZN_REGISTRATION_STOP] = STAY(LEAVING),
        [ZN_REGISTRATION_EMPTY] = TO(ENDED, END),
    },
    [ZN_REGISTRATION_ENDED] = {
        [ZN_REGISTRATION_FOUND] = STAY(ENDED),
        [ZN_REGISTRATION_WELCOMED] = STAY(ENDED),
        [ZN_REGISTRATION_CURRENT] = STAY(ENDED),
        [ZN_REGISTRATION_REJOIN] = STAY(ENDED),
        [ZN_REGISTRATION_GAP] = STAY(ENDED),
        [ZN_REGISTRATION_SILENCE] = STAY(ENDED),
        [ZN_REGISTRATION_REFUSED] = STAY(ENDED),
        [ZN_REGISTRATION_DONE_ALL] = STAY(ENDED),
        [ZN_REGISTRATION_STOP] = STAY(ENDED),
        [ZN_REGISTRATION_EMPTY] = STAY(ENDED),
    },
};

zn_registration_cell zn_registration_step(zn_registration_state state,
                                          zn_registration_event event) {
    ZN_ASSERT(state < ZN_REGISTRATION_STATES && event < ZN_REGISTRATION_EVENTS);
    return TABLE[state][event];
}

const char *zn_registration_state_name(zn_registration_state state) {
    static const char *const NAMES[] = { "looking", "joining", "registered", "leaving", "ended" };
    ZN_ASSERT(state < ZN_REGISTRATION_STATES);
    return NAMES[state];
}
