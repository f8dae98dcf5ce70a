// The ground floor: errors and log lines.
#ifndef EBB_BASE_BASE_H
#define EBB_BASE_BASE_H

#include <stdarg.h>
#include <stddef.h>

#include <ebb/error.h>
#include <ebb/log.h>

// Fills `error` (may be NULL) and returns `code`, so that a failing function ends in one line.
enum ebb_result ebb_fail(struct ebb_error *error, enum ebb_result code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts words in front of an error's message: ebb_explain(error, "models/sfx") makes "models/sfx: <message>".
void ebb_explain(struct ebb_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// One line to the log; nothing happens without one.
void ebb_logf(const struct ebb_log *log, enum ebb_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// calloc for a * b elements that refuses products that do not fit; NULL on failure.
void *ebb_alloc(size_t count, size_t size);

#endif
