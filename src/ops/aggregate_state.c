/* SPDX-License-Identifier: MPL-2.0 */
/* States of all expressions of a group. Their fixed parts lie behind each other in the order of the
 * expressions, in an entry of the hash table or in the one group that is being totalled. */
#include "ops/aggregate_state.h"

const zn_aggregate_kind_def *zn_aggregate_kind_def_of(zn_aggregate_kind kind) {
    static const zn_aggregate_kind_def *const kinds[] = {
        [ZN_AGGREGATE_COUNT] = &zn_aggregate_count,
        [ZN_AGGREGATE_SUM] = &zn_aggregate_sum,
        [ZN_AGGREGATE_MIN] = &zn_aggregate_min,
        [ZN_AGGREGATE_MAX] = &zn_aggregate_max,
        [ZN_AGGREGATE_MEAN] = &zn_aggregate_mean,
        [ZN_AGGREGATE_FIRST] = &zn_aggregate_first,
        [ZN_AGGREGATE_LAST] = &zn_aggregate_last,
        [ZN_AGGREGATE_LIST] = &zn_aggregate_list,
        [ZN_AGGREGATE_DISTINCT] = &zn_aggregate_distinct,
        [ZN_AGGREGATE_QUANTILE] = &zn_aggregate_quantile,
    };
    return kinds[kind];
}

size_t zn_aggregate_states_bytes(const zn_aggregate *aggregate) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < aggregate->count; i++) {
        bytes += zn_aggregate_kind_def_of(aggregate->exprs[i].kind)->bytes;
    }
    return bytes;
}

void zn_aggregate_states_clear(const zn_aggregate *aggregate, zn_aggregate_heap *heap,
                               void *states) {
    uint8_t *state = states;
    for (uint32_t i = 0; i < aggregate->count; i++) {
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(aggregate->exprs[i].kind);
        def->clear(heap, state);
        state += def->bytes;
    }
}

void zn_aggregate_states_put(const zn_aggregate *aggregate, zn_aggregate_heap *heap, void *states,
                             zn_buf *out) {
    uint8_t *state = states;
    zn_put_array(out, aggregate->count);
    for (uint32_t i = 0; i < aggregate->count; i++) {
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(aggregate->exprs[i].kind);
        def->put(heap, state, out);
        state += def->bytes;
    }
}

zonda_err zn_aggregate_states_merge(const zn_aggregate *aggregate, zn_aggregate_heap *heap,
                                    void *states, zn_bytes stored, zonda_error *error) {
    uint8_t *state = states;
    zn_cursor cursor = zn_cursor_of(stored);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY || head.count != aggregate->count) {
        return zn_aggregate_corrupt(error);
    }
    zonda_err err = ZONDA_OK;
    for (uint32_t i = 0; i < aggregate->count && err == ZONDA_OK; i++) {
        const zn_aggregate_expr *expr = &aggregate->exprs[i];
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(expr->kind);
        err = def->merge(heap, expr, state, zn_cursor_skip(&cursor), error);
        state += def->bytes;
    }
    return err;
}

zonda_err zn_aggregate_corrupt(zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_CORRUPT, "a row of a group is not what a shard gives");
}
