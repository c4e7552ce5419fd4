/* SPDX-License-Identifier: MPL-2.0 */
/* Time, chance and the network of the simulator. Events wait in a binary heap, ordered by time and
 * then by the order in which they were made. A message crosses the network in its encoded form, so
 * that what is borrowed from the sender's state cannot reach the receiver. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sim.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(sim *s) {
    s->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = s->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_roll(sim *s, uint64_t sides) {
    return next_random(s) % sides;
}

bool sim_chance(sim *s, uint32_t per_mille) {
    return next_random(s) % 1000 < per_mille;
}

static bool is_before(const sim_event *a, const sim_event *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(sim_event *a, sim_event *b) {
    sim_event kept = *a;
    *a = *b;
    *b = kept;
}

static sim_event *insert(sim *s, const sim_event *event) {
    ZN_GROW(s->queue, s->queue_count, s->queue_capacity);
    size_t at = s->queue_count++;
    s->queue[at] = *event;
    while (at > 0 && is_before(&s->queue[at], &s->queue[(at - 1) / 2])) {
        swap(&s->queue[at], &s->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return &s->queue[at];
}

sim_event *sim_add(sim *s, sim_kind kind, uint64_t delay_ns) {
    sim_event event = { .at_ns = s->now_ns + delay_ns, .order = s->order++, .kind = kind };
    return insert(s, &event);
}

bool sim_next(sim *s, sim_event *out) {
    if (s->queue_count == 0) {
        return false;
    }
    *out = s->queue[0];
    s->queue[0] = s->queue[--s->queue_count];
    for (size_t at = 0;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->queue_count; child++) {
            first = is_before(&s->queue[child], &s->queue[first]) ? child : first;
        }
        if (first == at) {
            break;
        }
        swap(&s->queue[at], &s->queue[first]);
        at = first;
    }
    s->now_ns = out->at_ns;
    return true;
}

/* Messages between two nodes stay in order, but for those that are so late that others overtake
 * them: a fault. */
static uint64_t delay(sim *s, uint64_t *link_ns) {
    uint64_t ns = 20000 + sim_roll(s, 300000);
    bool faults = s->now_ns < s->settings.faults_end_ns;
    if (faults && sim_chance(s, s->settings.late_per_mille)) {
        return ns + sim_roll(s, ZN_NS_PER_S);
    }
    *link_ns = s->now_ns + ns > *link_ns ? s->now_ns + ns : *link_ns;
    return *link_ns - s->now_ns;
}

void sim_send(sim *s, sim_event event, const zn_message *message, uint64_t cut_ns) {
    bool faults = s->now_ns < s->settings.faults_end_ns;
    if (s->now_ns < cut_ns || (faults && sim_chance(s, s->settings.loss_per_mille))) {
        sim_trace(s, "lost", message, event.node);
        return;
    }
    bool twice = faults && sim_chance(s, s->settings.repeat_per_mille);
    for (int i = 0; i < (twice ? 2 : 1); i++) {
        uint64_t *link = &s->link_ns[event.kind][event.node];
        sim_event *added = sim_add(s, event.kind, delay(s, link));
        added->node = event.node;
        added->slot = event.slot;
        added->life = event.life;
        added->mark = event.mark;
        zn_message_encode(message, &added->bytes);
    }
}

/* With the number that it had: events that wait for the same time stay in order. */
void sim_postpone(sim *s, const sim_event *event, uint64_t until_ns) {
    sim_event again = *event;
    again.at_ns = until_ns;
    again.bytes = (zn_buf){ 0 };
    zn_buf_append(&again.bytes, event->bytes.data, event->bytes.len);
    insert(s, &again);
}

const zn_message *sim_decode(sim *s, const zn_buf *bytes) {
    static zn_message message;
    zonda_error error = { 0 };
    if (zn_decoder_decode(s->decoder, zn_buf_bytes(bytes), &message, &error) != ZONDA_OK) {
        sim_fail(s, "a message cannot be decoded: %s", error.text);
        message = (zn_message){ 0 };
    }
    return &message;
}

void sim_fail(sim *s, const char *format, ...) {
    if (s->problem[0] != '\0') {
        return;
    }
    va_list list;
    va_start(list, format);
    vsnprintf(s->problem, sizeof s->problem, format, list);
    va_end(list);
}

void sim_trace(const sim *s, const char *what, const zn_message *message, uint32_t node) {
    if (!s->settings.trace) {
        return;
    }
    zn_buf line = { 0 };
    if (message != NULL) {
        zn_message_print(message, &line);
    }
    printf("%12.6f %-18s %u %.*s\n", (double)s->now_ns / (double)ZN_NS_PER_S, what, node,
           (int)(line.len < 300 ? line.len : 300), line.len > 0 ? (const char *)line.data : "\n");
    zn_buf_free(&line);
}
