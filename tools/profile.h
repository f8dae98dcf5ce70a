#ifndef EBB_TOOLS_PROFILE_H
#define EBB_TOOLS_PROFILE_H

#include <stdbool.h>

#include <ebb/device.h>

// Takes what the device measured since profiling was turned on: a table to stdout if `table`, a trace to `path`.
// Returns an exit code.
int tool_profile_report(struct ebb_device *device, const char *path, bool table);

#endif
