// Where a network's time goes, op by op: a table for reading, a trace for chrome://tracing and Perfetto.
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tool.h"

enum { ROWS = 24 }; // of the table

struct total {
    const char *op;
    double seconds;
    int count;
};

static int slowest_first(const void *a, const void *b)
{
    double x = ((const struct total *)a)->seconds, y = ((const struct total *)b)->seconds;
    return (x < y) - (x > y);
}

static void print_table(const struct ebb_profile_entry *entries, size_t count, struct total *totals)
{
    size_t kinds = 0;
    double all = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < kinds && strcmp(totals[k].op, entries[i].op) != 0)
            k++;
        if (k == kinds)
            totals[kinds++] = (struct total){.op = entries[i].op};
        totals[k].seconds += entries[i].seconds;
        totals[k].count++;
        all += entries[i].seconds;
    }
    qsort(totals, kinds, sizeof(*totals), slowest_first);
    printf("  %zu operations, %.2f ms:\n", count, 1e3 * all);
    for (size_t k = 0; k < kinds && k < ROWS; k++)
        printf("    %9.3f ms %5.1f %% %6d x  %s\n", 1e3 * totals[k].seconds, 100 * totals[k].seconds / all, totals[k].count,
               totals[k].op);
    if (kinds > ROWS)
        printf("    and %zu kinds more\n", kinds - ROWS);
}

static int write_trace(const char *path, const char *device, const struct ebb_profile_entry *entries, size_t count)
{
    json_t *events = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(events, json_pack("{s:s, s:s, s:f, s:f, s:i, s:i}", "name", entries[i].op, "ph", "X", "ts",
                                                1e6 * (entries[i].start - entries[0].start), "dur", 1e6 * entries[i].seconds,
                                                "pid", 1, "tid", 1));
    json_t *trace = json_pack("{s:o, s:s, s:{s:s}}", "traceEvents", events, "displayTimeUnit", "ms", "otherData", "device", device);
    int failed = !trace || json_dump_file(trace, path, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0;
    json_decref(trace);
    return failed ? tool_fail(TOOL_UNWRITABLE, "%s: cannot be written", path) : TOOL_OK;
}

int tool_profile_report(struct ebb_device *device, const char *path, bool table)
{
    size_t count = ebb_device_profile_read(device, NULL, 0);
    struct ebb_profile_entry *entries = calloc(count + 1, sizeof(*entries));
    struct total *totals = calloc(count + 1, sizeof(*totals));
    int code = TOOL_OK;
    if (!entries || !totals) {
        code = tool_fail(TOOL_FAILED, "out of memory");
    } else {
        count = ebb_device_profile_read(device, entries, count);
        if (table)
            print_table(entries, count, totals);
        code = write_trace(path, ebb_device_description(device), entries, count);
    }
    free(entries);
    free(totals);
    return code;
}
