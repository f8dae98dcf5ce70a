// SPDX-License-Identifier: LGPL-2.1-or-later
// The classifier of classifier guidance: its config, and making it. For lib/nets, lib/diffusers and
// lib/model.
#ifndef EBB_NETS_CLASSIFIER_H
#define EBB_NETS_CLASSIFIER_H

#include "nets/nets.h"
#include "nets/unet2d.h"

struct ebb_classifier_config {
    struct ebb_unet_config unet; // of the way down and the middle; without classes
    int labels;
};

// Makes the network without its weights' numbers. NULL with EBB_UNSUPPORTED: values of the config
// contradict each other.
struct ebb_classifier *ebb_classifier_create(const struct ebb_classifier_config *config,
                                             struct ebb_error *error);
void ebb_classifier_destroy(struct ebb_classifier **classifier);
struct ebb_weights *ebb_classifier_weights(struct ebb_classifier *classifier);

#endif
