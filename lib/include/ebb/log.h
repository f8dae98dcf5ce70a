// SPDX-License-Identifier: LGPL-2.1-or-later
// The log: a function of the caller's that receives the library's messages. The library never prints;
// without a log it is silent.
#ifndef EBB_LOG_H
#define EBB_LOG_H

#include <ebb/export.h>

EBB_BEGIN_DECLS

enum ebb_log_level { EBB_LOG_ERROR, EBB_LOG_WARNING, EBB_LOG_INFO, EBB_LOG_DEBUG };

// A log must outlive the object that it is given to. `write` may be called from any thread; it receives one
// line, without a newline, and must not call the library. The struct will never have more than these two
// fields.
struct ebb_log {
    void (*write)(void *user, enum ebb_log_level level, const char *message);
    void *user;
};

EBB_END_DECLS

#endif
