// SPDX-License-Identifier: LGPL-2.1-or-later
// UNet2DModel.
#include "diffusers/config_parts.h"
#include "diffusers/network_class.h"

static void *create(struct ebb_json_file *file)
{
    struct ebb_json root = ebb_json_root(file), *j = &root;
    struct ebb_unet_config config;
    ebb_config_unet(j, &config, true);
    config.out_channels = ebb_json_int(j, "out_channels", 3, 1, EBB_MAX_CHANNELS);
    return file->result == EBB_OK ? ebb_unet_create(&config, file->error) : NULL;
}

static void destroy(void *net)
{
    struct ebb_unet *gone = net;
    ebb_unet_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_unet_weights(net);
}

const struct ebb_network_class ebb_unet2d_class = {
    .name = "UNet2DModel",
    .role = EBB_ROLE_UNET,
    .create = create,
    .destroy = destroy,
    .weights = weights,
};
