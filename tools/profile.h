// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a device's time went, op by op.
#ifndef EBB_TOOLS_PROFILE_H
#define EBB_TOOLS_PROFILE_H

#include <jansson.h>

#include "tool.h"

// Reads what the device noted and prints it as a table, the most costly kind of operation first; `json` gets
// the same under "profile" instead if it is not NULL. `trace` names a Chrome trace file to write; NULL: none.
// Exit code.
int profile_report(struct ebb_device *device, json_t *json, const char *trace);

#endif
