// SPDX-License-Identifier: LGPL-2.1-or-later
// The Skip blocks of NCSN++ (Song et al. 2021): beside the features goes the image itself. On the way down it
// is made smaller and added to the features; on the way up every level adds to an image that grows, which the
// network adds to its output. Sums of two are divided by sqrt(2), and what is resampled is smoothed by the
// filter 1 3 3 1.
#ifndef EBB_NETS_SKIP_H
#define EBB_NETS_SKIP_H

#include "nets/down.h"

// Whether these blocks go together with each other and with the numbers of the config.
enum ebb_result ebb_skip_check_down(const struct ebb_unet_config *config, struct ebb_error *error);
enum ebb_result ebb_skip_check_up(const struct ebb_unet_config *config, struct ebb_error *error);

// Rows of the file for level `i`; on the way up 0 is the lowest, and the channels are those of unet2d.c.
void ebb_want_skip_down(struct ebb_down *down, int i);
void ebb_want_skip_up(struct ebb_down *down, struct ebb_unet_level *level, int i, int below, int out,
                      int next);

// `image` becomes smaller, and larger; NULL on the way up: there is none yet.
struct ebb_node *ebb_skip_down(struct ebb_graph *g, const struct ebb_down *down, int i, struct ebb_node *x,
                               struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image);
struct ebb_node *ebb_skip_up(struct ebb_graph *g, const struct ebb_down *down,
                             const struct ebb_unet_level *level, int i, struct ebb_node *x,
                             struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image);

#endif
