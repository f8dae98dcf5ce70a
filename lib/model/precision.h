// SPDX-License-Identifier: LGPL-2.1-or-later
// The setting `precision`: whether the network's convolutions are computed in bfloat16.
#ifndef EBB_MODEL_PRECISION_H
#define EBB_MODEL_PRECISION_H

#include "model/model.h"

enum ebb_precision { EBB_PRECISION_FP32, EBB_PRECISION_BF16, EBB_PRECISION_AUTO };

enum ebb_precision ebb_precision_of(const char *name); // a name of the table of settings

// What is known of a model on its device; zero at first.
struct ebb_precision_known {
    bool said, measured;
    double difference; // of an evaluation in bfloat16 from that in float32, relative rms
};

// Whether the U-Net of a loaded model is evaluated in bfloat16. A device without it gives false, and so does
// `auto` where one evaluation in bfloat16 is too far from that in float32. The log says once what was chosen.
enum ebb_result ebb_precision_choose(const struct ebb_model *model, enum ebb_precision precision,
                                     struct ebb_precision_known *known, bool *bf16, struct ebb_error *error);

#endif
