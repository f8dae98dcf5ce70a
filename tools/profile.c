// SPDX-License-Identifier: LGPL-2.1-or-later
#include "profile.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS = 24 };

struct op_total { // all operations of one name
    char op[80];
    size_t count;
    double seconds;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct op_total *)a)->op, ((const struct op_total *)b)->op);
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct op_total *)a)->seconds, y = ((const struct op_total *)b)->seconds;
    return (x < y) - (x > y);
}

// One row per name, in place of one per operation; returns how many.
static size_t group(struct op_total *kinds, size_t count)
{
    size_t rows = 0;
    qsort(kinds, count, sizeof(*kinds), by_name);
    for (size_t i = 0; i < count; i++)
        if (rows > 0 && strcmp(kinds[rows - 1].op, kinds[i].op) == 0) {
            kinds[rows - 1].count++;
            kinds[rows - 1].seconds += kinds[i].seconds;
        } else {
            kinds[rows++] = kinds[i];
        }
    qsort(kinds, rows, sizeof(*kinds), by_time);
    return rows;
}

static void print_table(const struct op_total *kinds, size_t rows, double total)
{
    printf("  %8s %6s %6s  %s\n", "ms", "share", "times", "operation");
    for (size_t i = 0; i < rows && i < TABLE_ROWS; i++)
        printf("  %8.2f %5.1f%% %6zu  %s\n", 1e3 * kinds[i].seconds, 100 * kinds[i].seconds / total,
               kinds[i].count, kinds[i].op);
    if (rows > TABLE_ROWS)
        printf("  and %zu more kinds; --json has them all\n", rows - TABLE_ROWS);
    printf("  %8.2f         in all\n", 1e3 * total);
}

static void add_json(json_t *json, const struct op_total *kinds, size_t rows)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rows; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:f}", "op", kinds[i].op, "times",
                                              (json_int_t)kinds[i].count, "ms", 1e3 * kinds[i].seconds));
    json_object_set_new(json, "profile", list);
}

// What chrome://tracing and ui.perfetto.dev read: times in microseconds.
static int write_trace(const char *path, const char *device, const struct ebb_profile_entry *entries,
                       size_t count)
{
    json_t *events = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(events, json_pack("{s:s, s:s, s:f, s:f, s:i, s:i}", "name", entries[i].op, "ph",
                                                "X", "ts", 1e6 * (entries[i].start - entries[0].start), "dur",
                                                1e6 * entries[i].seconds, "pid", 1, "tid", 1));
    json_t *o = json_pack("{s:o, s:s, s:{s:s}}", "traceEvents", events, "displayTimeUnit", "ms", "otherData",
                          "device", device);
    enum { DIGITS = 12 }; // microseconds to the nanosecond, for a run of minutes
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    json_decref(o);
    if (!text)
        return tool_fail(TOOL_FAILED, "no memory");
    struct ebb_error error = {0};
    struct ebb_output *output = ebb_output_create(path, &error);
    bool ok = output && ebb_output_write(output, text, strlen(text), &error) == EBB_OK &&
              ebb_output_finish(output, &error) == EBB_OK;
    ebb_output_destroy(&output);
    free(text);
    return ok ? TOOL_OK : tool_error(&error);
}

static int report(const char *device, const struct ebb_profile_entry *entries, size_t count, json_t *json,
                  const char *trace)
{
    struct op_total *kinds = calloc(count, sizeof(*kinds));
    double total = 0;
    if (!kinds)
        return tool_fail(TOOL_FAILED, "no memory");
    for (size_t i = 0; i < count; i++) {
        memcpy(kinds[i].op, entries[i].op, sizeof(kinds[i].op));
        kinds[i].count = 1;
        kinds[i].seconds = entries[i].seconds;
        total += entries[i].seconds;
    }
    size_t rows = group(kinds, count);
    if (json)
        add_json(json, kinds, rows);
    else
        print_table(kinds, rows, total);
    free(kinds);
    return trace ? write_trace(trace, device, entries, count) : TOOL_OK;
}

int profile_report(struct ebb_device *device, json_t *json, const char *trace)
{
    size_t count = ebb_device_profile_read(device, NULL, 0);
    struct ebb_profile_entry *entries = calloc(count + 1, sizeof(*entries));
    if (!entries)
        return tool_fail(TOOL_FAILED, "no memory");
    size_t got = ebb_device_profile_read(device, entries, count);
    count = got < count ? got : count;
    int code = count ? report(ebb_device_description(device), entries, count, json, trace)
                     : tool_fail(TOOL_FAILED, "the device noted no operations: it cannot be profiled");
    free(entries);
    return code;
}
