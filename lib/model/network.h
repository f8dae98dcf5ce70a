// One network's folder: config, weights, the network itself. Shared between models by whoever loads it.
#ifndef EBB_MODEL_NETWORK_H
#define EBB_MODEL_NETWORK_H

#include <ebb/device.h>

#include "model/json.h"
#include "model/sha256.h"
#include "model/tensors.h"
#include "nets/autoencoder_kl.h"
#include "nets/classifier.h"
#include "nets/unet2d.h"

struct ebb_network {
    char *folder;
    struct ebb_unet *unet;        // one of the three
    struct ebb_autoencoder *vae;
    struct ebb_classifier *classifier;
    struct ebb_json_file config; // a classifier's, kept for the names of its labels; `root` NULL: none
    struct ebb_tensors *tensors;
    char config_sum[65]; // SHA-256 of config.json
    bool loaded;

    // Guarded by network.c's lock.
    int references;
    bool listed; // found by ebb_network_share()
    struct ebb_network *next;
    struct ebb_device **devices; // those that hold packed forms of the weights, kept while the weights are
    int device_count;
};

// Reads config and headers, milliseconds. `class_name` NULL: UNet2DModel or AutoencoderKL. NULL on failure.
struct ebb_network *ebb_network_open(const char *folder, const char *class_name, struct ebb_error *error);
void ebb_network_close(struct ebb_network **network);

// Reads the weights, unless the process has them: then `*network` becomes the one that does. They are for use on
// `device`. Any thread.
enum ebb_result ebb_network_load(struct ebb_network **network, struct ebb_device *device, struct ebb_error *error);

struct ebb_weights *ebb_network_weights(const struct ebb_network *network);

// Sums that `sums` (an object: file name, with `prefix` before it -> hex) states for this network's files.
void ebb_network_expect(struct ebb_network *network, const struct ebb_json *sums, const char *prefix);
// Adds the sums of config and weights; reads the files whose sum nobody stated.
enum ebb_result ebb_network_hash(const struct ebb_network *network, struct ebb_sha256 *sha, struct ebb_error *error);

#endif
