// SPDX-License-Identifier: LGPL-2.1-or-later
// One way to write a file of any kind: it appears under its name when it is whole, or not at all. Pipes and
// devices are written to as they are.
#ifndef EBB_OUTPUT_H
#define EBB_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_output;

// Begins to write to `path`; "-" is standard output. A FIFO waits for its reader. A file goes under a
// temporary name beside its place; what is left of runs that were killed there is removed. A file that is
// there keeps its mode; one that may not be written is EBB_UNWRITABLE. A link stays, and the file that it
// names is made, whether it is there or not. NULL on failure.
EBB_API struct ebb_output *ebb_output_create(const char *path, struct ebb_error *error);

// Whether bytes that were written are gone: a pipe, a terminal, a file that is appended to.
EBB_API bool ebb_output_is_stream(const struct ebb_output *output);

// For writing, and unless it is a stream for seeking and reading too; owned by the output. -1: it is
// complete.
EBB_API int ebb_output_descriptor(const struct ebb_output *output);

EBB_API enum ebb_result ebb_output_write(struct ebb_output *output, const void *bytes, size_t size,
                                         struct ebb_error *error);

// Completes the file and gives it its name, unless a write has failed. What is destroyed without this leaves
// what was there before. After this nothing more can be written: EBB_INVALID.
EBB_API enum ebb_result ebb_output_finish(struct ebb_output *output, struct ebb_error *error);
EBB_API void ebb_output_destroy(struct ebb_output **output);

EBB_END_DECLS

#endif
