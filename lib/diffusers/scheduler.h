// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading scheduler_config.json of diffusers' scheduler classes: a schedule, the parameters of a run, and
// the class's quirks.
#ifndef EBB_DIFFUSERS_SCHEDULER_H
#define EBB_DIFFUSERS_SCHEDULER_H

#include "base/json.h"
#include "diffusion/quirks.h"
#include "diffusion/run.h"

struct ebb_scheduler {
    struct ebb_schedule *schedule; // the caller destroys it
    struct ebb_run_params run;     // on that schedule; its `quirks` is NULL, for the caller to set
    struct ebb_quirks quirks;
    char unknown[256]; // unknown keys of the config, comma separated; empty: none
};

// Reads the config. A key that is missing or null has the class's default. EBB_UNSUPPORTED: a class or a
// value that Ebb does not have. EBB_CORRUPT: a value of the wrong kind or out of range. The error names
// class, key and value. `positions` is h * w of the state, for use_dynamic_shifting; 0: not known. After a
// failure nothing needs to be destroyed.
enum ebb_result ebb_scheduler_read(struct ebb_json_file *config, int positions, struct ebb_scheduler *out);

#endif
