// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/progress.h"

#include <string.h>

#include "base/base.h"

// A size of 0 is that of a caller who did not begin with EBB_HOOKS: it knows what this version knows.
struct ebb_hooks ebb_hooks_copy(const struct ebb_hooks *hooks)
{
    struct ebb_hooks copy = {.size = sizeof(copy)};
    size_t known = hooks && hooks->size > 0 && hooks->size < sizeof(copy) ? hooks->size : sizeof(copy);
    if (hooks)
        memcpy(&copy, hooks, known);
    return copy;
}

struct ebb_progress_span ebb_progress_whole(const struct ebb_hooks *hooks)
{
    return (struct ebb_progress_span){hooks ? hooks->progress : NULL, hooks ? hooks->user : NULL, 0, 1};
}

struct ebb_progress_span ebb_progress_part(const struct ebb_progress_span *span, double from, double to)
{
    double width = span->to - span->from;
    struct ebb_progress_span part = *span;
    part.from = span->from + from * width;
    part.to = span->from + to * width;
    return part;
}

enum ebb_result ebb_progress_tell(const struct ebb_progress_span *span, double fraction,
                                  struct ebb_error *error)
{
    if (!span->progress)
        return EBB_OK;
    double now = span->from + fraction * (span->to - span->from);
    if (!span->progress(span->user, now < 1 ? now : 1))
        return ebb_fail(error, EBB_CANCELLED, "stopped on request");
    return EBB_OK;
}
