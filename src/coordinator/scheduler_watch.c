/* SPDX-License-Identifier: MPL-2.0 */
/* Heartbeats to workers, and whether theirs still come. A heartbeat acknowledges RESULTs: the
 * worker keeps them until then. Called by the scheduler's clock. */
#include "base/clock.h"
#include "coordinator/scheduler_internal.h"

void zn_scheduler_send_heartbeat(zn_scheduler *scheduler, zn_member *member) {
    member->beat_at_ns = scheduler->now_ns;
    member->acknowledged = member->received;
    zn_message message = { .number = ZN_MSG_HEARTBEAT };
    message.heartbeat = (zn_msg_heartbeat){ .epoch = member->epoch,
                                            .sent = member->sent,
                                            .received = member->received };
    zn_scheduler_tell(scheduler, member, &message);
}

void zn_scheduler_probe(zn_scheduler *scheduler, uint64_t now_ns) {
    scheduler->now_ns = now_ns;
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->epoch != 0) {
            zn_scheduler_send_heartbeat(scheduler, member);
        }
    }
}

uint64_t zn_scheduler_scan_interval_ns(const zn_scheduler *scheduler) {
    uint32_t heartbeat_ms = scheduler->config.heartbeat_ms;
    uint32_t lost_ms = scheduler->config.lost_ms;
    return (heartbeat_ms < lost_ms ? heartbeat_ms : lost_ms) * ZN_NS_PER_MS / 4;
}

/* The next look would come too late for it. */
static bool is_silent(const zn_scheduler *scheduler, const zn_member *member) {
    uint64_t next_ns = scheduler->now_ns + zn_scheduler_scan_interval_ns(scheduler);
    return next_ns - member->heard_at_ns > scheduler->config.lost_ms * ZN_NS_PER_MS;
}

static void look_at_member(zn_scheduler *scheduler, zn_member *member) {
    uint64_t now = scheduler->now_ns;
    if (is_silent(scheduler, member)) {
        zn_scheduler_remove_member(scheduler, member, ZN_MEMBER_EVENT_LOST, "silent");
        return;
    }
    uint64_t early = zn_scheduler_scan_interval_ns(scheduler) / 2;
    bool due = now + early - member->beat_at_ns >= scheduler->config.heartbeat_ms * ZN_NS_PER_MS;
    zn_scheduler_look_at_drained(scheduler, member, due);
    if (!zn_member_is_registered(member) || !due) {
        return;
    }
    zn_scheduler_send_heartbeat(scheduler, member);
    for (size_t i = 0; i < member->touched_count; i++) {
        if (member->touched[i].done) {
            zn_scheduler_tell_done(scheduler, member, member->touched[i].job);
        }
    }
}

void zn_scheduler_look_at_members(zn_scheduler *scheduler) {
    scheduler->scan_ns = scheduler->now_ns;
    zn_member *member = TAILQ_FIRST(&scheduler->members);
    while (member != NULL) {
        zn_member *next = TAILQ_NEXT(member, link);
        look_at_member(scheduler, member);
        member = next;
    }
}

void zn_scheduler_excuse_members(zn_scheduler *scheduler) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        member->heard_at_ns = scheduler->now_ns;
    }
}
