// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb eval on a text encoder.
#ifndef EBB_TOOLS_EVAL_TEXT_H
#define EBB_TOOLS_EVAL_TEXT_H

#include <ebb/net.h>

struct eval_text {
    const char *ids, *output, *pooled; // files; NULL: not asked for
    int repeat;                        // times that it is run again and measured
};
int eval_text(struct ebb_net *net, const struct eval_text *job); // exit code

#endif
