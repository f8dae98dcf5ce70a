// SPDX-License-Identifier: LGPL-2.1-or-later
// struct ebb_unet, which the files of its two classes share.
#ifndef EBB_NETS_UNET_H
#define EBB_NETS_UNET_H

#include "nets/down.h"

struct ebb_condition; // unet2d_condition.c

struct ebb_unet {
    struct ebb_unet_config config;
    struct ebb_weights weights;
    struct ebb_down down; // UNet2DConditionModel uses its embedding and first convolution alone
    struct ebb_unet_level up[EBB_MAX_LEVELS];
    struct ebb_layer norm_out, conv_out;
    struct ebb_condition *condition; // the rest of a UNet2DConditionModel; NULL: it is a UNet2DModel
};

// ---- unet2d_condition.c ----

void ebb_condition_destroy(struct ebb_condition **condition);
enum ebb_result ebb_condition_check_shape(const struct ebb_unet *unet, const struct ebb_unet_shape *shape,
                                          struct ebb_error *error);
// The network's output for x, which is centred here where the config says so.
struct ebb_node *ebb_condition_net(struct ebb_graph *g, const struct ebb_unet *unet,
                                   const struct ebb_unet_shape *shape, struct ebb_node *x);
int ebb_condition_text_width(const struct ebb_condition *condition, int which);
bool ebb_condition_may_lack_text(const struct ebb_condition *condition);

#endif
