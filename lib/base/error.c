// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/base.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"

const char *ebb_result_name(enum ebb_result result)
{
    static const char *const names[] = {
        [EBB_OK] = "ok",
        [EBB_INVALID] = "invalid",
        [EBB_NOT_FOUND] = "not found",
        [EBB_UNREADABLE] = "unreadable",
        [EBB_UNWRITABLE] = "unwritable",
        [EBB_WRONG_TYPE] = "wrong type",
        [EBB_UNSUPPORTED] = "unsupported",
        [EBB_CORRUPT] = "corrupt",
        [EBB_OUT_OF_MEMORY] = "no memory",
        [EBB_NO_DEVICE] = "no device",
        [EBB_DEVICE_FAILED] = "device failed",
        [EBB_CANCELLED] = "cancelled",
    };
    size_t index = (size_t)result;
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown";
}

enum ebb_result(ebb_fail)(struct ebb_error *error, enum ebb_result code, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error->code = code;
        ebb_plain_vprint(error->message, sizeof(error->message), format, args);
        va_end(args);
    }
    return code;
}

void ebb_explain(struct ebb_error *error, const char *format, ...)
{
    if (!error)
        return;

    char old[sizeof(error->message)];
    memcpy(old, error->message, sizeof(old));
    va_list args;
    va_start(args, format);
    int length = ebb_plain_vprint(error->message, sizeof(error->message), format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof(error->message)) {
        size_t room = sizeof(error->message) - (size_t)length; // the cause is cut to it
        snprintf(error->message + length, room, ": %.*s", (int)room, old);
    }
}

void *ebb_alloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return calloc(count ? count : 1, size ? size : 1);
}
