// SPDX-License-Identifier: LGPL-2.1-or-later
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
#ifdef __clang_analyzer__ // it does not see from outside error.c that the result is `code`
#define ebb_fail(error, code, ...) (ebb_fail(error, code, __VA_ARGS__), (code))
#endif

// The caller's error, or a local one where `error` is NULL, so that error->code can be read: error =
// EBB_ERROR(error);
#define EBB_ERROR(error) ((error) ? (error) : &(struct ebb_error){0})

// Puts words in front of an error's message: ebb_explain(error, "models/sfx") makes "models/sfx: <message>".
void ebb_explain(struct ebb_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Writes one line to the log; `log` NULL: nothing happens.
void ebb_logf(const struct ebb_log *log, enum ebb_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// calloc() that refuses a product which does not fit into size_t; NULL on failure.
void *ebb_alloc(size_t count, size_t size);

// For large arrays: 64-byte aligned, not zeroed, on huge pages where the system has them; released by free().
// NULL on failure.
void *ebb_pages_alloc(size_t count, size_t size);

#endif
