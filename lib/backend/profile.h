// Where the time goes, op by op: backends add entries while a device is being profiled.
#ifndef EBB_BACKEND_PROFILE_H
#define EBB_BACKEND_PROFILE_H

#include <stdbool.h>

#include "backend/op.h"

// "conv 3x3 128 -> 64, 16 x 32, batch 2": an op as people read it.
void ebb_op_describe(const struct ebb_program *program, const struct ebb_op *op, char *text, size_t size);

bool ebb_profile_on(const struct ebb_device *device);
double ebb_profile_now(void); // seconds, on the clock of `start` for host backends

// One op took `seconds` from `start` on. Does nothing while off, or when there is no memory.
void ebb_profile_add(struct ebb_device *device, const char *op, double start, double seconds);

#endif
