/* SPDX-License-Identifier: MPL-2.0
 *
 * The exchange between driver and coordinator that starts a stage, and the bug it must not have: a
 * driver that does not wait for the answer to START_STAGE polls the status, sees 0 of 0 tasks
 * completed, takes that for finished and collects an empty result.
 *
 *   -DUNAWAITED   the predecessor: the request is sent in the background and not waited for, the
 *                 status of a stage that does not exist is zeros. Spin must find the empty result.
 *   (default)     what is built: one call at a time, awaited, sent again with the same number after
 *                 silence, recorded replies, unknown stages are errors, and the wait loop checks
 *                 stage and total. Spin must find nothing.
 *
 * Messages may be lost and repeated (LOSSES each way), the coordinator's answers may be late, and
 * calls of another request number are ignored. Tasks complete one by one at any time after the stage was
 * installed. `src/runtime/driver_core.c` and `src/coordinator/control.c` are what is modelled. */

#define TASKS 2
#define LOSSES 2
#define POLLS 2 /* polls that may see an unfinished stage; keeps the search finite */

mtype = { START_STAGE, STAGE_STARTED, GET_STATUS, STATUS, COLLECT, RESULTS, REFUSAL };

/* kind, request number, total, completed */
chan to_coordinator = [3] of { mtype, byte, byte, byte };
chan to_driver = [3] of { mtype, byte, byte, byte };

bool installed = false;
byte total = 0;     /* of the installed stage */
byte completed = 0; /* of them */
byte installs = 0;  /* how often the stage was installed: never more than once */
byte losses = 0;
byte collected = 255;

#ifndef UNAWAITED
/* The network forgets a message, or delivers it twice. */
proctype network() {
    mtype kind;
    byte request, all, done;
end:
    do
    :: atomic {
           losses < LOSSES && nempty(to_coordinator) ->
           to_coordinator ? kind, request, all, done;
           losses++;
           if
           :: skip /* lost */
           :: to_coordinator ! kind, request, all, done;
              if
              :: nfull(to_coordinator) -> to_coordinator ! kind, request, all, done
              :: full(to_coordinator)
              fi
           fi
       }
    :: atomic {
           losses < LOSSES && nempty(to_driver) ->
           to_driver ? kind, request, all, done;
           losses++
       }
    od
}
#endif

proctype coordinator() {
    mtype kind, reply_kind;
    byte request, all, done, reply_total, reply_completed;
    byte last = 0; /* number of the recorded reply */
end:
    do
    :: to_coordinator ? kind, request, all, done ->
        if
#ifndef UNAWAITED
        :: request == last -> skip   /* the recorded reply is sent again, below */
        :: request < last -> goto end /* overtaken: dropped */
#endif
        :: else ->
            reply_total = 0; reply_completed = 0;
            if
            :: kind == START_STAGE && !installed && all > 0 ->
                installed = true; installs++; total = all;
                reply_kind = STAGE_STARTED; reply_total = all
            :: kind == START_STAGE && installed ->
                reply_kind = STAGE_STARTED; reply_total = total
            :: kind == START_STAGE && !installed && all == 0 ->
                reply_kind = REFUSAL
            :: kind == GET_STATUS ->
#ifdef UNAWAITED
                reply_kind = STATUS; reply_total = total; reply_completed = completed
#else
                if
                :: installed -> reply_kind = STATUS; reply_total = total; reply_completed = completed
                :: else -> reply_kind = REFUSAL
                fi
#endif
            :: kind == COLLECT ->
                reply_kind = RESULTS; reply_total = total; reply_completed = completed
            fi;
#ifndef UNAWAITED
            last = request
#endif
        fi;
        if
        :: nfull(to_driver) -> to_driver ! reply_kind, request, reply_total, reply_completed
        :: full(to_driver) -> skip /* as if it were lost */
        fi
    :: installed && completed < total -> completed++ /* a worker reports a task */
    od
}

/* Sends a call and waits for its own answer; silence makes it send the same call again. */
inline call(call_kind, call_total) {
    request++;
    to_coordinator ! call_kind, request, call_total, 0;
    do
    :: to_driver ? kind, number, all, done ->
        if
        :: number == request -> break
        :: else -> skip /* an answer to an earlier call */
        fi
    :: timeout -> to_coordinator ! call_kind, request, call_total, 0
    od
}

#ifdef UNAWAITED
/* A call that runs by itself: it arrives whenever it arrives. */
proctype background() {
    to_coordinator ! START_STAGE, 1, TASKS, 0
}
#endif

proctype driver() {
    mtype kind;
    byte request = 1, number, all, done, polls = 0;
#ifdef UNAWAITED
    run background(); /* and does not wait */
    do
    :: to_coordinator ! GET_STATUS, request, 0, 0;
       do
       :: to_driver ? kind, number, all, done ->
           if
           :: kind == STATUS -> break
           :: else -> skip
           fi
       od;
       if
       :: kind == STATUS && done >= all -> break /* 0 >= 0 */
       :: polls < POLLS -> polls++
       :: else -> completed == TASKS
       fi
    od;
    collected = done
#else
    call(START_STAGE, TASKS);
    assert(kind == STAGE_STARTED && all == TASKS);
    do
    :: call(GET_STATUS, 0);
       assert(kind == STATUS);            /* reason 3: never zeros for an unknown stage */
       assert(all == TASKS && all > 0);   /* reason 4: checked in the loop */
       if
       :: done == all -> break
       :: done != all && polls < POLLS -> polls++
       :: done != all && polls == POLLS -> completed == total
       fi
    od;
    call(COLLECT, 0);
    collected = done
#endif
    assert(collected == TASKS); /* the result is never silently empty or short */
    assert(installs == 1)
}

init {
    atomic {
        run coordinator();
        run driver();
#ifndef UNAWAITED
        run network()
#endif
    }
}
