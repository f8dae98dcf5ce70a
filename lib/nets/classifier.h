// The classifier of classifier guidance: what its config says, and how it is made. For lib/nets and lib/model.
#ifndef EBB_NETS_CLASSIFIER_H
#define EBB_NETS_CLASSIFIER_H

#include "nets/nets.h"
#include "nets/unet2d.h"

struct ebb_classifier_config {
    struct ebb_unet_config unet; // its first half; no classes
    int labels;
};

// As ebb_unet_create().
struct ebb_classifier *ebb_classifier_create(const struct ebb_classifier_config *config, struct ebb_error *error);
void ebb_classifier_destroy(struct ebb_classifier **classifier);
struct ebb_weights *ebb_classifier_weights(struct ebb_classifier *classifier);

#endif
