/* SPDX-License-Identifier: MPL-2.0 */
/* The fields of a record that an aggregate needs. Several expressions often share one, and records
 * have more fields than are asked for, so a record is walked once for all names; a path costs a
 * walk of its own. */
#include "ops/aggregate_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/value.h"

static bool is_path(zn_bytes field) {
    return memchr(field.data, '.', field.len) != NULL;
}

static uint32_t place_of(const zn_aggregate_fields *self, zn_bytes field) {
    uint32_t i = 0;
    while (i < self->count && !zn_bytes_equal(self->fields[i], field)) {
        i++;
    }
    return i;
}

/* Adds the fields that are paths, or those that are not. */
static void add_fields(zn_aggregate_fields *self, const zn_aggregate *aggregate, bool paths) {
    for (uint32_t i = 0; i < aggregate->count; i++) {
        zn_bytes field = aggregate->exprs[i].field;
        if (field.len > 0 && is_path(field) == paths && place_of(self, field) == self->count) {
            self->fields[self->count++] = field;
        }
    }
}

void zn_aggregate_fields_make(const zn_aggregate *aggregate, zn_aggregate_fields *out) {
    zn_aggregate_fields self = { 0 };
    self.fields = zn_calloc(aggregate->count, sizeof *self.fields);
    add_fields(&self, aggregate, false);
    self.names = self.count;
    add_fields(&self, aggregate, true);
    self.values = zn_calloc(self.count, sizeof *self.values);
    self.of_exprs = zn_calloc(aggregate->count, sizeof *self.of_exprs);
    self.of_sets = zn_calloc(aggregate->set_count, sizeof *self.of_sets);
    for (uint32_t i = 0; i < aggregate->count; i++) {
        self.of_exprs[i] = place_of(&self, aggregate->exprs[i].field);
    }
    for (uint32_t i = 0; i < aggregate->set_count; i++) {
        self.of_sets[i] = place_of(&self, aggregate->sets[i]);
    }
    *out = self;
}

void zn_aggregate_fields_free(zn_aggregate_fields *fields) {
    free(fields->fields);
    free(fields->values);
    free(fields->of_exprs);
    free(fields->of_sets);
    *fields = (zn_aggregate_fields){ 0 };
}

void zn_aggregate_fields_find(zn_aggregate_fields *fields, zn_bytes record) {
    if (fields->count == 0) {
        return;
    }
    zn_value_fields(record, fields->fields, fields->names, fields->values);
    for (uint32_t i = fields->names; i < fields->count; i++) {
        fields->values[i].len = 0;
        zn_value_path(record, fields->fields[i], &fields->values[i]);
    }
    for (uint32_t i = 0; i < fields->count; i++) {
        if (zn_value_is_nil(fields->values[i])) {
            fields->values[i].len = 0;
        }
    }
}
