// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/network.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/device.h"
#include "base/base.h"

// ---- opening ----

static enum ebb_result open_folder(struct ebb_network *n, int roles, struct ebb_error *error)
{
    enum ebb_result result = ebb_json_read_in(&n->config, n->folder, "config.json", n->config_sum, error);
    if (result != EBB_OK)
        return result;
    n->class = ebb_network_class_of(&n->config, roles);
    n->net = n->class ? n->class->create(&n->config) : NULL;
    if (n->config.result != EBB_OK)
        return n->config.result;
    if (!n->net) {
        ebb_explain(error, "%s", n->config.path);
        return error->code;
    }
    n->files = ebb_weight_files_open(n->folder, error);
    return n->files ? ebb_weight_files_bind(n->files, n->class->weights(n->net), n->class->tensor, error)
                    : error->code;
}

struct ebb_network *ebb_network_open(const char *folder, int roles, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_network *n = ebb_alloc(1, sizeof(*n));
    if (n && (n->folder = strdup(folder))) {
        n->references = 1;
        if (open_folder(n, roles, error) == EBB_OK)
            return n;
    } else {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    }
    ebb_network_close(&n);
    return NULL;
}

static void destroy(struct ebb_network *n)
{
    if (n->net)
        n->class->destroy(n->net);
    ebb_json_close(&n->config);
    ebb_weight_files_close(&n->files);
    for (int i = 0; i < n->device_count; i++)
        ebb_device_destroy(&n->devices[i]);
    free(n->devices);
    free(n->folder);
    free(n);
}

static void *net_of(const struct ebb_network *n, const struct ebb_network_class *class)
{
    return n && n->class == class ? n->net : NULL;
}

const struct ebb_unet *ebb_network_unet(const struct ebb_network *n)
{
    return n && n->class && n->class->role == EBB_ROLE_UNET ? n->net : NULL;
}

const struct ebb_autoencoder *ebb_network_autoencoder(const struct ebb_network *n)
{
    return net_of(n, &ebb_autoencoder_kl_class);
}

const struct ebb_classifier *ebb_network_classifier(const struct ebb_network *n)
{
    return net_of(n, &ebb_classifier_class);
}

const struct ebb_vocoder *ebb_network_vocoder(const struct ebb_network *n)
{
    return net_of(n, &ebb_speecht5_hifigan_class);
}

const struct ebb_text_encoder *ebb_network_text(const struct ebb_network *n)
{
    bool encoder = n && (n->class->role == EBB_ROLE_TEXT || n->class->role == EBB_ROLE_LANGUAGE);
    return encoder ? n->net : NULL;
}

const struct ebb_text_projection *ebb_network_text_projection(const struct ebb_network *n)
{
    return net_of(n, &ebb_text_projection_class);
}

uint64_t ebb_network_parameters(const struct ebb_network *n)
{
    return ebb_weights_count(n->class->weights(n->net));
}

// ---- sharing: networks whose weights are loaded, by the files they came from ----

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ebb_network *loaded_networks;

void ebb_network_close(struct ebb_network **network)
{
    struct ebb_network *n = *network;
    *network = NULL;
    if (!n)
        return;

    pthread_mutex_lock(&lock);
    bool last = --n->references <= 0;
    for (struct ebb_network **p = &loaded_networks; last && n->listed && *p; p = &(*p)->next)
        if (*p == n) {
            *p = n->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    if (last)
        destroy(n);
}

static bool same(const struct ebb_network *a, const struct ebb_network *b)
{
    return strcmp(a->config_sum, b->config_sum) == 0 && ebb_weight_files_same(a->files, b->files);
}

// Packed forms of weights on a device must be freed before the device. Packed forms on the host belong to
// no device.
static enum ebb_result keep_device(struct ebb_network *n, struct ebb_device *device, struct ebb_error *error)
{
    const char *kind = ebb_device_kind(device);
    if (strcmp(kind, "cpu") == 0 || strcmp(kind, "ref") == 0)
        return EBB_OK;
    for (int i = 0; i < n->device_count; i++)
        if (n->devices[i] == device)
            return EBB_OK;
    void *more = realloc(n->devices, (size_t)(n->device_count + 1) * sizeof(struct ebb_device *));
    if (!more)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", n->folder);
    n->devices = more;
    n->devices[n->device_count++] = ebb_device_share(device);
    return EBB_OK;
}

// Loading holds the lock, so two models that load at the same time read the files once.
enum ebb_result ebb_network_load(struct ebb_network **network, struct ebb_device *device,
                                 struct ebb_error *error)
{
    struct ebb_network *n = *network, *other = n->loaded ? n : NULL;
    enum ebb_result result = EBB_OK;

    pthread_mutex_lock(&lock);
    if (!n->loaded)
        for (other = loaded_networks; other && !same(other, n); other = other->next)
            ;
    if (!other)
        result = ebb_weight_files_load(n->files, error);
    if (!other && result == EBB_OK) {
        n->loaded = n->listed = true;
        n->next = loaded_networks;
        loaded_networks = other = n;
    }
    if (result == EBB_OK)
        result = keep_device(other, device, error);
    bool swap = result == EBB_OK && other != n;
    other = swap ? other : n;
    other->references += swap;
    pthread_mutex_unlock(&lock);

    if (swap) {
        ebb_network_close(network);
        *network = other;
    }
    return result;
}

// ---- sums ----

void ebb_network_expect(struct ebb_network *n, const struct ebb_json *sums)
{
    const char *slash = strrchr(n->folder, '/'), *folder = slash ? slash + 1 : n->folder;
    for (int i = 0; i < ebb_weight_files_count(n->files); i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s/%s", folder, ebb_weight_files_name(n->files, i));
        const char *sum = ebb_json_string(sums, name, NULL);
        if (sum && (strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64))
            ebb_json_refuse(sums, name, EBB_CORRUPT, "64 lower-case hex digits");
        else if (sum)
            ebb_weight_files_expect(n->files, i, sum);
    }
}

enum ebb_result ebb_network_hash(const struct ebb_network *n, struct ebb_sha256 *sha, struct ebb_error *error)
{
    enum ebb_result result = ebb_weight_files_add_sums(n->files, error);
    ebb_sha256_add(sha, n->config_sum, strlen(n->config_sum));
    for (int i = 0; result == EBB_OK && i < ebb_weight_files_count(n->files); i++)
        ebb_sha256_add(sha, ebb_weight_files_sum(n->files, i), 64);
    return result;
}
