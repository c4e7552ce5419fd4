/* SPDX-License-Identifier: MPL-2.0 */
/* How a task of the simulator reads what tasks of earlier stages gave: it asks the coordinator for
 * pages of results, takes small ones from the page, and fetches large ones from the stores of other
 * workers. A peer that is gone, a segment that is not there and one that is rotten are reported; a
 * peer that is silent is asked again, with a new page, for some time. Everything that was read goes
 * into the value that the task gives, so one that is missing, or read twice, shows at the end. */
#include <string.h>

#include "record/value.h"
#include "sim_slot.h"

enum {
    FETCH_MS_MAX = 30,
    ASK_MS = 500,
    SILENCE_MS_MAX = 10000
};

uint64_t sim_fold(uint64_t fold, size_t stage, uint64_t task, uint64_t value) {
    uint64_t mixed = (value ^ (stage + 1) * UINT64_C(0xbf58476d1ce4e5b9)) +
                     (task + 1) * UINT64_C(0x94d049bb133111eb);
    mixed = (mixed ^ (mixed >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
    return fold + (mixed ^ (mixed >> 29));
}

static void ask(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    const sim_worker *worker = &s->workers[at.worker];
    const zn_msg_task *task = &slot->orders[0].task;
    sim_driver *driver = NULL;
    size_t number = 0;
    const sim_stage *stage = sim_find_stage(s, &slot->orders[0].body, &driver, &number);
    zn_message message = { .number = ZN_MSG_COLLECT_RESULTS };
    message.collect_results =
        (zn_msg_collect_results){ .client = worker->life * SIM_SLOTS_MAX + at.slot + 1,
                                  .request = ++slot->reading.request,
                                  .job = task->job,
                                  .stage = stage->inputs[slot->reading.input],
                                  .first = slot->reading.next };
    slot->state = SIM_SLOT_ASKING;
    sim_send(s,
             (sim_event){ .kind = SIM_COORDINATOR_BULK,
                          .node = at.worker,
                          .slot = at.slot,
                          .life = slot->life,
                          .mark = slot->reading.request },
             &message, s->cut_up_ns[at.worker]);
    sim_slot_wake(s, at, ASK_MS * ZN_NS_PER_MS);
}

static void ask_later(sim *s, sim_place at) {
    sim_slot_at(s, at)->state = SIM_SLOT_ASKING;
    sim_slot_wake(s, at, ASK_MS * ZN_NS_PER_MS);
}

void sim_read_begin(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    slot->reading.input = 0;
    slot->reading.next = 0;
    slot->reading.fold = 0;
    slot->reading.since_ns = s->now_ns;
    ask(s, at);
}

void sim_read_page(sim *s, sim_place at, const sim_event *event) {
    sim_slot *slot = sim_slot_at(s, at);
    if (slot->state != SIM_SLOT_ASKING || event->mark != slot->reading.request) {
        return;
    }
    const zn_message *message = sim_decode(s, &event->bytes);
    if (message->number == ZN_MSG_REFUSAL) { /* the job is over */
        zn_failure failure = message->refusal.failure[0];
        sim_task_fail(s, at, &failure);
        return;
    }
    zn_buf_reset(&slot->reading.page, ZN_MIB);
    zn_buf_append(&slot->reading.page, event->bytes.data, event->bytes.len);
    slot->state = SIM_SLOT_FETCHING;
    sim_slot_wake(s, at, sim_roll(s, FETCH_MS_MAX * ZN_NS_PER_MS));
}

/* ---- fetching ---- */

/* What a small result says; UINT64_MAX, which no task gives, if it is not one value. */
static uint64_t value_of(zn_bytes record) {
    zonda_error ignored;
    if (zn_value_check(record, &ignored) != ZONDA_OK) {
        return UINT64_MAX;
    }
    zn_value head = zn_value_head(record);
    return head.type == ZN_VALUE_INT ? (uint64_t)head.integer : UINT64_MAX;
}

/* The worker whose endpoint this is; NULL: it is gone. */
static const sim_worker *find_worker(const sim *s, zn_bytes endpoint) {
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const sim_worker *worker = &s->workers[i];
        if (worker->alive && zn_bytes_equal(zn_bytes_of_text(worker->data), endpoint)) {
            return worker;
        }
    }
    return NULL;
}

sim_fetched sim_fetch(const sim *s, uint64_t cut_ns, uint64_t job, size_t stage, uint64_t task,
                      const zn_result *result, uint64_t *value) {
    if (result->reference_count == 0) {
        *value = value_of(result->records);
        return SIM_FETCHED;
    }
    const sim_worker *holder = find_worker(s, result->endpoint);
    if (holder == NULL) {
        return SIM_FETCH_LOST;
    }
    if (s->now_ns < holder->frozen_ns || s->now_ns < holder->cut_data_ns || s->now_ns < cut_ns) {
        return SIM_FETCH_SILENT;
    }
    const sim_segment *segment =
        sim_store_find(holder, job, stage, task, result->reference[0].offset);
    if (segment == NULL) {
        return SIM_FETCH_LOST;
    }
    *value = segment->value;
    return segment->rotten ? SIM_FETCH_ROTTEN : SIM_FETCHED;
}

/* Reads the results of a page from the next task on. Sets `result` to the one that it stopped at;
 * FETCHED: it came to the end of the page. */
static sim_fetched read_page(sim *s, sim_place at, const zn_msg_results *page, size_t stage,
                             const zn_result **result) {
    sim_reading *reading = &sim_slot_at(s, at)->reading;
    for (size_t i = 0; i < page->results_count; i++) {
        *result = &page->results[i];
        while (reading->next >= (*result)->first &&
               reading->next < (*result)->first + (*result)->count) {
            uint64_t value = 0;
            sim_fetched got = sim_fetch(s, s->workers[at.worker].cut_data_ns, page->job, stage,
                                        reading->next, *result, &value);
            if (got != SIM_FETCHED) {
                return got;
            }
            reading->fold = sim_fold(reading->fold, stage, reading->next, value);
            reading->next++;
            reading->since_ns = s->now_ns;
        }
    }
    return SIM_FETCHED;
}

/* The next page, the next input, or the work. */
static void read_on(sim *s, sim_place at, uint64_t total, const sim_stage *stage) {
    sim_reading *reading = &sim_slot_at(s, at)->reading;
    if (reading->next == total) {
        reading->next = 0;
        reading->input++;
        reading->since_ns = s->now_ns;
    }
    if (reading->input == stage->input_count) {
        sim_task_work(s, at);
    } else {
        ask(s, at);
    }
}

static void give_up(sim *s, sim_place at, sim_fetched how, size_t stage, const zn_result *result) {
    zn_failure failure = { .code =
                               how == SIM_FETCH_ROTTEN ? ZONDA_ERR_CORRUPT : ZONDA_ERR_WORKER_LOST,
                           .text = zn_bytes_of_text("a simulated result cannot be read") };
    if (result != NULL) {
        failure.has_lost = 1;
        failure.lost_stage = stage;
        failure.lost_task = sim_slot_at(s, at)->reading.next;
        failure.lost_attempt = result->attempt;
    }
    sim_task_fail(s, at, &failure);
}

static void fetch(sim *s, sim_place at, const sim_stage *stage) {
    sim_reading *reading = &sim_slot_at(s, at)->reading;
    size_t input = stage->inputs[reading->input];
    const zn_msg_results *page = &sim_decode(s, &reading->page)->results;
    const zn_result *result = NULL;
    uint64_t before = reading->next;
    sim_fetched how = read_page(s, at, page, input, &result);
    bool waited = s->now_ns - reading->since_ns >= SILENCE_MS_MAX * ZN_NS_PER_MS;
    if (how == SIM_FETCHED && (reading->next > before || !waited)) {
        read_on(s, at, page->total, stage);
    } else if (how == SIM_FETCH_SILENT && !waited) {
        ask_later(s, at);
    } else {
        give_up(s, at, how, input, how == SIM_FETCHED ? NULL : result);
    }
}

void sim_read_step(sim *s, sim_place at, const sim_stage *stage) {
    if (sim_slot_cancelled(sim_slot_at(s, at))) {
        sim_files_discard(s, at);
        sim_slot_end_chunk(s, at, false);
    } else if (sim_slot_at(s, at)->state == SIM_SLOT_FETCHING) {
        fetch(s, at, stage);
    } else {
        ask(s, at); /* the answer may be lost */
    }
}
