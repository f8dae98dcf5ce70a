// SPDX-License-Identifier: LGPL-2.1-or-later
// Progress of a call, told to the caller between network evaluations. The caller may stop the call.
#ifndef EBB_PROCESS_PROGRESS_H
#define EBB_PROCESS_PROGRESS_H

#include <ebb/progress.h>

struct ebb_progress_span {
    ebb_progress progress; // the caller's function; NULL: none
    void *user;
    double from, to; // the part of the call that this span stands for, shares of the whole call
};

// The caller's hooks, as far as `hooks->size` goes; nothing behind it. `hooks` may be NULL.
struct ebb_hooks ebb_hooks_copy(const struct ebb_hooks *hooks);

// The span of a whole call, 0 to 1; `hooks` may be NULL.
struct ebb_progress_span ebb_progress_whole(const struct ebb_hooks *hooks);

// The part from .. to of `span`, shares of `span`.
struct ebb_progress_span ebb_progress_part(const struct ebb_progress_span *span, double from, double to);

// Tells that `fraction` of the span is done. EBB_CANCELLED: the caller stops the call.
enum ebb_result ebb_progress_tell(const struct ebb_progress_span *span, double fraction,
                                  struct ebb_error *error);

#endif
