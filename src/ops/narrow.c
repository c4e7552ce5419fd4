/* SPDX-License-Identifier: MPL-2.0 */
/* Checks that select, drop, rename and window share, so that the same mistake gets the same words
 * from each of them. */
#include "ops/narrow.h"

#include "base/limits.h"
#include "record/value.h"

zonda_err zn_narrow_check_map(const zn_op *op, zn_bytes record, zonda_error *error) {
    zn_value_type type = zn_value_head(record).type;
    if (type == ZN_VALUE_MAP) {
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_USER, "%s needs a map as record, not %s", op->def->name,
                 zn_value_type_name(type));
    error->permanent = true;
    return ZONDA_ERR_USER;
}

zonda_err zn_narrow_check_size(const zn_op *op, size_t bytes, zonda_error *error) {
    if (bytes <= ZN_RECORD_BYTES_MAX) {
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_LIMIT,
                 "%s makes a record of %zu bytes, more than the limit of %u", op->def->name, bytes,
                 ZN_RECORD_BYTES_MAX);
    error->permanent = true;
    return ZONDA_ERR_LIMIT;
}
