// SPDX-License-Identifier: LGPL-2.1-or-later
// One network of a model folder: its class, its config and its weights, shared by all models of the same
// files. The network as a graph is in lib/nets. ebb_net (ebb/net.h) is such a network for researchers.
#ifndef EBB_MODEL_NETWORK_H
#define EBB_MODEL_NETWORK_H

#include <ebb/device.h>

#include "base/json.h"
#include "base/sha256.h"
#include "diffusers/network_class.h"
#include "diffusers/weight_files.h"
#include "nets/nets.h"

struct ebb_network {
    char *folder;
    const struct ebb_network_class *class;
    void *net;                   // struct ebb_unet, ebb_autoencoder and so on, by class
    struct ebb_json_file config; // config.json
    struct ebb_weight_files *files;
    char config_sum[65]; // SHA-256 of config.json
    bool loaded;

    // Guarded by network.c's lock.
    int references;
    bool listed; // in the process's list of loaded networks
    struct ebb_network *next;
    struct ebb_device **devices; // references to the devices that hold packed forms of the weights
    int device_count;
};

// Reads the config and the headers of the weights. `roles`: bits of enum ebb_network_role; a network of
// another role is refused. NULL on failure.
struct ebb_network *ebb_network_open(const char *folder, int roles, struct ebb_error *error);
void ebb_network_close(struct ebb_network **network);

// The network as a struct of its class; NULL where it is of another class. `network` may be NULL.
const struct ebb_unet *ebb_network_unet(const struct ebb_network *network);
const struct ebb_autoencoder *ebb_network_autoencoder(const struct ebb_network *network);
const struct ebb_classifier *ebb_network_classifier(const struct ebb_network *network);
const struct ebb_text_encoder *ebb_network_text(const struct ebb_network *network);
const struct ebb_text_projection *ebb_network_text_projection(const struct ebb_network *network);
const struct ebb_vocoder *ebb_network_vocoder(const struct ebb_network *network);

// Loads the weights for use on `device`. Where a network of the same files is loaded already, `*network` is
// closed and becomes that one. Any thread.
enum ebb_result ebb_network_load(struct ebb_network **network, struct ebb_device *device,
                                 struct ebb_error *error);

uint64_t ebb_network_parameters(const struct ebb_network *network);

// Takes the SHA-256 sums that this network's files must have from `sums`, an object: "folder/file" -> hex.
void ebb_network_expect(struct ebb_network *network, const struct ebb_json *sums);
// Adds the sums of config and weights to `sha`. Reads the files whose sum is not stated.
enum ebb_result ebb_network_hash(const struct ebb_network *network, struct ebb_sha256 *sha,
                                 struct ebb_error *error);

#endif
