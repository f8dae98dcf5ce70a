// SPDX-License-Identifier: LGPL-2.1-or-later
// Keys of config.json that several network classes have.
#ifndef EBB_DIFFUSERS_CONFIG_PARTS_H
#define EBB_DIFFUSERS_CONFIG_PARTS_H

#include "base/json.h"
#include "nets/unet2d.h"

// Reads "act_fn".
enum ebb_act ebb_config_activation(const struct ebb_json *j);
// Reads another activation; absent or null: none.
enum ebb_act ebb_config_activation_of(const struct ebb_json *j, const char *key);
// Reads "sample_size", an integer or a pair.
void ebb_config_sample_size(const struct ebb_json *j, int size[2]);

// Reads "block_out_channels" into `values` and returns their number; `levels` where the key is missing.
// `down` and `up` are the lengths of the lists of block types; all three lists must have the same length.
int ebb_config_channels(const struct ebb_json *j, int *values, int levels, int down, int up);

// Reads a whole number 1..high. null is 0; a missing key is `fallback`.
int ebb_config_count(const struct ebb_json *j, const char *key, int fallback, int high);

// Reads the keys of a U-Net's way down, middle and embedding, with their class defaults. `way_up`: the
// network has a way up too.
void ebb_config_unet(const struct ebb_json *j, struct ebb_unet_config *config, bool way_up);

#endif
